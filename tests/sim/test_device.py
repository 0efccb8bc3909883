"""The simulated board as pynq sees it: overlays, buffers, registers."""

from __future__ import annotations

import copy
import gc
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pynq
import pytest
from pynq.pl_server.device import Device, DeviceMeta

from pynq_ee.errors import DeviceError, InputError, OverlayError
from pynq_ee.network import fabric, spec
from pynq_ee.network.spec import REGISTER_OFFSET
from pynq_ee.network.weights import Model
from pynq_ee.sim import SimulatedDevice, bitfile, recorded_designs
from pynq_ee.sim.bus import BusError
from pynq_ee.sim.dram import PAGE_BYTES, MemoryLimitError

Images = npt.NDArray[np.uint8]
MISSING_ADDRESS = 0x7000_0000


def first_exit(device: SimulatedDevice, overlay: pynq.Overlay, images: Images) -> npt.NDArray[np.int16]:
    """Logits of images, by the fabric, with pynq's driver of the DMA."""
    sent = pynq.allocate(images.size, "u1", target=device)
    results = pynq.allocate((len(images), spec.RESULT_BYTES), "u1", target=device)
    sent[:] = images.reshape(-1)
    overlay.axi_dma.recvchannel.transfer(results)
    overlay.first_exit.write(REGISTER_OFFSET["num_images"], len(images))
    overlay.first_exit.write(REGISTER_OFFSET["CTRL"], spec.CTRL_START)
    overlay.axi_dma.sendchannel.transfer(sent)
    overlay.axi_dma.sendchannel.wait()
    overlay.axi_dma.recvchannel.wait()
    return np.ascontiguousarray(results)[:, : 2 * spec.CLASSES].copy().view("<i2")


# As a device of pynq -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("board", spec.BOARDS)
def test_pynqs_stack_runs_unmodified_on_every_board(model: Model, images: Callable[[int], Images], board: str) -> None:
    with SimulatedDevice(model, kernel="numpy", board=board) as device, warnings.catch_warnings():
        warnings.simplefilter("error")
        overlay = pynq.Overlay(device.bitfile, device=device)
        assert overlay.is_loaded()
        assert isinstance(overlay.axi_dma, pynq.lib.dma.DMA)
        sent = images(3)
        np.testing.assert_array_equal(first_exit(device, overlay, sent), fabric.first_exit(sent, model)[1])
        assert device.name == f"simulated {board} (numpy kernel)"
        assert device.arch == {"zynq7": "armv7l", "zynqmp": "aarch64"}[spec.BOARDS[board].processor]


@pytest.mark.filterwarnings("ignore:No devices found")
def test_it_takes_no_part_in_pynqs_probing(device: SimulatedDevice) -> None:
    assert not isinstance(device, tuple(DeviceMeta._subclasses.values()))
    assert all(found is not device for found in Device.devices)


def test_two_boards_share_neither_memory_nor_registers_nor_clocks(
    model: Model, random_model: Callable[..., Model], images: Callable[[int], Images]
) -> None:
    other_model = random_model(seed=1)
    with (
        SimulatedDevice(model, kernel="numpy") as one,
        SimulatedDevice(other_model, kernel="numpy", board="zcu104") as other,
    ):
        overlays = [pynq.Overlay(device.bitfile, device=device) for device in (one, other)]
        sent = images(2)
        np.testing.assert_array_equal(first_exit(one, overlays[0], sent), fabric.first_exit(sent, model)[1])
        np.testing.assert_array_equal(first_exit(other, overlays[1], sent), fabric.first_exit(sent, other_model)[1])
        assert all(overlay.is_loaded() for overlay in overlays)
        assert one.allocate(1).physical_address != other.allocate(1).physical_address


def test_pynq_sets_the_clocks_of_the_board_that_the_overlay_is_loaded_on_or_none(model: Model) -> None:
    for board, expected in (("pynq-z2", 100.0), ("zcu104", 149.9985), ("pynq-z1", 100.0)):
        with SimulatedDevice(model, kernel="numpy", board=board) as device:
            overlay = pynq.Overlay(device.bitfile, device=device)
            if not hasattr(pynq.Clocks, "set_device"):  # 3.0.1 sets those of the host's architecture, whatever that is
                assert overlay.clock_dict == {}
                continue
            assert pynq.Clocks.fclk0_mhz == pytest.approx(expected)
            pynq.Clocks.fclk0_mhz = 50
            pynq.Overlay(device.bitfile, device=device)
            assert pynq.Clocks.fclk0_mhz == pytest.approx(expected), "loading an overlay sets its clock"


def test_interrupt_pins_are_described_and_not_bound(overlay: pynq.Overlay) -> None:
    assert {"axi_dma/mm2s_introut", "axi_dma/s2mm_introut", "first_exit/interrupt"} <= set(overlay.interrupt_pins)
    assert overlay.axi_dma.sendchannel._interrupt is None


