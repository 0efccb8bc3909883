"""The AXI DMA's registers in direct register mode, as its product guide (PG021) describes them.

Driven through pynq: its MMIO, its DMA driver, its buffers.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pynq
import pytest

from pynq_ee.network import spec
from pynq_ee.network.spec import REGISTER_OFFSET
from pynq_ee.network.weights import Model
from pynq_ee.sim import SimulatedDevice, axi_dma, recorded_designs
from pynq_ee.sim.dram import PAGE_BYTES

SEND, RECEIVE = 0x00, axi_dma.RECEIVE_BASE
CHANNELS = pytest.mark.parametrize("channel", [SEND, RECEIVE], ids=["MM2S", "S2MM"])

RESULT = spec.RESULT_BYTES

#: Images of a batch that fills all places in the circuit between memory and memory, and more.
MANY = 64

#: A design in which a soft reset of the DMA does not reach the kernel.
KERNEL_RESET_APART = {"first_exit/ap_rst_n": "reset_control/peripheral_aresetn"}


class Board:
    """The registers under test, by name, and buffers."""

    def __init__(self, device: SimulatedDevice) -> None:
        self.device = device
        self.overlay = pynq.Overlay(device.bitfile, device=device)
        self.mmio = pynq.MMIO(self.overlay.ip_dict["axi_dma"]["phys_addr"], spec.DMA_RANGE, device=device)
        self.kernel = self.overlay.first_exit
        self._buffers: list[Any] = []

    def status(self, channel: int) -> int:
        return int(self.mmio.read(channel + axi_dma.STATUS))

    def run(self, *channels: int) -> None:
        for channel in channels:
            self.mmio.write(channel + axi_dma.CONTROL, axi_dma.CONTROL_RUN)

    def reset(self, through: int = SEND) -> None:
        """A soft reset, which takes its time: what is written meanwhile is lost (PG021, "DMACR.Reset")."""
        self.mmio.write(through + axi_dma.CONTROL, axi_dma.CONTROL_RESET)
        for _ in range(100):
            if not self.mmio.read(through + axi_dma.CONTROL) & axi_dma.CONTROL_RESET:
                return
        raise AssertionError("the soft reset does not end")

    def transfer(self, channel: int, address: int, nbytes: int) -> None:
        self.mmio.write(channel + axi_dma.ADDRESS, address & 0xFFFFFFFF)
        self.mmio.write(channel + axi_dma.ADDRESS_MSB, address >> 32)
        self.mmio.write(channel + axi_dma.LENGTH, nbytes)

    def start_kernel(self, images: int) -> None:
        self.kernel.write(REGISTER_OFFSET["num_images"], images)
        self.kernel.write(REGISTER_OFFSET["CTRL"], spec.CTRL_START)

    def kernel_idle(self) -> bool:
        return bool(self.kernel.read(REGISTER_OFFSET["CTRL"]) & spec.CTRL_IDLE)

    def buffer(self, nbytes: int, fill: int = 0) -> Any:
        """A buffer that lives as long as the test."""
        buffer = self.device.allocate(nbytes, np.uint8)
        buffer[:] = fill
        buffer.flush()
        self._buffers.append(buffer)
        return buffer


@pytest.fixture
def board(either_device: SimulatedDevice) -> Board:
    return Board(either_device)


@pytest.fixture
def board_with(model: Model) -> Iterator[Callable[..., Board]]:
    """Make a board whose DMA has other parameters, or other nets."""
    made: list[SimulatedDevice] = []

    def make(nets: dict[str, str] | None = None, **parameters: str) -> Board:
        design = recorded_designs.load(spec.DEFAULT_BOARD.name, model.spec.beat_bits)
        design["cells"][spec.DMA_NAME]["config"].update(parameters)
        for sink, driver in (nets or {}).items():
            for net in design["nets"]:
                if sink in net:
                    net.remove(sink)
                if driver in net:
                    net.append(sink)
        made.append(SimulatedDevice(model, kernel="numpy", design=design))
        return Board(made[-1])

    yield make
    for device in made:
        device.close()


# Reset values and control --------------------------------------------------------------------------------------------


@CHANNELS
def test_a_channel_is_halted_and_not_idle_after_programming(board: Board, channel: int) -> None:
    assert board.mmio.read(channel + axi_dma.CONTROL) == 0x0001_0002
    assert board.status(channel) == 0x0001_0001
    assert [board.mmio.read(channel + offset) for offset in (axi_dma.ADDRESS, axi_dma.LENGTH)] == [0, 0]


@CHANNELS
def test_a_running_channel_is_not_idle_before_its_first_transfer(board: Board, channel: int) -> None:
    board.run(channel)
    assert board.status(channel) & (axi_dma.STATUS_HALTED | axi_dma.STATUS_IDLE) == 0


@CHANNELS
def test_clearing_run_halts_the_channel_and_drops_its_transfer(board: Board, channel: int) -> None:
    board.run(channel)
    board.transfer(channel, board.buffer(64).physical_address, 64)
    board.mmio.write(channel + axi_dma.CONTROL, 0)
    assert board.status(channel) & 0x7003 == axi_dma.STATUS_HALTED
    board.run(channel)
    board.start_kernel(1)
    assert board.status(channel) & axi_dma.STATUS_IDLE == 0


@pytest.mark.parametrize("through", [SEND, RECEIVE], ids=["MM2S", "S2MM"])
def test_a_soft_reset_of_either_channel_resets_both_and_reads_as_over(board: Board, through: int) -> None:
    for channel in (SEND, RECEIVE):
        board.run(channel)
        board.transfer(channel, board.buffer(64).physical_address, 64)
    board.reset(through)
    for channel in (SEND, RECEIVE):
        assert board.mmio.read(channel + axi_dma.CONTROL) == 0x0001_0002
        assert board.status(channel) == 0x0001_0001
        assert board.mmio.read(channel + axi_dma.ADDRESS) == 0


@CHANNELS
def test_status_and_scatter_gather_bits_cannot_be_written(board: Board, channel: int) -> None:
    board.mmio.write(channel + axi_dma.STATUS, 0xFFFF_FFFF)
    board.mmio.write(channel + axi_dma.CONTROL, 0xFFFF_FFFF & ~axi_dma.CONTROL_RESET)
    assert board.status(channel) == 0x0001_0000
    assert board.mmio.read(channel + axi_dma.CONTROL) == 0x0001_7003
    for scatter_gather in (0x08, 0x0C, 0x10, 0x14):
        board.mmio.write(channel + scatter_gather, 0x1234)
        assert board.mmio.read(channel + scatter_gather) == 0


# Starting a transfer -------------------------------------------------------------------------------------------------


@CHANNELS
def test_a_length_written_to_a_halted_channel_starts_nothing(board: Board, channel: int) -> None:
    board.transfer(channel, 0, 64)  # no memory there: a transfer would fail
    board.run(channel)
    assert board.status(channel) & axi_dma.ERRORS == 0


@CHANNELS
def test_a_length_of_zero_is_ignored(board: Board, channel: int) -> None:
    board.run(channel)
    board.transfer(channel, 0, 0)
    assert board.status(channel) & (axi_dma.ERRORS | axi_dma.STATUS_IDLE | axi_dma.IRQS) == 0


@CHANNELS
def test_a_longer_length_than_the_register_holds_is_cut(board_with: Callable[..., Board], channel: int) -> None:
    board = board_with(c_sg_length_width="14")
    board.run(channel)
    board.transfer(channel, board.buffer(64).physical_address, 0x4000 + 40)
    assert board.mmio.read(channel + axi_dma.LENGTH) == 40


@CHANNELS
def test_the_default_design_takes_lengths_of_26_bits(board: Board, channel: int) -> None:
    board.transfer(channel, 0, (1 << 26) + 5)
    assert board.mmio.read(channel + axi_dma.LENGTH) == 5


@CHANNELS
def test_the_address_may_be_written_while_a_transfer_is_under_way(board: Board, channel: int) -> None:
    board.run(channel)
    board.transfer(channel, board.buffer(64).physical_address, 64)
    board.mmio.write(channel + axi_dma.ADDRESS, 0)
    assert board.mmio.read(channel + axi_dma.ADDRESS) == 0
    assert board.status(channel) & axi_dma.ERRORS == 0


@CHANNELS
def test_a_length_written_while_a_transfer_is_under_way_is_ignored(board: Board, channel: int) -> None:
    board.run(channel)
    board.transfer(channel, board.buffer(64).physical_address, 64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        board.mmio.write(channel + axi_dma.LENGTH, 8)
    assert board.mmio.read(channel + axi_dma.LENGTH) == 64


def test_the_functional_model_warns_of_a_length_that_it_ignores(device: SimulatedDevice) -> None:
    board = Board(device)
    board.run(SEND)
    board.transfer(SEND, board.buffer(64).physical_address, 64)
    with pytest.warns(RuntimeWarning, match="64 bytes of a transfer are left: ignored"):
        board.mmio.write(SEND + axi_dma.LENGTH, 8)


def test_the_upper_half_of_an_address_exists_only_in_a_wide_dma(board_with: Callable[..., Board]) -> None:
    for bits, expected in (("32", 0), ("40", 0x34)):
        board = board_with(c_addr_width=bits)
        board.mmio.write(axi_dma.ADDRESS_MSB, 0x1234)
        assert board.mmio.read(axi_dma.ADDRESS_MSB) == expected


def test_an_address_that_is_not_aligned_loses_its_low_bits(board: Board, model: Model) -> None:
    sent, received = board.buffer(2 * spec.IMAGE_PIXELS, fill=1), board.buffer(RESULT)
    sent[: spec.IMAGE_PIXELS] = np.arange(spec.IMAGE_PIXELS) % 256
    sent.flush()
    results = []
    for offset in (0, 5):
        board.reset()
        board.run(SEND, RECEIVE)
        board.transfer(RECEIVE, received.physical_address, RESULT)
        board.start_kernel(1)
        board.transfer(SEND, sent.physical_address + offset, spec.IMAGE_PIXELS)
        received.invalidate()
        results.append(bytes(received))
    assert results[0] == results[1]


# Completion and interrupts -------------------------------------------------------------------------------------------


def run_batch(board: Board, images: int) -> None:
    board.run(SEND, RECEIVE)
    board.transfer(RECEIVE, board.buffer(images * RESULT).physical_address, images * RESULT)
    board.start_kernel(images)
    board.transfer(SEND, board.buffer(images * spec.IMAGE_PIXELS).physical_address, images * spec.IMAGE_PIXELS)


@CHANNELS
def test_a_completed_transfer_leaves_the_channel_idle_with_its_interrupt_status_set(board: Board, channel: int) -> None:
    run_batch(board, 2)
    assert board.status(channel) == 0x0001_0000 | axi_dma.STATUS_IDLE | axi_dma.IRQ_COMPLETE


@CHANNELS
def test_the_interrupt_status_is_cleared_by_writing_one(board: Board, channel: int) -> None:
    run_batch(board, 1)
    board.mmio.write(channel + axi_dma.STATUS, axi_dma.IRQ_ERROR)
    assert board.status(channel) & axi_dma.IRQS == axi_dma.IRQ_COMPLETE
    board.mmio.write(channel + axi_dma.STATUS, axi_dma.IRQ_COMPLETE)
    assert board.status(channel) & axi_dma.IRQS == 0
    assert board.status(channel) & axi_dma.STATUS_IDLE


def test_enabled_interrupts_reach_the_interrupt_controller_in_the_order_of_their_lines(board: Board) -> None:
    controller = board.overlay.interrupt_controller
    for name, bit in (("axi_dma/mm2s_introut", 0), ("axi_dma/s2mm_introut", 1), ("first_exit/interrupt", 2)):
        assert board.overlay.interrupt_pins[name]["index"] == bit
    controller.write(0x1C, 0b11)
    run_batch(board, 1)
    assert controller.read(0x00) == 0, "an interrupt that is not enabled does not leave its source"
    board.mmio.write(SEND + axi_dma.CONTROL, axi_dma.CONTROL_RUN | axi_dma.IRQ_COMPLETE)
    assert controller.read(0x00) == 0b01
    board.mmio.write(RECEIVE + axi_dma.CONTROL, axi_dma.CONTROL_RUN | axi_dma.IRQ_COMPLETE)
    assert controller.read(0x00) == 0b11
    controller.write(0x08, 0b10)
    assert (controller.read(0x04), controller.read(0x18)) == (0b10, 1)
    controller.write(0x0C, 0b11)
    assert controller.read(0x00) == 0b11, "a level that is still high is latched again"
    board.mmio.write(SEND + axi_dma.STATUS, axi_dma.IRQ_COMPLETE)
    board.mmio.write(RECEIVE + axi_dma.STATUS, axi_dma.IRQ_COMPLETE)
    controller.write(0x0C, 0b01)
    assert controller.read(0x00) == 0b10, "what is not acknowledged stays"
    controller.write(0x0C, 0b10)
    assert controller.read(0x00) == 0


def test_the_receive_length_reads_the_bytes_of_the_packet(board: Board) -> None:
    board.run(SEND, RECEIVE)
    received = board.buffer(4 * RESULT, fill=0xEE)
    board.transfer(RECEIVE, received.physical_address, received.nbytes)
    board.start_kernel(1)
    board.transfer(SEND, board.buffer(spec.IMAGE_PIXELS).physical_address, spec.IMAGE_PIXELS)
    assert board.mmio.read(RECEIVE + axi_dma.LENGTH) == RESULT
    assert board.status(RECEIVE) & axi_dma.STATUS_IDLE
    received.invalidate()
    assert (received[RESULT:] == 0xEE).all(), "nothing is written behind the packet"


# Back-pressure -------------------------------------------------------------------------------------------------------


def test_results_wait_for_the_receive_channel_and_keep_the_send_channel_busy(board: Board, overlay: Any) -> None:
    board.run(SEND, RECEIVE)
    images = MANY
    board.start_kernel(images)
    board.transfer(SEND, board.buffer(images * spec.IMAGE_PIXELS).physical_address, images * spec.IMAGE_PIXELS)
    assert not board.status(SEND) & axi_dma.STATUS_IDLE
    assert not board.kernel_idle()
    received = board.buffer(images * RESULT)
    board.transfer(RECEIVE, received.physical_address, received.nbytes)
    assert board.status(SEND) & axi_dma.STATUS_IDLE
    assert board.status(RECEIVE) & axi_dma.STATUS_IDLE
    assert board.kernel_idle()
    received.invalidate()
    assert received.view("<u2").reshape(images, -1)[:, spec.CLASSES].tolist() == [*range(images)]


def test_images_wait_for_the_kernel(board: Board) -> None:
    board.run(SEND, RECEIVE)
    board.transfer(RECEIVE, board.buffer(RESULT).physical_address, RESULT)
    board.transfer(SEND, board.buffer(spec.IMAGE_PIXELS).physical_address, spec.IMAGE_PIXELS)
    assert not board.status(SEND) & axi_dma.STATUS_IDLE
    board.start_kernel(1)
    assert board.status(SEND) & axi_dma.STATUS_IDLE
    assert board.status(RECEIVE) & axi_dma.STATUS_IDLE


# Errors --------------------------------------------------------------------------------------------------------------


def with_internal(channel: int, error: int) -> int:
    """Any error of the receiving channel is an internal error, too (PG021, "S2MM_DMASR", bit 4)."""
    return error | axi_dma.INTERNAL_ERROR if channel == RECEIVE else error


def assert_halted_by(board: Board, channel: int, error: int) -> None:
    expected = axi_dma.STATUS_HALTED | with_internal(channel, error) | axi_dma.IRQ_ERROR
    assert board.status(channel) & 0x7073 == expected
    assert not board.mmio.read(channel + axi_dma.CONTROL) & axi_dma.CONTROL_RUN


@CHANNELS
def test_after_an_error_only_a_soft_reset_lets_the_channel_run(board: Board, channel: int) -> None:
    board.run(SEND, RECEIVE)
    board.start_kernel(1)
    board.transfer(channel, 0, 64)
    if channel == RECEIVE:
        board.transfer(SEND, board.buffer(spec.IMAGE_PIXELS).physical_address, spec.IMAGE_PIXELS)
    assert_halted_by(board, channel, axi_dma.DECODE_ERROR)
    board.run(channel)
    assert_halted_by(board, channel, axi_dma.DECODE_ERROR)
    board.mmio.write(channel + axi_dma.STATUS, 0xFFFF_FFFF)
    assert board.status(channel) & axi_dma.ERRORS == with_internal(channel, axi_dma.DECODE_ERROR)
    board.reset(channel)
    board.run(channel)
    assert board.status(channel) == 0x0001_0000


def test_a_send_that_runs_out_of_its_buffer_is_a_decode_error(board: Board) -> None:
    board.run(SEND, RECEIVE)
    images = PAGE_BYTES // spec.IMAGE_PIXELS + 1
    board.transfer(RECEIVE, board.buffer(images * RESULT).physical_address, images * RESULT)
    sent = board.buffer(PAGE_BYTES)  # the last one: behind it is nothing
    board.start_kernel(images)
    board.transfer(SEND, sent.physical_address, images * spec.IMAGE_PIXELS)
    assert_halted_by(board, SEND, axi_dma.DECODE_ERROR)
    assert not board.kernel_idle(), "the kernel got beats without TLAST and waits for more"


def test_a_kernel_that_waits_within_a_batch_is_ended_by_one_beat_with_tlast(board_with: Callable[..., Board]) -> None:
    board = board_with(nets=KERNEL_RESET_APART)
    test_a_send_that_runs_out_of_its_buffer_is_a_decode_error(board)
    images = PAGE_BYTES // spec.IMAGE_PIXELS + 1
    board.reset(SEND)
    board.run(SEND, RECEIVE)
    received = board.buffer(images * RESULT)
    board.transfer(RECEIVE, received.physical_address, received.nbytes)
    board.transfer(SEND, board.buffer(64).physical_address, spec.DEFAULT.beat_bytes)
    assert board.status(SEND) & axi_dma.STATUS_IDLE
    assert board.mmio.read(RECEIVE + axi_dma.LENGTH) == images * RESULT
    assert board.kernel.read(REGISTER_OFFSET["error_flags"]) == spec.ERROR_SHORT_BATCH
    assert board.kernel.read(REGISTER_OFFSET["images_done"]) == images - 1


def test_a_receive_that_runs_out_of_its_buffer_writes_what_fits_and_is_a_decode_error(board: Board) -> None:
    board.run(SEND, RECEIVE)
    images = PAGE_BYTES // RESULT + 1
    sent, received = board.buffer(images * spec.IMAGE_PIXELS), board.buffer(PAGE_BYTES)  # behind which is nothing
    board.transfer(RECEIVE, received.physical_address, images * RESULT)
    board.start_kernel(images)
    board.transfer(SEND, sent.physical_address, images * spec.IMAGE_PIXELS)
    assert_halted_by(board, RECEIVE, axi_dma.DECODE_ERROR)
    received.invalidate()
    assert received[: (images - 1) * RESULT].view("<u2").reshape(images - 1, -1)[:, spec.CLASSES].tolist() == list(
        range(images - 1)
    )


def test_a_packet_longer_than_the_buffer_is_an_internal_error(board: Board) -> None:
    board.run(SEND, RECEIVE)
    board.transfer(RECEIVE, board.buffer(MANY * RESULT).physical_address, 2 * RESULT)
    board.start_kernel(MANY)
    board.transfer(SEND, board.buffer(MANY * spec.IMAGE_PIXELS).physical_address, MANY * spec.IMAGE_PIXELS)
    assert_halted_by(board, RECEIVE, axi_dma.INTERNAL_ERROR)
    assert not board.status(SEND) & axi_dma.STATUS_IDLE
    assert not board.kernel_idle()


def test_a_receive_length_that_cuts_a_beat_in_two_is_an_internal_error(board: Board) -> None:
    board.run(SEND, RECEIVE)
    received = board.buffer(RESULT, fill=0xEE)
    board.transfer(RECEIVE, received.physical_address, RESULT - 4)
    board.start_kernel(1)
    board.transfer(SEND, board.buffer(spec.IMAGE_PIXELS).physical_address, spec.IMAGE_PIXELS)
    assert_halted_by(board, RECEIVE, axi_dma.INTERNAL_ERROR)
    received.invalidate()
    assert bytes(received[-4:]) == b"\xee" * 4


def test_what_was_left_of_a_packet_comes_first_in_the_next_transfer(board_with: Callable[..., Board]) -> None:
    board = board_with(nets=KERNEL_RESET_APART)
    test_a_packet_longer_than_the_buffer_is_an_internal_error(board)
    board.reset(RECEIVE)
    board.run(SEND, RECEIVE)
    received = board.buffer(MANY * RESULT)
    board.transfer(RECEIVE, received.physical_address, received.nbytes)
    assert board.mmio.read(RECEIVE + axi_dma.LENGTH) == (MANY - 2) * RESULT
    received.invalidate()
    assert received.view("<u2")[spec.CLASSES] == 2, "the third record"
    assert board.kernel_idle()


def test_a_buffer_that_is_freed_under_a_transfer_is_a_decode_error(board: Board) -> None:
    board.run(SEND)
    sent = board.buffer(MANY * spec.IMAGE_PIXELS)  # more than the DMA reads ahead
    board.transfer(SEND, sent.physical_address, sent.nbytes)
    assert not board.status(SEND) & axi_dma.ERRORS
    sent.freebuffer()
    board.start_kernel(MANY)
    assert board.status(SEND) & axi_dma.ERRORS == axi_dma.DECODE_ERROR


def test_a_computed_array_has_a_false_address(board: Board) -> None:
    """As far off as the two arrays lie apart on the host: mostly where there is no memory, but not always."""
    buffer = board.buffer(64)
    computed = buffer + 1
    distance = computed.virtual_address - buffer.virtual_address
    assert computed.physical_address == buffer.physical_address + distance != buffer.physical_address


def test_a_length_that_is_no_whole_number_of_beats_is_filled_up_with_zeros(board: Board) -> None:
    results = []
    for nbytes, fill in ((spec.DEFAULT.beat_bytes + 3, 9), (2 * spec.DEFAULT.beat_bytes, 0)):
        board.run(SEND, RECEIVE)
        sent, received = board.buffer(64, fill=9), board.buffer(RESULT)
        sent[spec.DEFAULT.beat_bytes + 3 :] = fill
        sent.flush()
        board.transfer(RECEIVE, received.physical_address, RESULT)
        board.start_kernel(1)
        board.transfer(SEND, sent.physical_address, nbytes)
        received.invalidate()
        results.append(bytes(received))
    assert results[0] == results[1]


# The kernel's reset --------------------------------------------------------------------------------------------------


def test_a_soft_reset_leaves_a_kernel_alone_whose_reset_is_another(board_with: Callable[..., Board]) -> None:
    board = board_with(nets=KERNEL_RESET_APART)
    board.start_kernel(1)
    board.reset()
    assert not board.kernel_idle()


def test_a_soft_reset_resets_a_kernel_whose_reset_comes_from_the_dma_as_in_the_recorded_design(board: Board) -> None:
    board.start_kernel(1)
    assert not board.kernel_idle()
    board.reset()
    assert board.kernel_idle()
    assert board.kernel.read(REGISTER_OFFSET["num_images"]) == 0


# pynq's own driver ---------------------------------------------------------------------------------------------------


def test_pynqs_driver_sends_and_receives(board: Board) -> None:
    dma = board.overlay.axi_dma
    sent, received = board.buffer(3 * spec.IMAGE_PIXELS), board.buffer(3 * RESULT)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            dma.recvchannel.transfer(received)
            board.start_kernel(3)
            dma.sendchannel.transfer(sent)
            dma.sendchannel.wait()
            dma.recvchannel.wait()
            assert dma.recvchannel.transferred == 3 * RESULT
            assert dma.sendchannel.transferred == 3 * spec.IMAGE_PIXELS


def test_pynqs_driver_reports_an_error_and_works_again_after_a_reset(board: Board) -> None:
    dma = board.overlay.axi_dma
    freed = board.buffer(64)
    freed.freebuffer()
    freed.coherent = True  # no flush: the memory is gone
    dma.sendchannel.transfer(freed)
    with pytest.raises(RuntimeError, match=r"not started|Decode Error"):
        dma.sendchannel.wait()
    assert dma.sendchannel.error
    board.reset()
    dma.sendchannel.start()
    dma.recvchannel.start()
    run_batch(board, 1)
    assert dma.recvchannel.idle and not dma.sendchannel.error
