"""The hardware description: what pynq's parsers find in it, for every board and both overlays."""

from __future__ import annotations

import copy
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser
from pynq.pl_server import hwh_parser
from pynqmetadata.frontends import Metadata

from pynq_ee.errors import DeviceError
from pynq_ee.generate import hwh, ip_details, rtl_design
from pynq_ee.network import spec
from pynq_ee.sim import recorded_designs

BEAT_BITS = spec.DEFAULT.beat_bits
ADDRESSES = {"axi_dma": "dma_address", "first_exit": "kernel_address", "interrupt_controller": "interrupt_address"}


@pytest.fixture
def design() -> hwh.Design:
    return recorded_designs.load("pynq-z2", BEAT_BITS)


#: The block design of each board, and the overlay of hw/rtl on those that it is for.
OVERLAYS = [("vivado", board) for board in spec.BOARDS]
OVERLAYS += [("rtl", board.name) for board in spec.BOARDS.values() if board.processor == "zynq7"]


@pytest.fixture(params=OVERLAYS, ids="-".join)
def overlay(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Whose the overlay is, and the name of the board."""
    return request.param


@pytest.fixture
def board(overlay: tuple[str, str]) -> spec.Board:
    return spec.BOARDS[overlay[1]]


@pytest.fixture
def path(overlay: tuple[str, str], board: spec.Board, tmp_path: Path) -> Path:
    described = {
        "vivado": lambda: recorded_designs.load(board.name, BEAT_BITS),
        "rtl": lambda: rtl_design.describe(board, BEAT_BITS),
    }[overlay[0]]()
    return hwh.write(described, tmp_path / "first_exit.hwh")


@pytest.fixture
def parsed(path: Path) -> Any:
    return RuntimeMetadataParser(Metadata(input=str(path)))


def test_pynq_finds_the_ips_at_the_specs_addresses(parsed: Any, board: spec.Board, overlay: tuple[str, str]) -> None:
    for name, field in ADDRESSES.items():
        assert parsed.ip_dict[name]["phys_addr"] == getattr(board, field)
        assert parsed.ip_dict[name]["addr_range"] == 0x10000
    assert parsed.ip_dict["axi_dma"]["type"] == spec.DMA_VLNVS[overlay[0]]
    assert parsed.ip_dict["first_exit"]["type"] == spec.KERNEL_VLNVS["hls" if overlay[0] == "vivado" else "rtl"]


def test_pynq_finds_the_dmas_parameters(parsed: Any) -> None:
    parameters = parsed.ip_dict["axi_dma"]["parameters"]
    assert parameters["c_sg_length_width"] == str(spec.DMA_LENGTH_BITS)
    assert [parameters[name] for name in ("c_include_sg", "c_include_mm2s", "c_include_s2mm")] == ["0", "1", "1"]
    assert parameters["c_m_axis_mm2s_tdata_width"] == parameters["c_s_axis_s2mm_tdata_width"] == str(BEAT_BITS)


def test_pynq_finds_the_accelerators_registers(parsed: Any) -> None:
    registers = parsed.ip_dict["first_exit"]["registers"]
    assert {name: entry["address_offset"] for name, entry in registers.items()} == spec.REGISTER_OFFSET
    assert {name: entry["access"] for name, entry in registers.items()} == {
        register.name: register.access for register in spec.REGISTERS
    }
    assert {name: field["bit_offset"] for name, field in registers["CTRL"]["fields"].items()} == {
        "AP_START": 0,
        "AP_DONE": 1,
        "AP_IDLE": 2,
        "AP_READY": 3,
    }


def test_pynq_finds_the_interrupts_in_the_order_of_their_lines(parsed: Any, board: spec.Board) -> None:
    pins = {name: pin for name, pin in parsed.interrupt_pins.items() if not name.startswith("interrupt_concat")}
    assert {name: pin["index"] for name, pin in pins.items()} == {
        "axi_dma/mm2s_introut": 0,
        "axi_dma/s2mm_introut": 1,
        "first_exit/interrupt": 2,
    }
    assert {pin["controller"] for pin in pins.values()} == {"interrupt_controller"}
    assert set(parsed.ip_dict["axi_dma"]["interrupts"]) == {"mm2s_introut", "s2mm_introut"}
    controller = parsed.interrupt_controllers["interrupt_controller"]
    assert (controller["parent"], controller["raw_irq"]) == ("", 61 if board.processor == "zynq7" else 121)


def test_pynq_finds_one_clock_that_is_not_faster_than_the_specs(parsed: Any, board: spec.Board) -> None:
    assert [clock["enable"] for clock in parsed.clock_dict.values()] == [1, 0, 0, 0]
    clock = parsed.clock_dict[0]
    family = {"zynq7": "processing_system7", "zynqmp": "zynq_ultra_ps_e"}[board.processor]
    actual = ip_details.IO_PLL_MHZ[family] / clock["divisor0"] / clock["divisor1"]
    assert 0.9 * board.clock_mhz < actual <= board.clock_mhz


def test_the_parser_that_pynq_has_had_from_the_start_agrees(path: Path, parsed: Any, board: spec.Board) -> None:
    parser = {"zynq7": hwh_parser._HWHZynq, "zynqmp": hwh_parser._HWHUltrascale}[board.processor](str(path))
    assert {name: parser.ip_dict[name]["phys_addr"] for name in ADDRESSES} == {
        name: parsed.ip_dict[name]["phys_addr"] for name in ADDRESSES
    }
    assert parser.interrupt_pins["axi_dma/s2mm_introut"]["index"] == 1
    assert parser.interrupt_controllers["interrupt_controller"]["parent"] == ""
    assert parser.clock_dict[0]["divisor0"] == parsed.clock_dict[0]["divisor0"]


def test_the_part_is_given_in_vivados_pieces(path: Path, board: spec.Board) -> None:
    info = ElementTree.parse(path).getroot().find("SYSTEMINFO")
    assert info is not None
    device, package, grade = info.get("DEVICE", ""), info.get("PACKAGE", ""), info.get("SPEEDGRADE", "")
    assert board.part.replace("-", "") == f"{'xc' if device.startswith('7z') else ''}{device}{package}{grade}".replace(
        "-", ""
    )


def test_the_same_design_gives_the_same_file(design: hwh.Design, tmp_path: Path) -> None:
    first, second = (hwh.write(copy.deepcopy(design), tmp_path / name).read_bytes() for name in ("a.hwh", "b.hwh"))
    assert first == second
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.hwh", "b.hwh"], "no temporary file is left"


def test_cells_in_a_hierarchy_keep_their_path(design: hwh.Design, tmp_path: Path) -> None:
    text = (
        json.dumps(design).replace('"first_exit/', '"part/first_exit/').replace('"first_exit":', '"part/first_exit":')
    )
    moved = json.loads(text)
    parsed = RuntimeMetadataParser(Metadata(input=str(hwh.write(moved, tmp_path / "moved.hwh"))))
    assert parsed.ip_dict["part/first_exit"]["phys_addr"] == spec.DEFAULT_BOARD.kernel_address
    assert set(parsed.hierarchy_dict) == {"part"}


def test_ports_of_the_design_are_left_out(design: hwh.Design, tmp_path: Path) -> None:
    plain = hwh.write(design, tmp_path / "plain.hwh").read_bytes()
    design["interfaces"].append(["processing_system/DDR", "DDR"])
    design["nets"][0].append("clock_out")
    assert hwh.write(design, tmp_path / "ports.hwh").read_bytes() == plain


def test_a_connection_to_no_cell_is_refused(design: hwh.Design, tmp_path: Path) -> None:
    design["nets"].append(["axi_dma/mm2s_introut", "missing/In0"])
    with pytest.raises(
        ValueError, match=r"missing/In0 is on no cell of the design first_exit_design; cells are .*axi_dma"
    ):
        hwh.write(design, tmp_path / "bad.hwh")


def test_an_address_that_no_master_reaches_is_refused(design: hwh.Design, tmp_path: Path) -> None:
    design["interfaces"] = [pair for pair in design["interfaces"] if "axi_dma/S_AXI_LITE" not in pair]
    with pytest.raises(ValueError, match=r"no interface of processing_system reaches axi_dma/S_AXI_LITE"):
        hwh.write(design, tmp_path / "bad.hwh")


def test_a_part_of_another_family_is_refused(design: hwh.Design, tmp_path: Path) -> None:
    design["part"] = "xc7vx690tffg1761-2"
    with pytest.raises(ValueError, match=r"xc7vx690tffg1761-2.*Zynq"):
        hwh.write(design, tmp_path / "bad.hwh")


def test_a_board_whose_design_was_not_recorded_is_named_with_those_that_were() -> None:
    with pytest.raises(DeviceError, match=r"ultra96 with streams of 64 bit; there are kv260-32bit, kv260-64bit"):
        recorded_designs.load("ultra96", 64)
