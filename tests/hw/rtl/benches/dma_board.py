"""The DMA under test and what others wrote around it: a master, a memory and streams; and the rules of the buses."""

from __future__ import annotations

import random
from typing import Any

import bench_board
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiBus, AxiResp, AxiSlave, AxiStreamFrame

SEND, RECEIVE = 0x00, 0x30
CONTROL, STATUS, ADDRESS, ADDRESS_HIGH, LENGTH = 0x00, 0x04, 0x18, 0x1C, 0x28
RUN, RESET = 1 << 0, 1 << 2
HALTED, IDLE = 1 << 0, 1 << 1
INTERNAL, SLAVE, DECODE = 1 << 4, 1 << 5, 1 << 6
COMPLETE, ERROR = 1 << 12, 1 << 14

#: Where the memory begins, and its size in bytes; an access elsewhere is a decode error.
BASE, SIZE = 0x1000_0000, 0x10000


class Memory:
    """Bytes behind the memory ports. What lies in ``refused`` answers with a slave error."""

    def __init__(self) -> None:
        self.bytes = bytearray(random.randbytes(SIZE))
        self.refused = range(0)
        self.answer = AxiResp.OKAY

    def _offset(self, address: int, length: int) -> int:
        if not BASE <= address <= BASE + SIZE - length:
            self.answer = AxiResp.DECERR
            raise IndexError(address)
        if address in self.refused:
            self.answer = AxiResp.SLVERR
            raise IndexError(address)
        return address - BASE

    async def read(self, address: int, length: int) -> bytes:
        offset = self._offset(address, length)
        return bytes(self.bytes[offset : offset + length])

    async def write(self, address: int, data: bytes) -> None:
        offset = self._offset(address, len(data))
        self.bytes[offset : offset + len(data)] = data

    def at(self, address: int, length: int) -> bytes:
        return bytes(self.bytes[address - BASE : address - BASE + length])

    def put(self, address: int, data: bytes) -> None:
        self.bytes[address - BASE : address - BASE + len(data)] = data