def test_an_unknown_board_or_kernel_is_named_with_those_that_exist(model: Model) -> None:
    with pytest.raises(InputError, match=r"board is 'pynq-z3'; there are pynq-z2"):
        SimulatedDevice(model, board="pynq-z3")
    with pytest.raises(InputError, match=r"kernel is 'vhdl'; there are hls, numpy, rtl"):
        SimulatedDevice(model, kernel="vhdl")


# Bitstreams ----------------------------------------------------------------------------------------------------------


def test_the_hwh_is_not_older_than_the_bit(device: SimulatedDevice) -> None:
    bit = Path(device.bitfile)
    assert bit.with_suffix(".hwh").stat().st_mtime >= bit.stat().st_mtime


def test_nothing_answers_in_the_fabric_before_it_is_programmed(device: SimulatedDevice) -> None:
    overlay = pynq.Overlay(device.bitfile, download=False, device=device)
    with pytest.raises(BusError, match="nothing answers at address 0x43c00000"):
        overlay.first_exit.read(0)


def test_programming_resets_the_fabric_and_keeps_the_memory(
    device: SimulatedDevice, overlay: pynq.Overlay, images: Callable[[int], Images]
) -> None:
    buffer = device.allocate(8, np.uint8, cacheable=True)
    buffer[:] = 5
    buffer.flush()
    first_exit(device, overlay, images(1))
    overlay.download()
    assert overlay.first_exit.read(REGISTER_OFFSET["num_images"]) == 0
    assert overlay.axi_dma.mmio.read(0x04) == 0x0001_0001
    buffer[:] = 0
    buffer.invalidate()
    assert (buffer == 5).all()


def test_a_bitstream_alone_is_programmed_too(device: SimulatedDevice) -> None:
    pynq.Bitstream(device.bitfile, device=device).download()
    assert pynq.MMIO(spec.DEFAULT_BOARD.dma_address, 16, device=device).read(0) == 0x0001_0002


def test_a_bitstream_for_another_part_is_refused(device: SimulatedDevice, tmp_path: Path) -> None:
    other = bitfile.write(tmp_path / "other.bit", "first_exit", spec.BOARDS["zcu104"].part, b"")
    other.with_suffix(".hwh").write_bytes(Path(device.bitfile).with_suffix(".hwh").read_bytes())
    with pytest.raises(
        OverlayError, match=r"other.bit is for the part xczu7ev-ffvc1156-2-e; pynq-z2 has a xc7z020clg400-1"
    ):
        pynq.Overlay(str(other), device=device)


def test_the_bitstream_of_the_z1_runs_on_the_z2(model: Model, images: Callable[[int], Images]) -> None:
    with (
        SimulatedDevice(model, kernel="numpy", board="pynq-z1") as one,
        SimulatedDevice(model, kernel="numpy", board="pynq-z2") as other,
    ):
        sent = images(1)
        overlay = pynq.Overlay(one.bitfile, device=other)
        np.testing.assert_array_equal(first_exit(other, overlay, sent), fabric.first_exit(sent, model)[1])


