"""``EarlyExitInference()`` with no device named, on pynq's own device of a board."""

from __future__ import annotations

import asyncio
import copy
import importlib
import threading
from pathlib import Path

import numpy as np
import pynq
import pynq.lib.dma
import pytest
from pynq.pl_server import global_state
from pynq.pl_server.device import Device
from pynq.pl_server.embedded_device import EmbeddedDevice, bit2bin

from board.box.machine import Machine
from board.box.plugin import BOARD
from pynq_ee import EarlyExitInference
from pynq_ee.driver import bitfiles
from pynq_ee.driver.clocks import clocks
from pynq_ee.errors import DeviceError, ExperimentalOverlayWarning, IdentityError, OverlayError
from pynq_ee.generate import hwh, rtl_design
from pynq_ee.network import spec, weights
from pynq_ee.network.weights import Model
from pynq_ee.sim import bitfile, recorded_designs

IMAGES = np.random.default_rng(4).integers(0, 256, (70, 28, 28)).astype(np.uint8)


def in_software(model: Model) -> np.ndarray:
    with EarlyExitInference(model, device="sim-numpy", remainder="numpy", images_per_transfer=32) as network:
        return network.classify(IMAGES).logits


def test_the_board_is_found_programmed_clocked_and_gives_what_the_definitions_do(board: Machine, model: Model) -> None:
    with EarlyExitInference(model, images_per_transfer=32, remainder="numpy") as network:
        assert type(network.device) is EmbeddedDevice and network.device is Device.active_device
        np.testing.assert_array_equal(network.classify(IMAGES).logits, in_software(model))
        assert network.accelerator.clock_mhz == pytest.approx(spec.BOARDS[BOARD].clock_mhz, rel=1e-3)
        assert board.programmed == ["first_exit.bin"]
        assert board.memory.asked == [True] * 4, "a buffer is not cacheable"
        assert board.hardware.live_buffers == 4
    assert board.hardware.live_buffers == 0


def test_the_experimental_overlay_runs_where_it_is_asked_for_and_warns(
    board: Machine, model: Model, overlay: Path
) -> None:
    experimental = overlay.parent / "open" / BOARD / overlay.name
    experimental.parent.mkdir(parents=True)
    for suffix in (".bit", ".hwh"):
        overlay.with_suffix(suffix).rename(experimental.with_suffix(suffix))
    with pytest.raises(OverlayError, match='An experimental one is here: bitfile="open"'):
        EarlyExitInference(model)
    with pytest.warns(ExperimentalOverlayWarning, match="No board has run it") as caught:
        network = EarlyExitInference(model, bitfile="open", images_per_transfer=32, remainder="numpy")
    with network:
        ours = [each.filename for each in caught if each.category is ExperimentalOverlayWarning]
        assert ours == [__file__]
        np.testing.assert_array_equal(network.classify(IMAGES).logits, in_software(model))


@pytest.mark.skipif(spec.BOARDS[BOARD].processor != "zynq7", reason="open tools make an overlay for the Zynq-7000")
@pytest.mark.parametrize("model", [bitfiles.as_in_open(weights.load(), spec.BOARDS[BOARD])], ids=["shipped"])
def test_the_overlay_of_the_repository_goes_a_users_whole_way(board: Machine, model: Model, published: Path) -> None:
    board.knows(published)
    shipped = weights.load()
    with pytest.raises(OverlayError, match=r'An experimental one is here: bitfile="open".* Passed: .*simulated'):
        EarlyExitInference(shipped)
    with pytest.warns(ExperimentalOverlayWarning, match="No board has run it") as caught:
        network = EarlyExitInference(shipped, bitfile="open", images_per_transfer=32, remainder="numpy")
    with network:
        assert [each.category for each in caught].count(ExperimentalOverlayWarning) == 1
        assert (board.root / "lib/firmware/first_exit.bin").read_bytes() == bit2bin(published.read_bytes())
        built = bitfiles.manifest(published)
        assert network.model.spec.pixels_per_beat == built["pixels_per_beat"]
        assert network.accelerator.clock_mhz == pytest.approx(built["clock_mhz"], rel=1e-3)
        np.testing.assert_array_equal(network.classify(IMAGES).logits, in_software(shipped))


def test_the_firmware_is_the_bitstream_in_the_order_of_bytes_that_the_fpga_manager_takes(
    board: Machine, model: Model, overlay: Path
) -> None:
    with EarlyExitInference(model):
        assert (board.root / "lib/firmware/first_exit.bin").read_bytes() == bit2bin(overlay.read_bytes())
        assert (board.root / "sys/class/fpga_manager/fpga0/flags").read_text() == "0"


@pytest.mark.parametrize("board", [2000.0], indirect=True)
def test_a_batch_is_awaited_over_the_interrupt_of_the_uio_device(board: Machine, model: Model) -> None:
    with EarlyExitInference(model, images_per_transfer=32, remainder="numpy") as network:
        for _ in range(2):  # in two event loops
            found = asyncio.run(network.classify_async(IMAGES))
            np.testing.assert_array_equal(found.logits, in_software(model))
        assert network.completion == "interrupt"
        assert board.line.interrupts >= 2


