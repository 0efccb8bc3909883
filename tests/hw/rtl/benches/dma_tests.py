"""The AXI DMA against its product guide, PG021, in direct register mode, and against the rules of its buses."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from bench_board import sometimes
from cocotb.task import bridge, resume
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiStreamFrame
from dma_board import (
    ADDRESS,
    ADDRESS_HIGH,
    BASE,
    COMPLETE,
    CONTROL,
    DECODE,
    ERROR,
    HALTED,
    IDLE,
    INTERNAL,
    LENGTH,
    RECEIVE,
    RESET,
    RUN,
    SEND,
    SIZE,
    SLAVE,
    STATUS,
    Board,
)

#: An image as the kernel takes it, in beats of 8 bytes.
IMAGE_BEATS = 98


def some_place(most: int, beat: int) -> tuple[int, int]:
    """An aligned address and a length in bytes, often near the ends of blocks and pages."""
    nbytes = random.choice(
        (1, beat, beat + 1, 8, 127, 128, 129, random.randint(1, most), 8 * random.randint(1, most // 8))
    )
    near = random.choice((0x1000, 0x2000, 0x4080, 0x8000)) + 8 * random.randint(-20, 4)
    return BASE + near, nbytes


#: Addresses and lengths that end with a block of 16 words, a page, or a word before or behind it.
PLACES_AT_ENDS = [
    (BASE + 0x1000, 128),
    (BASE + 0xFF8, 8),
    (BASE + 0x1008, 120),
    (BASE + 0xF78, 144),
    (BASE + 0x80, 120),
]


# Registers -----------------------------------------------------------------------------------------------------------


@cocotb.test()
async def registers_have_their_reset_values(dut: Any) -> None:
    board = await Board.on(dut)
    for channel in (SEND, RECEIVE):
        assert await board.read(channel + CONTROL) == 0x0001_0002
        assert await board.status(channel) == 0x0001_0001
        for offset in (0x08, 0x0C, 0x10, 0x14, ADDRESS, ADDRESS_HIGH, LENGTH):
            assert await board.read(channel + offset) == 0
    assert await board.read(0x2C) == await board.read(0x5C) == await board.read(0x100) == 0


@cocotb.test()
async def bits_that_are_read_only_or_of_scatter_gather_mode_cannot_be_written(dut: Any) -> None:
    board = await Board.on(dut, stalls=0.3)
    for channel in (SEND, RECEIVE):
        await board.write(channel + STATUS, 0xFFFF_FFFF)
        await board.write(channel + CONTROL, 0xFFFF_FFFF & ~RESET)
        assert await board.status(channel) == 0x0001_0000
        assert await board.read(channel + CONTROL) == 0x0001_7003
        for offset in (0x08, 0x0C, 0x10, 0x14):
            await board.write(channel + offset, 0x1234)
            assert await board.read(channel + offset) == 0


@cocotb.test()
async def addresses_and_lengths_have_their_widths(dut: Any) -> None:
    board = await Board.on(dut)
    for channel in (SEND, RECEIVE):
        for offset in (ADDRESS, ADDRESS_HIGH, LENGTH):
            await board.write(channel + offset, 0xFFFF_FFFF)
        assert await board.read(channel + ADDRESS) == 0xFFFF_FFFF
        assert await board.read(channel + ADDRESS_HIGH) == (1 << int(dut.ADDRESS_BITS.value) - 32) - 1
        assert await board.read(channel + LENGTH) == (1 << int(dut.LENGTH_BITS.value)) - 1
        assert await board.status(channel) == 0x0001_0001, "a length written while halted starts nothing"
        await board.run(channel)
        assert await board.status(channel) == 0x0001_0000
    assert not dut.mem_arvalid.value


@cocotb.test()
async def a_running_channel_is_not_idle_before_its_first_transfer_and_a_length_of_zero_is_none(dut: Any) -> None:
    board = await Board.on(dut)
    for channel in (SEND, RECEIVE):
        await board.run(channel)
        await board.transfer(channel, BASE, 0)
        await board.clocks(50)
        assert await board.status(channel) == 0x0001_0000


@cocotb.test()
async def a_length_written_while_a_transfer_is_under_way_changes_nothing(dut: Any) -> None:
    board = await Board.on(dut)
    board.sink.pause = True
    await board.run(SEND, RECEIVE)
    for channel in (SEND, RECEIVE):
        await board.transfer(channel, BASE + 0x100, 72)
        await board.write(channel + ADDRESS, BASE + 0x2000)
        await board.write(channel + LENGTH, 8)
        assert await board.read(channel + LENGTH) == 72
        assert await board.read(channel + ADDRESS) == BASE + 0x2000
    board.sink.pause = False
    assert bytes((await board.sink.recv()).tdata) == board.memory.at(BASE + 0x100, 72)
    data = random.randbytes(72)
    await board.source.send(AxiStreamFrame(data))
    await board.until(RECEIVE, IDLE)
    await board.clocks(300)
    assert board.memory.at(BASE + 0x100, 72) == data
    assert board.sink.empty()


# Transfers -----------------------------------------------------------------------------------------------------------


@cocotb.test()
async def memory_is_sent_byte_for_byte_whatever_stalls(dut: Any) -> None:
    board = await Board.on(dut)
    await board.run(SEND)
    for place in PLACES_AT_ENDS:
        await board.sends(*place)
    for share in (0, 0.2, 0.6):
        board.stall(share)
        for _ in range(12):
            await board.sends(*some_place(1500, board.beat))


@cocotb.test()
async def packets_are_received_byte_for_byte_whatever_stalls(dut: Any) -> None:
    board = await Board.on(dut)
    await board.run(RECEIVE)
    for address, nbytes in PLACES_AT_ENDS:
        await board.receives(address, random.randbytes(nbytes))
    for share in (0, 0.2, 0.6):
        board.stall(share)
        for _ in range(12):
            address, nbytes = some_place(1500, board.beat)
            await board.receives(address, random.randbytes(nbytes), nbytes + random.choice((0, 0, 1, 8, 500)))


@cocotb.test()
async def a_last_beat_that_is_not_whole_tells_so_and_is_filled_up_with_zeros(dut: Any) -> None:
    board = await Board.on(dut)
    await board.run(SEND)
    beats: list[tuple[int, int, int]] = []

    async def watch() -> None:
        while True:
            await RisingEdge(dut.clock)
            if dut.out_tvalid.value and dut.out_tready.value:
                beats.append((int(dut.out_tdata.value), int(dut.out_tkeep.value), int(dut.out_tlast.value)))

    cocotb.start_soon(watch())
    for nbytes in range(1, 20):
        beats.clear()
        await board.sends(BASE + 0xFF8, nbytes)
        whole, rest = divmod(nbytes, board.beat)
        keeps = [(1 << board.beat) - 1] * whole + ([(1 << rest) - 1] if rest else [])
        assert [keep for _, keep, _ in beats] == keeps
        assert [last for _, _, last in beats] == [0] * (len(keeps) - 1) + [1]
        assert beats[-1][0] >> 8 * (keeps[-1].bit_count()) == 0


@cocotb.test()
async def an_address_that_is_not_aligned_loses_its_low_bits(dut: Any) -> None:
    board = await Board.on(dut)
    await board.run(SEND, RECEIVE)
    await board.transfer(SEND, BASE + 0x105, 24)
    assert bytes((await board.sink.recv()).tdata) == board.memory.at(BASE + 0x100, 24)
    await board.transfer(RECEIVE, BASE + 0x207, 24)
    await board.source.send(AxiStreamFrame(bytes(range(24))))
    await board.until(RECEIVE, IDLE)
    assert board.memory.at(BASE + 0x200, 24) == bytes(range(24))


@cocotb.test()
async def the_addresses_of_a_wide_dma_reach_beyond_4_gb(dut: Any) -> None:
    board = await Board.on(dut)
    wide = int(dut.ADDRESS_BITS.value) > 32
    asked: list[int] = []

    async def watch() -> None:
        while True:
            await RisingEdge(dut.clock)
            if dut.mem_arvalid.value:
                asked.append(int(dut.mem_araddr.value))

    cocotb.start_soon(watch())
    await board.run(SEND)
    await board.transfer(SEND, 0x12_0000_0040 if wide else 0x40, 8)
    assert await board.until(SEND, HALTED) & DECODE
    assert set(asked) == {0x12_0000_0040 if wide else 0x40}


@cocotb.test()
async def nothing_is_idle_before_its_last_beat_has_been_taken(dut: Any) -> None:
    board = await Board.on(dut)
    await board.run(SEND, RECEIVE)
    board.sink.pause = True
    await board.transfer(SEND, BASE, 16)
    await board.transfer(RECEIVE, BASE + 0x800, 16)
    await board.source.send(AxiStreamFrame(bytes(8)))
    await board.until(RECEIVE, IDLE)
    await board.clocks(200)
    assert await board.status(SEND) & (IDLE | COMPLETE) == 0
    board.sink.pause = False
    await board.until(SEND, IDLE)


@cocotb.test()
async def beats_wait_for_a_transfer(dut: Any) -> None:
    board = await Board.on(dut)
    await board.run(RECEIVE)
    packets = [random.randbytes(40), random.randbytes(24)]
    for packet in packets:
        await board.source.send(AxiStreamFrame(packet))
    await board.clocks(100)
    assert not dut.in_tready.value
    for index, packet in enumerate(packets):
        await board.transfer(RECEIVE, BASE + 0x100 * index, 256)
        await board.until(RECEIVE, IDLE)
        assert await board.read(RECEIVE + LENGTH) == len(packet), "a packet ends at its TLAST"
        assert board.memory.at(BASE + 0x100 * index, len(packet)) == packet


@cocotb.test()
async def both_channels_work_at_once_while_registers_are_read(dut: Any) -> None:
    board = await Board.on(dut, stalls=0.15)
    await board.run(SEND, RECEIVE)
    for _ in range(6):
        send, receive = BASE + 8 * random.randint(0, 100), BASE + 0x8000 + 8 * random.randint(0, 100)
        nbytes, data = random.randint(500, 2000), random.randbytes(random.randint(500, 2000))
        await board.transfer(RECEIVE, receive, len(data))
        await board.transfer(SEND, send, nbytes)
        board.source.send_nowait(AxiStreamFrame(data))
        frame = await board.sink.recv()
        await board.until(SEND, IDLE)
        await board.until(RECEIVE, IDLE)
        assert bytes(frame.tdata[:nbytes]) == board.memory.at(send, nbytes)
        assert board.memory.at(receive, len(data)) == data


# Interrupts ----------------------------------------------------------------------------------------------------------


@cocotb.test()
async def completion_raises_the_interrupt_where_enabled_until_a_one_is_written(dut: Any) -> None:
    board = await Board.on(dut)
    await board.run(SEND, RECEIVE)
    await board.sends(BASE, 40)
    await board.receives(BASE + 0x100, random.randbytes(24))
    for channel, line in ((SEND, dut.mm2s_introut), (RECEIVE, dut.s2mm_introut)):
        assert await board.status(channel) == 0x0001_0000 | IDLE | COMPLETE
        assert not line.value, "an interrupt that is not enabled does not leave its source"
        await board.write(channel + CONTROL, RUN | ERROR)
        await board.clocks(3)
        assert not line.value
        await board.write(channel + CONTROL, RUN | COMPLETE)
        await board.clocks(3)
        assert line.value
        await board.write(channel + STATUS, ERROR)
        await board.clocks(3)
        assert line.value and await board.status(channel) & COMPLETE
        await board.write(channel + STATUS, COMPLETE)
        await board.clocks(3)
        assert not line.value
        assert await board.status(channel) == 0x0001_0000 | IDLE


# Errors --------------------------------------------------------------------------------------------------------------


async def assert_halted_by(board: Board, channel: int, error: int) -> None:
    if channel == RECEIVE:
        error |= INTERNAL  # so is any of its errors (PG021, "S2MM_DMASR", bit 4)
    assert await board.until(channel, HALTED) & 0x7073 == HALTED | error | ERROR
    assert not await board.read(channel + CONTROL) & RUN
    await board.run(channel)
    await board.write(channel + STATUS, 0xFFFF_FFFF)
    await board.transfer(channel, BASE, 16)
    await board.clocks(100)
    assert await board.status(channel) & 0x7073 == HALTED | error, "only a reset leaves an error"


async def assert_works(board: Board) -> None:
    """After a soft reset."""
    await board.reset(random.choice((SEND, RECEIVE)))
    for channel in (SEND, RECEIVE):
        assert await board.read(channel + CONTROL) == 0x0001_0002
        assert await board.status(channel) == 0x0001_0001
        assert await board.read(channel + ADDRESS) == await board.read(channel + LENGTH) == 0
    board.sink.clear()
    board.source.clear()
    await board.run(SEND, RECEIVE)
    await board.sends(BASE + 0xF00, 300)
    await board.receives(BASE + 0x3F00, random.randbytes(300))
    for channel in (SEND, RECEIVE):
        await board.write(channel + STATUS, COMPLETE)


@cocotb.test()
async def a_read_that_memory_refuses_ends_the_stream_before_it_without_a_last_beat(dut: Any) -> None:
    board = await Board.on(dut)
    for error, where in ((SLAVE, BASE + 0x2000), (DECODE, BASE + SIZE)):
        for words in (0, 5, 16, 40):
            board.memory.refused = range(BASE + 0x2000, BASE + 0x2000 + 8)
            board.sink.clear()
            taken = []

            async def watch(taken: list[int] = taken) -> None:
                while True:
                    await RisingEdge(dut.clock)
                    if dut.out_tvalid.value and dut.out_tready.value:
                        taken.append(int(dut.out_tdata.value))
                        assert not dut.out_tlast.value

            watching = cocotb.start_soon(watch())
            await board.run(SEND, control=RUN | ERROR)
            await board.transfer(SEND, where - 8 * words, 8 * words + 200)
            await board.until(SEND, HALTED)
            await board.clocks(2)
            assert dut.mm2s_introut.value
            await assert_halted_by(board, SEND, error)
            assert not dut.mm2s_introut.value
            watching.cancel()
            data = b"".join(beat.to_bytes(board.beat, "little") for beat in taken)
            assert data == board.memory.at(where - 8 * words, 8 * words)
            board.memory.refused = range(0)
            await assert_works(board)


@cocotb.test()
async def a_write_that_memory_refuses_is_an_error(dut: Any) -> None:
    board = await Board.on(dut)
    for error, where in ((SLAVE, BASE + 0x2000), (DECODE, BASE + SIZE)):
        for words in (0, 16, 40):
            board.memory.refused = range(BASE + 0x2000, BASE + 0x2000 + 8)
            data = random.randbytes(8 * words + 300)
            await board.run(RECEIVE)
            await board.transfer(RECEIVE, where - 8 * words, len(data))
            await board.source.send(AxiStreamFrame(data))
            await assert_halted_by(board, RECEIVE, error)
            begun = words * 8 // 128 * 128
            assert board.memory.at(where - 8 * words, begun) == data[:begun]
            board.memory.refused = range(0)
            await assert_works(board)


@cocotb.test()
async def a_packet_longer_than_the_transfer_is_an_internal_error_and_its_rest_stays_in_the_stream(dut: Any) -> None:
    board = await Board.on(dut)
    beat = board.beat
    for length in (8, 16, 8 * beat, 128, 200, 1, beat + 3, 5 * beat - 1):
        before = bytes(board.memory.bytes)
        data = random.randbytes(length + 3 * beat)
        await board.run(RECEIVE)
        await board.transfer(RECEIVE, BASE + 0x1000, length)
        await board.source.send(AxiStreamFrame(data))
        await assert_halted_by(board, RECEIVE, INTERNAL)
        assert not board.source.idle() and not dut.in_tready.value
        assert bytes(board.memory.bytes) == before[:0x1000] + data[:length] + before[0x1000 + length :]
        await assert_works(board)


@cocotb.test()
async def a_length_that_cuts_the_last_beat_in_two_is_an_internal_error(dut: Any) -> None:
    board = await Board.on(dut)
    before = bytes(board.memory.bytes)
    await board.run(RECEIVE)
    await board.transfer(RECEIVE, BASE + 0x1000, 24 - 2)
    await board.source.send(AxiStreamFrame(bytes(24)))
    await assert_halted_by(board, RECEIVE, INTERNAL)
    assert bytes(board.memory.bytes) == before[:0x1000] + bytes(22) + before[0x1000 + 22 :]
    await assert_works(board)


# Stops and resets ----------------------------------------------------------------------------------------------------


@cocotb.test()
async def a_soft_reset_at_any_time_ends_what_is_under_way_and_all_works_again(dut: Any) -> None:
    board = await Board.on(dut, stalls=0.2)
    for _ in range(12):
        await board.run(SEND, RECEIVE)
        await board.transfer(SEND, BASE + 8 * random.randint(0, 50), random.randint(1, 3000))
        await board.transfer(RECEIVE, BASE + 0x8000 + 8 * random.randint(0, 50), 3000)
        board.source.send_nowait(AxiStreamFrame(random.randbytes(random.randint(1, 3000))))
        board.sink.pause = random.random() < 0.3
        await board.clocks(random.randint(0, 500))
        await board.write(random.choice((SEND, RECEIVE)) + CONTROL, RESET)
        low = 0
        while dut.kernel_resetn.value or not low:
            await ClockCycles(dut.clock, 1)
            low += not dut.kernel_resetn.value
        while not dut.kernel_resetn.value:
            await ClockCycles(dut.clock, 1)
            low += 1
        assert low >= 16
        board.sink.pause = False
        written = bytes(board.memory.bytes)
        await board.clocks(300)
        assert bytes(board.memory.bytes) == written, "nothing is under way once the reset is over"
        await assert_works(board)


@cocotb.test()
async def clearing_run_halts_when_nothing_is_under_way_and_drops_the_transfer(dut: Any) -> None:
    board = await Board.on(dut, stalls=0.2)
    for round_ in range(10):
        await board.run(SEND, RECEIVE)
        await board.transfer(SEND, BASE + 0x400, 2000)
        await board.transfer(RECEIVE, BASE + 0x8000, 2000)
        await board.source.send(AxiStreamFrame(random.randbytes(1200)))
        board.sink.pause = round_ % 2 == 0
        await board.clocks(random.randint(0, 300))
        for channel in (SEND, RECEIVE):
            await board.write(channel + CONTROL, 0)
        for channel in (SEND, RECEIVE):
            assert await board.until(channel, HALTED) & (IDLE | ERROR) == 0
        written = bytes(board.memory.bytes)
        await board.clocks(300)
        assert bytes(board.memory.bytes) == written, "nothing is written once the channel says that it has halted"
        assert board.slave.read_if.ar_channel.empty()
        await board.run(SEND, RECEIVE)
        await board.clocks(50)
        for channel in (SEND, RECEIVE):
            assert await board.status(channel) & (IDLE | HALTED) == 0, "the transfer was dropped"
        await assert_works(board)


@cocotb.test()
async def a_transfer_that_is_asked_for_while_another_stops_begins_after_it(dut: Any) -> None:
    board = await Board.on(dut)
    board.slave.read_if.r_channel.set_pause_generator(sometimes(0.8))
    await board.run(SEND)
    for _ in range(4):
        await board.transfer(SEND, BASE, 4000)
        await board.clocks(random.randint(0, 200))
        await board.write(SEND + CONTROL, 0)
        await board.write(SEND + CONTROL, RUN)
        await board.transfer(SEND, BASE + 0x2000, 104)
        assert await board.until(SEND, IDLE | HALTED) & HALTED == 0
        await board.clocks(20)
        frame = b""
        while not board.sink.empty():
            frame = bytes(board.sink.recv_nowait().tdata)
        assert frame.endswith(board.memory.at(BASE + 0x2000, 104))
        await board.reset()
        board.sink.clear()
        await board.run(SEND)


@cocotb.test()
async def a_beat_that_was_offered_before_a_stop_is_offered_until_it_is_taken_and_completes_nothing(dut: Any) -> None:
    board = await Board.on(dut)
    await board.stops_while_offering()
    assert dut.out_tvalid.value and dut.out_tlast.value
    await board.run(SEND)
    await board.transfer(SEND, BASE + 0x100, 4 * board.beat)
    await board.clocks(300)
    assert int(dut.out_tdata.value) == int.from_bytes(board.memory.at(BASE, board.beat), "little")
    board.sink.pause = False
    assert bytes((await board.sink.recv()).tdata) == board.memory.at(BASE, board.beat)
    assert bytes((await board.sink.recv()).tdata) == board.memory.at(BASE + 0x100, 4 * board.beat)
    await board.until(SEND, IDLE)


@cocotb.test()
async def an_address_is_offered_until_it_is_taken(dut: Any) -> None:
    board = await Board.on(dut)

    async def pauses() -> None:
        while True:
            dut.ar_pause.value = random.random() < 0.7
            await RisingEdge(dut.clock)

    cocotb.start_soon(pauses())
    await board.run(SEND)
    for _ in range(3):
        await board.transfer(SEND, BASE + 0x100, 3000)
        assert await board.until(SEND, IDLE | HALTED) & HALTED == 0
        assert bytes((await board.sink.recv()).tdata)[:3000] == board.memory.at(BASE + 0x100, 3000)


@cocotb.test()
async def a_reader_that_stands_still_while_the_fifo_fills_up_gets_one_packet(dut: Any) -> None:
    board = await Board.on(dut)
    await board.run(SEND)
    for nbytes in (1032, 3000):
        board.sink.pause = True
        await board.transfer(SEND, BASE + 0x100, nbytes)
        await board.clocks(500)
        assert await board.status(SEND) & (IDLE | COMPLETE) == 0
        board.sink.pause = False
        assert bytes((await board.sink.recv()).tdata)[:nbytes] == board.memory.at(BASE + 0x100, nbytes)
        await board.until(SEND, IDLE)
        await board.write(SEND + STATUS, COMPLETE)


@cocotb.test()
async def what_the_fifo_held_at_a_stop_is_gone_and_so_are_its_places(dut: Any) -> None:
    board = await Board.on(dut)
    await board.run(SEND)
    for _ in range(3):
        board.sink.pause = True
        await board.transfer(SEND, BASE + 0x100, 3000)
        await board.clocks(500)
        await board.write(SEND + CONTROL, 0)
        await board.until(SEND, HALTED)
        await board.run(SEND)
        await board.transfer(SEND, BASE + 0x2000, 2000)
        await board.clocks(300)
        board.sink.pause = False
        data = bytes((await board.sink.recv()).tdata)
        assert data.endswith(board.memory.at(BASE + 0x2000, 2000))
        assert len(data) <= 2000 + 2 * board.beat, "what was offered before the stop, and no more"
        await board.until(SEND, IDLE)


@cocotb.test()
async def the_last_beat_of_a_transfer_that_was_stopped_completes_no_other(dut: Any) -> None:
    board = await Board.on(dut)
    await board.stops_while_offering()
    await board.run(SEND)
    await board.transfer(SEND, BASE + 0x100, 20 * board.beat)
    board.sink.pause = False
    while not (dut.out_tvalid.value and dut.out_tready.value):
        await RisingEdge(dut.clock)
    board.sink.pause = True
    await board.clocks(300)
    assert await board.status(SEND) & (IDLE | COMPLETE) == 0
    board.sink.pause = False
    await board.until(SEND, IDLE)


# Rate ----------------------------------------------------------------------------------------------------------------


@cocotb.test()
async def the_memorys_latency_costs_no_beat(dut: Any) -> None:
    board = await Board.on(dut)
    await board.run(SEND, RECEIVE)
    nbytes = 6 * IMAGE_BEATS * 8
    beats = nbytes // board.beat
    clock = 0
    sent, taken = [], []

    async def watch() -> None:
        nonlocal clock
        while True:
            await RisingEdge(dut.clock)
            clock += 1
            if dut.out_tvalid.value and dut.out_tready.value:
                sent.append(clock)
            if dut.in_tvalid.value and dut.in_tready.value:
                taken.append(clock)

    cocotb.start_soon(watch())
    await board.sends(BASE, nbytes)
    assert len(sent) == beats
    assert sent[-1] - sent[0] == beats - 1, "a beat a clock"
    await board.receives(BASE + 0x8000, random.randbytes(nbytes))
    assert len(taken) == beats
    dut._log.warning("%d beats received in %d clocks", beats, taken[-1] - taken[0] + 1)
    assert taken[-1] - taken[0] == beats - 1, "a beat a clock"


# Drivers -------------------------------------------------------------------------------------------------------------


class Words:
    """The registers as a driver has them, from a thread of its own."""

    def __init__(self, board: Board) -> None:
        self._read, self._write = resume(board.read), resume(board.write)

    def __getitem__(self, index: int) -> int:
        return int(self._read(4 * index))

    def __setitem__(self, index: int, value: int) -> None:
        self._write(4 * index, int(value))


class Mmio:
    """What both drivers use of pynq's MMIO."""

    def __init__(self, board: Board) -> None:
        self.array = Words(board)

    def read(self, offset: int) -> int:
        return self.array[offset // 4]

    def write(self, offset: int, value: int) -> None:
        self.array[offset // 4] = value


class Buffer:
    """What both drivers use of pynq's buffers."""

    coherent = True

    def __init__(self, physical_address: int, nbytes: int) -> None:
        self.physical_address, self.nbytes = physical_address, nbytes

    def flush(self) -> None:
        """Nothing is cached."""

    invalidate = flush


async def loop_back(board: Board) -> None:
    """What is sent is received."""
    while True:
        await board.source.send(await board.sink.recv())


@cocotb.test()
async def this_projects_driver_drives_it(dut: Any) -> None:
    from pynq_ee.driver.dma import AxiDma

    board = await Board.on(dut, stalls=0.1)
    looping = cocotb.start_soon(loop_back(board))
    parameters = {"c_addr_width": int(dut.ADDRESS_BITS.value), "c_sg_length_width": int(dut.LENGTH_BITS.value)}

    @bridge
    def drive() -> None:
        dma = AxiDma(Mmio(board), parameters, interrupt=True)
        dma.reset()
        for nbytes in (8, 784, 2048):
            dma.receive.transfer(Buffer(BASE + 0x8000, 4096))
            dma.send.transfer(Buffer(BASE, nbytes))
            while not dma.receive.status().complete:
                assert not dma.receive.status().error
            assert dma.receive.transferred() == nbytes
            assert dma.send.status().complete
            assert dut.s2mm_introut.value
            dma.receive.acknowledge()
            assert board.memory.at(BASE + 0x8000, nbytes) == board.memory.at(BASE, nbytes)
        dma.send.transfer(Buffer(0x40, 64))
        while not dma.send.status().halted:
            pass
        assert "no memory at this address" in dma.send.status().error
        dma.reset()
        assert not dma.send.status().halted and not dma.send.status().error

    await drive()
    looping.cancel()


@cocotb.test()
async def pynqs_driver_drives_it(dut: Any) -> None:
    from pynq.lib.dma import DMA_TYPE_RX, DMA_TYPE_TX, _SDMAChannel

    board = await Board.on(dut, stalls=0.1)
    looping = cocotb.start_soon(loop_back(board))

    @bridge
    def drive() -> None:
        mmio = Mmio(board)
        send = _SDMAChannel(mmio, (1 << 14) - 1, 8, DMA_TYPE_TX, False)
        receive = _SDMAChannel(mmio, (1 << 14) - 1, 8, DMA_TYPE_RX, False)
        for nbytes in (8, 784, 2048):
            receive.transfer(Buffer(BASE + 0x8000, 4096))
            send.transfer(Buffer(BASE, nbytes))
            send.wait()
            receive.wait()
            assert (send.transferred, receive.transferred) == (nbytes, nbytes)
            assert board.memory.at(BASE + 0x8000, nbytes) == board.memory.at(BASE, nbytes)
        receive.transfer(Buffer(BASE + 0x8000, 4096))
        receive.stop()
        assert not receive.running
        receive.start()
        assert receive.running and not receive.idle
        send.transfer(Buffer(0x40, 64))
        try:
            send.wait()
        except RuntimeError as error:
            assert "Decode Error" in str(error)
        else:
            raise AssertionError("the error went unnoticed")

    await drive()
    looping.cancel()