@pytest.mark.parametrize("content", [b"", b"no bitstream", bytes(100)])
def test_a_file_that_is_no_bitstream_is_refused(device: SimulatedDevice, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "damaged.bit"
    path.write_bytes(content)
    path.with_suffix(".hwh").write_bytes(Path(device.bitfile).with_suffix(".hwh").read_bytes())
    with pytest.raises(OverlayError, match=r"damaged.bit is no bitstream file"):
        pynq.Overlay(str(path), device=device)


def test_a_bit_without_its_hwh_is_refused(device: SimulatedDevice, tmp_path: Path) -> None:
    path = bitfile.write(tmp_path / "alone.bit", "alone", spec.DEFAULT_BOARD.part, b"")
    with pytest.raises(OverlayError, match=r"no alone.hwh beside .*alone.bit"):
        pynq.Overlay(str(path), device=device)


def test_a_dma_of_another_width_than_the_kernels_is_refused(model: Model) -> None:
    narrow = recorded_designs.load("pynq-z2", 32)
    with (
        SimulatedDevice(model, kernel="numpy", design=narrow) as device,
        pytest.raises(DeviceError, match=r"stream of 32 bit, the kernel of the model one of 64 bit"),
    ):
        pynq.Overlay(device.bitfile, device=device)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda cells: cells["axi_dma"].update(vlnv="xilinx.com:ip:axi_dma:8.0"),
            "0 cells of xilinx.com:ip:axi_dma:7.1",
        ),
        (
            lambda cells: cells["interrupt_controller"].update(vlnv="xilinx.com:ip:axi_gpio:2.0"),
            "axi_gpio:2.0 at 0x418",
        ),
    ],
)
def test_a_design_that_cannot_be_simulated_is_refused(
    model: Model, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    design = copy.deepcopy(recorded_designs.load("pynq-z2", model.spec.beat_bits))
    change(design["cells"])
    with (
        SimulatedDevice(model, kernel="numpy", design=design) as device,
        pytest.raises(DeviceError, match=message),
    ):
        pynq.Bitstream(device.bitfile, device=device).download()


def test_addresses_that_overlap_are_refused(model: Model) -> None:
    design = copy.deepcopy(recorded_designs.load("pynq-z2", model.spec.beat_bits))
    design["addresses"][1]["base"] = design["addresses"][0]["base"] + 0x8000
    with (
        SimulatedDevice(model, kernel="numpy", design=design) as device,
        pytest.raises(DeviceError, match="overlap"),
    ):
        pynq.Overlay(device.bitfile, device=device)


def test_partial_bitstreams_are_refused(device: SimulatedDevice) -> None:
    with pytest.raises(DeviceError, match="partial bitstreams are not simulated"):
        pynq.Bitstream(device.bitfile, partial=True, device=device).download()


# Buffers -------------------------------------------------------------------------------------------------------------


def test_a_missing_flush_shows(
    device: SimulatedDevice, overlay: pynq.Overlay, model: Model, images: Callable[[int], Images]
) -> None:
    old, new = images(1), images(1)
    sent, results = (
        device.allocate(old.size, "u1", cacheable=True),
        device.allocate((1, spec.RESULT_BYTES), "u1", cacheable=True),
    )
    logits = []
    for content, flush in ((old, True), (new, False), (new, True)):
        sent[:] = content.reshape(-1)
        sent.coherent = not flush  # pynq's driver flushes before it sends, unless it is told that it need not
        overlay.axi_dma.recvchannel.transfer(results)
        overlay.first_exit.write(REGISTER_OFFSET["num_images"], 1)
        overlay.first_exit.write(REGISTER_OFFSET["CTRL"], spec.CTRL_START)
        overlay.axi_dma.sendchannel.transfer(sent)
        overlay.axi_dma.recvchannel.wait()
        logits.append(results[:, : 2 * spec.CLASSES].copy().view("<i2"))
    expected = [fabric.first_exit(content, model)[1] for content in (old, old, new)]
    np.testing.assert_array_equal(logits, expected)
    assert (expected[0] != expected[2]).any()


def test_a_missing_invalidate_shows(
    device: SimulatedDevice, overlay: pynq.Overlay, images: Callable[[int], Images]
) -> None:
    sent, results = (
        device.allocate(spec.IMAGE_PIXELS, "u1", cacheable=True),
        device.allocate(spec.RESULT_BYTES, "u1", cacheable=True),
    )
    sent[:] = images(1).reshape(-1)
    overlay.axi_dma.recvchannel.transfer(results)
    overlay.first_exit.write(REGISTER_OFFSET["num_images"], 1)
    overlay.first_exit.write(REGISTER_OFFSET["CTRL"], spec.CTRL_START)
    overlay.axi_dma.sendchannel.transfer(sent)
    assert overlay.axi_dma.recvchannel.idle
    assert not results.any()
    results.invalidate()
    assert results.any()


def test_of_memory_that_is_not_cacheable_there_is_only_the_drams(device: SimulatedDevice) -> None:
    buffer = device.allocate((4, 8), "u2")
    buffer[:] = 7
    there = device._memory.read(buffer.physical_address, buffer.nbytes).view("u2")
    assert (there == 7).all()
    buffer.flush()
    buffer.invalidate()
    assert (buffer == 7).all()


def test_a_view_moves_its_own_bytes_only(device: SimulatedDevice) -> None:
    buffer = device.allocate((4, 8), "u2", cacheable=True)
    buffer[:] = 1
    buffer[2:3].flush()
    buffer[:] = 0
    buffer.invalidate()
    assert buffer[:, 0].tolist() == [0, 0, 1, 0]
    assert buffer[2:].physical_address == buffer.physical_address + 32


def test_buffers_are_counted_and_freed_by_with_and_with_their_last_view(device: SimulatedDevice) -> None:
    with device.allocate(PAGE_BYTES + 1, "u1"):
        assert (device.live_buffers, device.allocated_bytes) == (1, 2 * PAGE_BYTES)
    assert (device.live_buffers, device.allocated_bytes) == (0, 0)
    buffer = device.allocate((2, 8))
    view = buffer[1:]
    del buffer
    gc.collect()
    assert device.live_buffers == 1
    view.flush()
    del view
    gc.collect()
    assert device.live_buffers == 0


def test_freeing_twice_and_a_freed_buffers_end_free_nothing_else(device: SimulatedDevice) -> None:
    first = device.allocate(8)
    first.freebuffer()
    second = device.allocate(8)
    assert second.physical_address == first.physical_address
    first.freebuffer()
    del first
    gc.collect()
    assert device.live_buffers == 1


def test_a_freed_buffer_can_be_neither_flushed_nor_invalidated(device: SimulatedDevice) -> None:
    buffer = device.allocate(8)
    buffer.freebuffer()
    for move in (buffer.flush, buffer.invalidate):
        with pytest.raises(DeviceError, match="has been freed"):
            move()


def test_a_computed_array_cannot_be_flushed(device: SimulatedDevice) -> None:
    buffer = device.allocate(8)
    with pytest.raises(DeviceError, match="no view of a buffer but a result computed from one"):
        (buffer + 1).flush()


def test_the_memory_limit_is_the_runtime_error_that_pynq_raises(model: Model) -> None:
    with SimulatedDevice(model, kernel="numpy", memory_bytes=4 * PAGE_BYTES) as device:
        kept = device.allocate(3 * PAGE_BYTES, "u1")
        with pytest.raises(RuntimeError, match="Allocate failed") as caught:
            pynq.allocate(2 * PAGE_BYTES, "u1", target=device)
        assert isinstance(caught.value, MemoryLimitError)
        kept.freebuffer()
        assert device.allocate(4 * PAGE_BYTES, "u1").nbytes == 4 * PAGE_BYTES


# Registers -----------------------------------------------------------------------------------------------------------


def test_an_access_where_nothing_answers_is_a_bus_error(device: SimulatedDevice, overlay: pynq.Overlay) -> None:
    mmio = pynq.MMIO(MISSING_ADDRESS, 0x1000, device=device)
    for access in (lambda: mmio.read(8), lambda: mmio.write(8, 1)):
        with pytest.raises(BusError, match="nothing answers at address 0x70000008; mapped are 0x40400000"):
            access()


def test_register_accesses_are_counted(device: SimulatedDevice, overlay: pynq.Overlay) -> None:
    kernel = overlay.first_exit
    before = device.register_accesses, device.register_reads, device.register_writes
    kernel.write(REGISTER_OFFSET["num_images"], 3)
    assert kernel.read(REGISTER_OFFSET["num_images"]) == 3
    assert kernel.mmio.read(REGISTER_OFFSET["num_images"], 8) == 3
    after = device.register_accesses, device.register_reads, device.register_writes
    assert [new - old for new, old in zip(after, before)] == [4, 3, 1]
    overlay.download()
    assert device.register_accesses >= after[0]


def test_the_array_of_an_mmio_behaves_like_the_one_of_a_board(overlay: pynq.Overlay) -> None:
    array = overlay.first_exit.mmio.array
    index = REGISTER_OFFSET["num_images"] // 4
    array[index : index + 3] = [7, 8, 9]
    assert [int(word) for word in array[index : index + 3]] == [7, 0, 9], "the word between two inputs is reserved"
    assert array[index].dtype == np.uint32
    assert len(array) == array.size == array.shape[0] == spec.KERNEL_RANGE // 4
    assert int(array[-1]) == 0
    with pytest.raises(IndexError, match="out of bounds for a range of 16384 words"):
        array[len(array)]
    with pytest.raises(ValueError, match="4 bytes wide"):
        array.view("u8")


def test_bytes_are_written_as_words(overlay: pynq.Overlay) -> None:
    overlay.first_exit.write(REGISTER_OFFSET["num_images"], (5).to_bytes(4, "little") + bytes(4))
    assert overlay.first_exit.read(REGISTER_OFFSET["num_images"]) == 5


# End -----------------------------------------------------------------------------------------------------------------


def test_closing_frees_everything_and_may_be_done_twice(model: Model) -> None:
    device = SimulatedDevice(model, kernel="numpy")
    overlay = pynq.Overlay(device.bitfile, device=device)
    buffer = device.allocate(8)
    device.close()
    device.close()
    assert device.live_buffers == 0
    assert not Path(device.bitfile).parent.exists()
    buffer.freebuffer()
    for use in (lambda: device.allocate(8), lambda: overlay.first_exit.read(0), overlay.download):
        with pytest.raises(DeviceError, match=r"simulated pynq-z2 \(numpy kernel\) is closed; make another"):
            use()


def test_a_closed_board_gives_its_memory_back_at_once(model: Model) -> None:
    with SimulatedDevice(model, kernel="numpy", memory_bytes=1 << 20) as device:
        buffer = device.allocate(100, np.uint8, cacheable=True)
        memory = weakref.ref(device._memory._bytes)
        assert memory() is not None
    assert memory() is None and device.allocated_bytes == 0
    with pytest.raises(DeviceError, match="freed"):
        buffer.flush()
