"""An overlay that cannot be the right one is refused before anything is programmed, with the command that builds it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from pynq_ee.driver import bitfiles, packed_overlay
from pynq_ee.driver.bit_header import NO_USER_ID
from pynq_ee.errors import DeviceError, IdentityError, OverlayError
from pynq_ee.network import spec, weights
from pynq_ee.network.spec import BOARDS, Board
from pynq_ee.sim import bitfile

#: DEVICE and PACKAGE as a .hwh of each board has them.
PARTS = {
    "pynq-z2": ("7z020", "clg400"),
    "pynq-z1": ("7z020", "clg400"),
    "zcu104": ("xczu7ev", "ffvc1156"),
    "kv260": ("xck26", "sfvc784"),
}

HWH = """<?xml version="1.0" encoding="UTF-8"?>
<EDKSYSTEM>
  <SYSTEMINFO ARCH="zynq" DEVICE="{device}" NAME="first_exit" PACKAGE="{package}" SPEEDGRADE="-1"/>
  <MODULES>
    <MODULE INSTANCE="{dma_name}" VLNV="{dma_vlnv}">
      <PARAMETERS>
        <PARAMETER NAME="{length_name}" VALUE="{length_bits}"/><PARAMETER NAME="c_include_sg" VALUE="{scatter_gather}"/>
        <PARAMETER NAME="{setting}" VALUE="{value}"/>
      </PARAMETERS>
    </MODULE>
    <MODULE INSTANCE="{kernel_name}" VLNV="{kernel_vlnv}"><PARAMETERS/></MODULE>
  </MODULES>