class Board(bench_board.Board):
    """The DMA, and a memory behind it."""

    #: Three times those of the longest test.
    longest = 40_000
    low = ("ar_pause",)

    def __init__(self, dut: Any) -> None:
        super().__init__(dut, "in", "out", dut.kernel_resetn)
        self.beat = len(dut.out_tdata) // 8
        self.memory = Memory()
        self.slave = AxiSlave(AxiBus.from_prefix(dut, "mem"), dut.clock, dut.resetn, self.memory, False)
        for channel, name in ((self.slave.read_if.r_channel, "rresp"), (self.slave.write_if.b_channel, "bresp")):
            self._answer_as_memory_says(channel, name)

    def _answer_as_memory_says(self, channel: Any, name: str) -> None:
        """The slave knows one error; the memory says which it is."""
        send = channel.send

        async def answer(transaction: Any) -> None:
            if getattr(transaction, name) != AxiResp.OKAY:
                setattr(transaction, name, self.memory.answer)
            await send(transaction)

        channel.send = answer

    def channels(self) -> list[Any]:
        read, write = self.slave.read_if, self.slave.write_if
        memory = (read.ar_channel, read.r_channel, write.aw_channel, write.w_channel, write.b_channel)
        return [*super().channels(), *memory]

    async def status(self, channel: int) -> int:
        return await self.read(channel + STATUS)

    async def run(self, *channels: int, control: int = RUN) -> None:
        for channel in channels:
            await self.write(channel + CONTROL, control)

    async def transfer(self, channel: int, address: int, nbytes: int) -> None:
        await self.write(channel + ADDRESS, address & 0xFFFF_FFFF)
        await self.write(channel + ADDRESS_HIGH, address >> 32)
        await self.write(channel + LENGTH, nbytes)

    async def until(self, channel: int, bits: int, polls: int = 3000) -> int:
        """Read the status until one of the bits is set."""
        for _ in range(polls):
            status = await self.status(channel)
            if status & bits:
                return status
        raise AssertionError(f"status 0x{status:x} after {polls} polls, none of 0x{bits:x}")

    async def reset(self, channel: int = SEND, polls: int = 3000) -> None:
        await self.write(channel + CONTROL, RESET)
        for _ in range(polls):
            if not await self.read(channel + CONTROL) & RESET:
                return
        raise AssertionError(f"the soft reset is not over after {polls} polls")

    async def stops_while_offering(self) -> None:
        """Stop the sending channel while it offers the only beat of a transfer, which nobody takes."""
        self.sink.pause = True
        await self.run(SEND)
        await self.transfer(SEND, BASE, self.beat)
        while not self.dut.out_tvalid.value:
            await ClockCycles(self.dut.clock, 1)
        await self.write(SEND + CONTROL, 0)
        await self.until(SEND, HALTED)

    async def sends(self, address: int, nbytes: int) -> None:
        """A transfer out of memory arrives as it is there."""
        await self.transfer(SEND, address, nbytes)
        frame = await self.sink.recv()
        beats = -(-nbytes // self.beat)
        assert len(frame.tdata) in (nbytes, beats * self.beat)
        assert bytes(frame.tdata[:nbytes]) == self.memory.at(address, nbytes)
        assert await self.until(SEND, IDLE | HALTED) & (IDLE | HALTED | COMPLETE) == IDLE | COMPLETE

    async def receives(self, address: int, data: bytes, nbytes: int = 0) -> None:
        """A packet arrives in memory as it was sent, and nothing beside it."""
        before = bytes(self.memory.bytes)
        await self.transfer(RECEIVE, address, nbytes or len(data))
        await self.source.send(AxiStreamFrame(data))
        assert await self.until(RECEIVE, IDLE | HALTED) & (IDLE | HALTED | COMPLETE) == IDLE | COMPLETE
        assert await self.read(RECEIVE + LENGTH) == len(data)
        start = address - BASE
        assert bytes(self.memory.bytes) == before[:start] + data + before[start + len(data) :]


async def stream_rules(dut: Any) -> None:
    """What is offered and not taken is offered again, unchanged, but in the kernel's reset."""
    waiting = None
    while True:
        await RisingEdge(dut.clock)
        if not dut.kernel_resetn.value:
            assert not dut.out_tvalid.value or waiting is not None or not dut.resetn.value
            waiting = None
            continue
        offered = (dut.out_tdata.value, dut.out_tkeep.value, dut.out_tlast.value) if dut.out_tvalid.value else None
        assert waiting is None or offered == waiting, "the stream withdrew or changed what it had offered"
        waiting = None if dut.out_tready.value else offered


async def burst_rules(dut: Any) -> None:
    """Bursts are of at most 16 words within 4 KB; what is offered stays; no data comes before its address."""
    channels = {
        name: [getattr(dut, f"mem_{name}{signal}") for signal in signals]
        for name, signals in {
            "ar": ["addr", "len", "size", "burst"],
            "aw": ["addr", "len", "size", "burst"],
            "w": ["data", "strb", "last"],
        }.items()
    }
    waiting: dict[str, Any] = dict.fromkeys(channels)
    while True:
        await RisingEdge(dut.clock)
        if not dut.resetn.value:
            waiting = dict.fromkeys(channels)
            continue
        for name, signals in channels.items():
            valid, ready = getattr(dut, f"mem_{name}valid").value, getattr(dut, f"mem_{name}ready").value
            offered = [signal.value for signal in signals] if valid else None
            assert waiting[name] is None or offered == waiting[name], f"{name} withdrew what it had offered"
            waiting[name] = None if ready else offered
            if offered is not None and name != "w":
                address, length, size, burst = (int(value) for value in offered)
                assert length < 16 and size == 3 and burst == 1
                assert address % 8 == 0 and address // 4096 == (address + 8 * length) // 4096


Board.rules = (stream_rules, burst_rules)