def test_the_board_is_found_after_an_event_loop_has_ended_and_in_a_thread(
    board: Machine, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pynq asks for the current event loop, which neither has."""
    asyncio.run(asyncio.sleep(0))
    EarlyExitInference(model).close()
    for name in ("_devices", "_active_device"):
        monkeypatch.delattr(Device, name)
    found: list[object] = []

    def work() -> None:
        with EarlyExitInference(model) as network:
            found.append(len(network.classify(IMAGES)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [len(IMAGES)]


@pytest.mark.skipif(spec.BOARDS[BOARD].processor != "zynq7", reason="the overlay of hw/rtl is for the Zynq-7000")
@pytest.mark.parametrize("board", [2000.0], indirect=True)
def test_with_the_description_of_the_rtl_overlay_pynq_binds_its_dma_and_finds_its_interrupts(
    board: Machine, model: Model, overlay: Path
) -> None:
    design = rtl_design.describe(spec.BOARDS[BOARD], model.spec.beat_bits)
    hwh.write(design, overlay.with_suffix(".hwh"))
    with EarlyExitInference(model, images_per_transfer=32, remainder="numpy") as network:
        found = asyncio.run(network.classify_async(IMAGES))
        np.testing.assert_array_equal(found.logits, in_software(model))
        assert network.completion == "interrupt"
    assert board.line.interrupts >= 1
    importlib.import_module("pynq_ee.driver.pynq_drivers")  # which pynq does where the package is installed as it is
    bound = pynq.Overlay(str(overlay)).axi_dma
    assert isinstance(bound, pynq.lib.dma.DMA)
    assert type(bound.sendchannel._interrupt) is type(bound.recvchannel._interrupt) is pynq.Interrupt


# What pynq and other programs leave behind ---------------------------------------------------------------------------


def test_the_right_description_counts_after_a_wrong_one_of_the_same_bitstream(
    board: Machine, model: Model, overlay: Path
) -> None:
    right = recorded_designs.load(BOARD, model.spec.beat_bits)
    wrong = copy.deepcopy(right)
    for entry in wrong["addresses"]:
        if entry["slave"].startswith("axi_dma/") and entry["master"] == "processing_system":
            entry["base"] += 0x100000
    hwh.write(wrong, overlay.with_suffix(".hwh"))
    with pytest.raises(DeviceError, match="nothing answers at address"):
        EarlyExitInference(model)
    assert (board.root / "notes/_current_metadata.pkl").exists(), "pynq does not remember: nothing is tested"
    hwh.write(right, overlay.with_suffix(".hwh"))
    with EarlyExitInference(model) as network:
        assert len(network.classify(IMAGES)) == len(IMAGES)


def test_an_overlay_that_another_program_loads_is_noticed_and_ours_is_loaded_again_whatever_it_left_in_the_folder(
    board: Machine, model: Model, tmp_path: Path
) -> None:
    """The other program's bitstream has our name, and pynq would take it from the firmware folder for ours."""
    other = bitfile.write(tmp_path / "first_exit.bit", "other", spec.BOARDS[BOARD].part, b"otherone", 1)
    with EarlyExitInference(model, remainder="numpy") as network:
        expected = network.classify(IMAGES).logits
        (board.root / "lib/firmware/first_exit.bin").write_bytes(bit2bin(other.read_bytes()))
        state = global_state.load_global_state()
        state.timestamp = "another program's"
        global_state.save_global_state(state)
        with pytest.raises(IdentityError, match=r"another overlay has been loaded .*by another process"):
            network.classify(IMAGES)
        network.reload()
        np.testing.assert_array_equal(network.classify(IMAGES).logits, expected)


# Clocks --------------------------------------------------------------------------------------------------------------


def pll(divisor: int) -> tuple[int, int]:
    """The register of the PLL that the fabric's clocks come from, and its value at a feedback divisor."""
    if BOARD == "pynq-z2":
        return 0xF800_0108, divisor << 12
    return 0xFF5E_0020, 1 << 16 | divisor << 8


def test_a_boot_image_with_another_pll_gives_the_clock_that_the_bitstream_was_built_for(
    board: Machine, model: Model
) -> None:
    board.hardware.write_word(*pll(30 if BOARD == "pynq-z2" else 72))
    with EarlyExitInference(model) as network:
        assert network.accelerator.clock_mhz == pytest.approx(spec.BOARDS[BOARD].clock_mhz, rel=1e-3)
        with clocks(network.device) as own:
            assert own.fclk0_mhz == pytest.approx(spec.BOARDS[BOARD].clock_mhz, rel=1e-3)


def test_a_clock_that_cannot_be_brought_down_is_refused(
    board: Machine, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pynq.ps._ClocksBase, "set_pl_clk", lambda *arguments, **options: None)
    register, value = pll(127)
    board.hardware.write_word(register, value & ~(1 << 16))  # on an UltraScale+, not halved
    with pytest.raises(DeviceError, match="cannot be brought down to the"):
        EarlyExitInference(model)


# Beside it ------------------------------------------------------------------------------------------------------------


def test_a_simulated_board_on_the_board_leaves_it_alone(board: Machine, model: Model) -> None:
    before = board.hardware.register_accesses
    with EarlyExitInference(model, device="sim-numpy") as network:
        network.classify(IMAGES)
    assert board.hardware.register_accesses == before
    assert (board.programmed, board.memory.asked) == ([], [])
    assert not list((board.root / "notes").glob("*pkl"))