</EDKSYSTEM>
"""


@pytest.fixture
def overlay(tmp_path: Path) -> Callable[..., Path]:
    """Writes a ``.bit`` and its ``.hwh``, right for a board but for what is changed; returns the ``.bit``."""

    def write(
        board: str = "pynq-z2", folder: Path = tmp_path, user_id: int = NO_USER_ID, bit_part: str = "", **changes: str
    ) -> Path:
        device, package = PARTS[board]
        values = {
            "device": device,
            "package": package,
            "dma_name": spec.DMA_NAME,
            "dma_vlnv": spec.DMA_VLNV,
            "kernel_name": spec.KERNEL_NAME,
            "kernel_vlnv": spec.KERNEL_VLNV,
            "length_name": "c_sg_length_width",
            "length_bits": "26",
            "scatter_gather": "0",
            "setting": "c_addr_width",
            "value": "32",
            **changes,
        }
        folder.mkdir(parents=True, exist_ok=True)
        bit = folder / f"{spec.OVERLAY_NAME}.bit"
        bitfile.write(bit, spec.OVERLAY_NAME, bit_part or BOARDS[board].part, b"bitstream", user_id)
        bit.with_suffix(".hwh").write_text(HWH.format(**values))
        return bit

    return write


@pytest.mark.parametrize("board", BOARDS)
def test_a_right_overlay_passes(overlay: Callable[..., Path], board: str) -> None:
    bit = overlay(board)
    assert bitfiles.check(bit, BOARDS[board]) == bit
    assert bitfiles.check(str(bit), BOARDS[board]) == bit


@pytest.mark.parametrize("dma", spec.DMA_VLNVS.values())
@pytest.mark.parametrize("kernel", spec.KERNEL_VLNVS.values())
def test_dma_and_kernel_of_either_make_pass(overlay: Callable[..., Path], dma: str, kernel: str) -> None:
    assert bitfiles.check(overlay(dma_vlnv=dma, kernel_vlnv=kernel), BOARDS["pynq-z2"])


def test_the_part_is_known_with_and_without_its_xc(overlay: Callable[..., Path]) -> None:
    for board, device in (("pynq-z2", "xc7z020"), ("zcu104", "zu7ev"), ("kv260", "k26")):
        bitfiles.check(overlay(board, device=device), BOARDS[board])


def test_a_bitfile_of_the_z1_serves_the_z2(overlay: Callable[..., Path]) -> None:
    assert bitfiles.check(overlay("pynq-z1"), BOARDS["pynq-z2"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"device": "7z010"}, "is for the part 7z010clg400; pynq-z2 has a xc7z020clg400-1"),
        ({"device": "7z02"}, "is for the part 7z02clg400"),
        ({"device": ""}, "is for the part clg400"),
        ({"package": ""}, "is for the part 7z020"),
        ({"package": "clg484"}, "is for the part 7z020clg484"),
        ({"dma_name": "axi_dma_0"}, "it has no axi_dma. Run"),
        (
            {"dma_vlnv": "xilinx.com:ip:axi_dma:7.0"},
            r"axi_dma in it is xilinx.com:ip:axi_dma:7.0; xilinx.com:ip:axi_dma:7.1 \(vivado\) or "
            r"pynq_ee:rtl:axi_dma:1.0 \(rtl\) is needed",
        ),
        ({"kernel_name": "second_exit"}, "it has no first_exit"),
        (
            {"kernel_vlnv": "pynq_ee:hls:first_exit:0.9"},
            r"pynq_ee:hls:first_exit:2.0 \(hls\) or pynq_ee:rtl:first_exit:2.0 \(rtl\) is needed",
        ),
        ({"length_bits": "14"}, r"c_sg_length_width .*the length register\) is 14; it must be at least 26"),
        ({"length_bits": "wide"}, "is wide; it must be at least 26"),
        ({"length_name": "c_other"}, "is 14; it must be at least 26"),
        ({"scatter_gather": "1"}, "c_include_sg .*scatter-gather.* is 1; it must be 0"),
        ({"setting": "c_micro_dma", "value": "1"}, "c_micro_dma .* is 1; it must be 0"),
        ({"setting": "c_include_mm2s", "value": "0"}, r"channel of the images\) is 0; it must be 1"),
        ({"setting": "C_INCLUDE_S2MM", "value": "0"}, r"channel of the results\) is 0; it must be 1"),
    ],
)
def test_another_design_is_refused_with_what_is_wrong(
    overlay: Callable[..., Path], changes: dict, message: str
) -> None:
    with pytest.raises(OverlayError, match=message) as caught:
        bitfiles.check(overlay(**changes), BOARDS["pynq-z2"])
    assert "first_exit.hwh" in str(caught.value)


def test_the_names_of_parameters_are_read_in_any_case(overlay: Callable[..., Path]) -> None:
    bitfiles.check(overlay(length_name="C_SG_LENGTH_WIDTH"), BOARDS["pynq-z2"])


@pytest.mark.parametrize("suffix", [".bit", ".hwh"])
def test_a_missing_file_is_named_with_the_command_that_builds_it(overlay: Callable[..., Path], suffix: str) -> None:
    bit = overlay()
    bit.with_suffix(suffix).unlink()
    with pytest.raises(OverlayError, match=rf"no .*first_exit\{suffix}; `vivado -mode batch .* --board pynq-z2`"):
        bitfiles.check(bit, BOARDS["pynq-z2"])


# Of one build, and of the model ---------------------------------------------------------------------------------------


def describe(bit: Path, build_id: int, /, **digests: str) -> None:
    """Write the manifest of a ``.bit`` and its ``.hwh``; ``digests`` replace those of the suffixes that they name."""
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (bit, bit.with_suffix(".hwh"))}
    found |= {bit.with_suffix(f".{suffix}").name: digest for suffix, digest in digests.items()}
    content = {"build_id": f"{build_id:08x}", "clock_mhz": 100, "sha256": found}
    bit.with_name("manifest.json").write_text(json.dumps(content))


@pytest.mark.parametrize("name", ["", ".", "/", ".."])
def test_a_folder_is_no_bitstream(name: str) -> None:
    """As of a variable of a shell that is empty: ``--bitfile "$BIT"``."""
    with pytest.raises(OverlayError, match=r"is a folder; name the \.bit in it"):
        bitfiles.check(name, BOARDS["pynq-z2"])


def test_a_packed_bitstream_that_is_named_is_refused_with_how_to_have_it() -> None:
    with pytest.raises(OverlayError, match=r'first_exit\.bit\.gz is compressed; bitfile="open" takes'):
        bitfiles.check("overlay/open/pynq-z2/first_exit.bit.gz", BOARDS["pynq-z2"])


PROCESSOR = """<MODULE INSTANCE="processor" MODTYPE="{kind}"><PARAMETERS>
<PARAMETER NAME="{name}" VALUE="{value}"/></PARAMETERS></MODULE>"""
ZYNQ_7000 = ("processing_system7", "PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ")
ULTRASCALE = ("zynq_ultra_ps_e", "PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ")


@pytest.mark.parametrize(
    ("kind", "name", "value", "expected"),
    [
        (*ZYNQ_7000, "62.500000", 62.5),
        (*ULTRASCALE, "149.985000", 149.985),
        *((*ZYNQ_7000, value, BOARDS["pynq-z2"].clock_mhz) for value in ("0", "-1", "nan", "inf", "fast", "")),
        (ZYNQ_7000[0], "PCW_UIPARAM_DDR_FREQ_MHZ", "525", BOARDS["pynq-z2"].clock_mhz),
        ("axi_timer", ZYNQ_7000[1], "62.5", BOARDS["pynq-z2"].clock_mhz),
    ],
)
def test_without_a_manifest_the_clock_is_that_of_the_hwh_where_it_says_one(
    overlay: Callable[..., Path], kind: str, name: str, value: str, expected: float
) -> None:
    """pynq needs no more than .bit and .hwh, so these are what is copied to a board."""
    bit = overlay()
    hwh = bit.with_suffix(".hwh")
    processor = PROCESSOR.format(kind=kind, name=name, value=value)
    hwh.write_text(hwh.read_text().replace("</MODULES>", f"{processor}</MODULES>"))
    assert bitfiles.clock_mhz(bit, BOARDS["pynq-z2"]) == expected
    bit.with_name("manifest.json").write_text('{"build_id": "1", "clock_mhz": 50}')
    assert bitfiles.clock_mhz(bit, BOARDS["pynq-z2"]) == 50


def test_without_digests_a_hwh_older_than_its_bit_is_stale(overlay: Callable[..., Path]) -> None:
    bit = overlay()
    hwh = bit.with_suffix(".hwh")
    os.utime(hwh, (1_000_000, 1_000_000))
    with pytest.raises(OverlayError, match=r"first_exit.hwh is older than first_exit.bit"):
        bitfiles.check(bit, BOARDS["pynq-z2"])
    os.utime(bit, (999_000, 999_000))
    assert bitfiles.check(bit, BOARDS["pynq-z2"])


@pytest.mark.parametrize("older", [".bit", ".hwh"])
def test_with_digests_the_times_that_a_clone_or_an_installation_gives_mean_nothing(
    overlay: Callable[..., Path], older: str
) -> None:
    bit = overlay(user_id=7)
    describe(bit, 7)
    os.utime(bit.with_suffix(older), (1_000_000, 1_000_000))
    assert bitfiles.check(bit, BOARDS["pynq-z2"], build_id=7) == bit


@pytest.mark.parametrize("suffix", ["bit", "hwh"])
def test_a_file_of_another_build_than_the_manifest_is_named(overlay: Callable[..., Path], suffix: str) -> None:
    bit = overlay(user_id=7)
    describe(bit, 7, **{suffix: "0" * 64})
    with pytest.raises(OverlayError, match=rf"first_exit\.{suffix} is not the file that .*manifest.json was written"):
        bitfiles.check(bit, BOARDS["pynq-z2"])


def test_a_bit_of_another_name_has_no_digest_in_the_manifest(overlay: Callable[..., Path]) -> None:
    bit = overlay(user_id=7)
    describe(bit, 7)
    other = bit.with_name("mine.bit")
    other.write_bytes(bit.read_bytes())
    other.with_suffix(".hwh").write_bytes(bit.with_suffix(".hwh").read_bytes())
    assert bitfiles.check(other, BOARDS["pynq-z2"]) == other


def test_a_manifest_of_another_build_id_than_the_header_is_refused(overlay: Callable[..., Path]) -> None:
    bit = overlay(user_id=0x11)
    bit.with_name("manifest.json").write_text('{"build_id": "22", "clock_mhz": 100}')
    with pytest.raises(OverlayError, match=r"build_id 0x00000011, manifest.json beside it 0x00000022"):
        bitfiles.check(bit, BOARDS["pynq-z2"])


def test_a_bitstream_without_a_user_id_is_what_its_manifest_says(overlay: Callable[..., Path]) -> None:
    bit = overlay()
    assert bitfiles.build_id_of(bit) is None
    bit.with_name("manifest.json").write_text('{"build_id": "22", "clock_mhz": 100}')
    assert bitfiles.build_id_of(bit) == 0x22 and bitfiles.check(bit, BOARDS["pynq-z2"], 0x22) == bit
    with pytest.raises(IdentityError, match=r"0x00000022 \(needed 0x00000023\)"):
        bitfiles.check(bit, BOARDS["pynq-z2"], 0x23)


def test_the_bitstream_of_another_model_is_refused_with_both_ids_and_the_command(
    overlay: Callable[..., Path],
) -> None:
    bit = overlay(user_id=0xA3A4AB5B)
    assert bitfiles.check(bit, BOARDS["pynq-z2"], build_id=0xA3A4AB5B) == bit
    assert bitfiles.check(bit, BOARDS["pynq-z2"]) == bit  # whoever names no model
    with pytest.raises(IdentityError) as caught:
        bitfiles.check(bit, BOARDS["pynq-z2"], build_id=0x12345678)
    for part in ("build_id 0xa3a4ab5b (needed 0x12345678)", "pynq-ee export", "--board pynq-z2", str(bit)):
        assert part in str(caught.value)


def test_a_bitstream_of_version_1_of_the_interface_is_refused_with_the_reason(overlay: Callable[..., Path]) -> None:
    bit = overlay(user_id=0xA3A4AB5B)
    content = {"build_id": "a3a4ab5b", "clock_mhz": 100, "interface_version": 1}
    manifest = bit.with_name("manifest.json")
    manifest.write_text(json.dumps(content))
    for build_id in (None, 0xA3A4AB5B, 0x12345678):
        with pytest.raises(IdentityError) as caught:
            bitfiles.check(bit, BOARDS["pynq-z2"], build_id)
        needed = (
            f"version 1 of the interface, this driver version {spec.INTERFACE_VERSION}: their registers and streams"
        )
        assert needed in str(caught.value) and "pynq-ee export" in str(caught.value)
    manifest.write_text(json.dumps({**content, "interface_version": spec.INTERFACE_VERSION}))
    assert bitfiles.check(bit, BOARDS["pynq-z2"], 0xA3A4AB5B) == bit


def test_a_bitstream_that_says_no_id_is_left_to_the_check_in_the_fabric(overlay: Callable[..., Path]) -> None:
    assert bitfiles.check(overlay(), BOARDS["pynq-z2"], build_id=0x12345678)


def test_a_bit_for_another_part_than_its_hwh_is_refused(overlay: Callable[..., Path]) -> None:
    with pytest.raises(OverlayError, match=r"first_exit.bit is for the part 7z010clg400; pynq-z2 has a xc7z020"):
        bitfiles.check(overlay(bit_part="xc7z010clg400-1"), BOARDS["pynq-z2"])


@pytest.mark.parametrize("cut", [0, 10, 60, -1])
def test_a_bit_that_is_cut_short_is_refused(overlay: Callable[..., Path], cut: int) -> None:
    bit = overlay()
    bit.write_bytes(bit.read_bytes()[:cut])
    with pytest.raises(OverlayError, match=r"first_exit\.bit is no bitstream file"):
        bitfiles.check(bit, BOARDS["pynq-z2"])


@pytest.mark.parametrize(
    "content",
    [b"", b"<EDKSYSTEM>", b"\x00\x01", b"no xml", b'<?xml version="1.0" encoding="no-such-code"?><a/>', b"<a/>"],
    ids=["empty", "open", "binary", "text", "encoding", "other xml"],
)
def test_a_damaged_hwh_is_refused(overlay: Callable[..., Path], content: bytes) -> None:
    bit = overlay()
    bit.with_suffix(".hwh").write_bytes(content)
    with pytest.raises(OverlayError, match=r"first_exit\.hwh"):
        bitfiles.check(bit, BOARDS["pynq-z2"])


# The manifest --------------------------------------------------------------------------------------------------------


def test_the_manifest_beside_a_bitstream_is_read(overlay: Callable[..., Path]) -> None:
    bit = overlay()
    assert bitfiles.manifest(bit) == {}
    bit.with_name("manifest.json").write_text(
        '{"build_id": "0x0c9b7d7f", "clock_mhz": "125", "part": "xc7z020clg400-1"}'
    )
    assert bitfiles.manifest(bit) == {"build_id": 0x0C9B7D7F, "clock_mhz": 125.0, "part": "xc7z020clg400-1"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '"text"',
        "null",
        "{}",
        '{"build_id": "ff"}',
        '{"build_id": "xyz", "clock_mhz": 100}',
        '{"build_id": 255, "clock_mhz": 100}',
        '{"build_id": "ff", "clock_mhz": null}',
        '{"build_id": "ff", "clock_mhz": 0}',
        '{"build_id": "ff", "clock_mhz": -100}',
        '{"build_id": "ff", "clock_mhz": NaN}',
        '{"build_id": "ff", "clock_mhz": 1e999}',
    ],
)
def test_a_manifest_that_cannot_be_used_counts_as_none(overlay: Callable[..., Path], text: str) -> None:
    bit = overlay()
    bit.with_name("manifest.json").write_text(text)
    assert bitfiles.manifest(bit) == {}


# Boards and devices --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "board"),
    [("Pynq-Z2", "pynq-z2"), ("PYNQ-Z1", "pynq-z1"), ("ZCU104", "zcu104"), ("KV260", "kv260"), ("", "pynq-z2")],
)
def test_the_board_is_what_the_pynq_image_says(monkeypatch: pytest.MonkeyPatch, name: str, board: str) -> None:
    monkeypatch.setenv("BOARD", name)
    assert bitfiles.board_of(object()) is BOARDS[board]


def test_a_device_that_names_its_board_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOARD", "Pynq-Z2")
    assert bitfiles.board_of(SimpleNamespace(board="zcu104")) is BOARDS["zcu104"]


def test_an_unknown_board_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOARD", "Ultra96")
    with pytest.raises(DeviceError, match=r"board is 'Ultra96'; an overlay can be built for pynq-z2, pynq-z1"):
        bitfiles.board_of(object())


@pytest.fixture
def folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """Two empty folders for overlays."""
    places = [tmp_path / "installed", tmp_path / "checkout"]
    monkeypatch.setattr(bitfiles, "OVERLAY_FOLDERS", places)
    monkeypatch.setenv("BOARD", "Pynq-Z1")
    return places


def test_an_overlay_is_found_in_the_boards_folder_first(folders: list[Path], overlay: Callable[..., Path]) -> None:
    with pytest.raises(OverlayError, match=r"no bitstream for pynq-z1 .*--board pynq-z1`, or name one with bitfile="):
        bitfiles.find(object())
    common = overlay(folder=folders[1])
    assert bitfiles.find(object()) == common
    own = overlay(folder=folders[1] / "pynq-z1")
    assert bitfiles.find(object()) == own
    installed = overlay(folder=folders[0])
    assert bitfiles.find(object()) == installed


def test_the_experimental_overlay_is_never_chosen_silently_but_named_with_what_was_proved_of_it(
    folders: list[Path], overlay: Callable[..., Path]
) -> None:
    bit = overlay(folder=folders[1] / "open" / "pynq-z2")
    manifest = {"build_id": "00000001", "clock_mhz": 62.5, "passed": ["one rung", "another"], "tried_on_board": False}
    bit.with_name("manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(OverlayError, match=r"no bitstream for pynq-z1 .*An experimental one is here") as error:
        bitfiles.choose(None, object())
    for part in ('bitfile="open"', "--bitfile open", "Passed: one rung, another.", "No board has run it"):
        assert part in str(error.value)
    assert bitfiles.choose("open", object()) == bit  # the Z1 has the part of the Z2
    assert bitfiles.choose("open", object(), 1) == bit
    with pytest.raises(IdentityError, match="bitstream of another model"):
        bitfiles.choose("open", object(), 2)
    common = overlay(folder=folders[1])
    assert bitfiles.choose(None, object()) == common
    assert bitfiles.choose("open", object()) == bit
    assert bitfiles.choose(common, object()) == common


def test_without_an_experimental_overlay_the_error_says_how_one_is_made(
    folders: list[Path], overlay: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    overlay(folder=folders[1])
    with pytest.raises(OverlayError, match=r"no experimental bitstream for pynq-z1 .*`make -C hw overlay FLOW=open`"):
        bitfiles.choose("open", object())
    overlay(folder=folders[1] / "open" / "pynq-z2")
    monkeypatch.setenv("BOARD", "ZCU104")
    with pytest.raises(OverlayError, match=r"no experimental bitstream for zcu104"):
        bitfiles.choose("open", object())


def test_an_experimental_overlay_that_is_packed_is_unpacked_and_its_digest_compared(
    folders: list[Path], overlay: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYNQ_EE_CACHE", str(tmp_path / "cache"))
    bit = overlay(folder=folders[1] / "open" / "pynq-z2")
    content = bit.read_bytes()
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (bit, bit.with_suffix(".hwh"))}
    built = {"build_id": "00000001", "clock_mhz": 50.0, "passed": ["all"], "sha256": digests}
    bit.with_name("manifest.json").write_text(json.dumps(built))
    bit.unlink()
    packed = bit.with_name("first_exit.bit.gz")
    packed.write_bytes(packed_overlay.pack(content))
    with pytest.raises(OverlayError, match=r"An experimental one is here: .* Passed: all\."):
        bitfiles.choose(None, object())
    assert not (tmp_path / "cache").exists(), "it was not asked for"
    found = bitfiles.choose("open", object(), 1)
    assert found.read_bytes() == content and found.is_relative_to(tmp_path / "cache")
    packed.write_bytes(packed_overlay.pack(content + b"more"))
    with pytest.raises(OverlayError, match=r"is not the file that .* or run `make -C hw overlay FLOW=open`"):
        bitfiles.choose("open", object(), 1)


@pytest.mark.parametrize("told", [4, 8, 5, None, "4", [4]])
def test_an_experimental_overlay_decides_the_width_of_the_streams_and_nothing_else_of_a_model(
    told: object, folders: list[Path], overlay: Callable[..., Path]
) -> None:
    model, board = weights.load(weights.DEFAULT), BOARDS["pynq-z1"]
    assert bitfiles.as_in_open(model, board) is model, "there is none"
    bit = overlay(folder=folders[1] / "open" / "pynq-z2")
    built = {"build_id": "00000001", "clock_mhz": 50.0, "pixels_per_beat": told}
    bit.with_name("manifest.json").write_text(json.dumps(built))
    found = bitfiles.as_in_open(model, board)
    width = told if told in (4, 8) else model.spec.pixels_per_beat
    assert found.spec == dataclasses.replace(model.spec, pixels_per_beat=width)
    fields = [field.name for field in dataclasses.fields(model) if field.name != "spec"]
    assert len(fields) > 5 and all(getattr(found, name) is getattr(model, name) for name in fields)


def test_what_was_proved_of_an_overlay_is_what_its_manifest_says(overlay: Callable[..., Path]) -> None:
    bit = overlay()
    assert bitfiles.standing(bit).startswith("Its manifest does not say what it has passed. No board has run it")
    manifest = {"build_id": "00000001", "clock_mhz": 62.5, "passed": ["all"], "tried_on_board": True}
    bit.with_name("manifest.json").write_text(json.dumps(manifest))
    assert bitfiles.standing(bit) == "Passed: all. It was tried on a board."


def test_a_stale_overlay_in_its_place_is_an_error_and_not_passed_over(
    folders: list[Path], overlay: Callable[..., Path]
) -> None:
    overlay(folder=folders[0], length_bits="14")
    overlay(folder=folders[1])
    with pytest.raises(OverlayError, match=r"length register\) is 14"):
        bitfiles.find(object())


def test_a_simulated_device_brings_its_own_which_is_checked_as_any(overlay: Callable[..., Path]) -> None:
    bit = overlay(user_id=7)
    device = SimpleNamespace(bitfile=str(bit), board="pynq-z2")
    assert bitfiles.find(device, 7) == bit
    with pytest.raises(IdentityError, match=r"0x00000007 \(needed 0x00000008\)"):
        bitfiles.find(device, 8)


@pytest.fixture
def pynq_device(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], None]:
    """Puts a device, or the error that there is none, where pynq has its active device."""

    def put(active: object) -> None:
        class Active(type):
            @property
            def active_device(cls) -> object:
                if isinstance(active, Exception):
                    raise active
                return active

        module = ModuleType("pynq.pl_server.device")
        module.Device = Active("Device", (), {})
        for name in ("pynq", "pynq.pl_server"):
            monkeypatch.setitem(sys.modules, name, ModuleType(name))
        monkeypatch.setitem(sys.modules, "pynq.pl_server.device", module)

    return put


def test_the_board_that_pynq_has_is_used(pynq_device: Callable) -> None:
    board = SimpleNamespace(name="xlnk")
    pynq_device(board)
    assert bitfiles.this_board() is board


@pytest.mark.parametrize("error", [RuntimeError("No Devices Found"), OSError("no /dev/mem"), AttributeError("x")])
def test_without_a_board_the_error_says_how_to_ask_for_the_simulated_one(
    pynq_device: Callable, error: Exception
) -> None:
    pynq_device(error)
    with pytest.raises(
        DeviceError, match=r'no board here .*device="software", or .*device="sim" \(--device software, sim\)'
    ):
        bitfiles.this_board()


def test_a_simulated_board_that_is_active_is_not_taken_for_a_board(pynq_device: Callable) -> None:
    pynq_device(SimpleNamespace(fabric_clocks=0))
    with pytest.raises(DeviceError, match=r"must be asked for by name"):
        bitfiles.this_board()


def test_without_pynq_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynq", None)
    monkeypatch.delitem(sys.modules, "pynq.pl_server", raising=False)
    monkeypatch.delitem(sys.modules, "pynq.pl_server.device", raising=False)
    with pytest.raises(DeviceError, match=r"pip install pynq"):
        bitfiles.this_board()


def test_every_board_has_a_part_here() -> None:
    assert PARTS.keys() == BOARDS.keys() and all(isinstance(board, Board) for board in BOARDS.values())
