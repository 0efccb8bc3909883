"""What every bench has: registers behind a master that others wrote, streams, stalls, and rules that are watched."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiStreamBus, AxiStreamSink, AxiStreamSource


def sometimes(share: float) -> Any:
    """Whether to pause in a clock: at random, so often in the mean."""
    while True:
        yield random.random() < share


class Board:
    """A bench, powered up and out of its reset. ``await Board.on(dut)`` makes one.

    Parameters
    ----------
    dut
        The bench.
    source, sink
        Prefixes of the streams into the circuit and out of it.
    streams_resetn
        The reset of what is at their other ends.
    """

    #: Watch over the rules of the buses, and fail where one is broken.
    rules: ClassVar[tuple[Callable[[Any], Coroutine[Any, Any, None]], ...]] = ()

    #: Clocks after which a test has hung; None: nobody counts them.
    longest: ClassVar[int | None] = None

    #: Inputs that are low at the beginning.
    low: ClassVar[tuple[str, ...]] = ()

    def __init__(self, dut: Any, source: str, sink: str, streams_resetn: Any) -> None:
        self.dut = dut
        self.lite = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "lite"), dut.clock, dut.resetn, False)
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, source), dut.clock, streams_resetn, False)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, sink), dut.clock, streams_resetn, False)

    @classmethod
    async def on(cls, dut: Any, stalls: float = 0) -> Any:
        for name in ("resetn", *cls.low):
            getattr(dut, name).value = 0
        cocotb.start_soon(Clock(dut.clock, 10, "ns").start())
        await ClockCycles(dut.clock, 4)
        board = cls(dut)  # type: ignore[call-arg]
        await ClockCycles(dut.clock, 1)
        dut.resetn.value = 1
        for rule in cls.rules:
            cocotb.start_soon(rule(dut))
        if cls.longest is not None:
            cocotb.start_soon(_ends_within(dut, cls.longest))
        await ClockCycles(dut.clock, 4)
        if stalls:
            board.stall(stalls)
        return board

    def channels(self) -> list[Any]:
        """What can be paused."""
        read, write = self.lite.read_if, self.lite.write_if
        lite = (read.ar_channel, read.r_channel, write.aw_channel, write.w_channel, write.b_channel)
        return [*lite, self.source, self.sink]

    def stall(self, share: float) -> None:
        """Pause every channel at random, each by itself."""
        for channel in self.channels():
            channel.set_pause_generator(sometimes(share))

    async def clocks(self, count: int) -> None:
        await ClockCycles(self.dut.clock, count)

    async def read(self, offset: int) -> int:
        return int(await self.lite.read_dword(offset))

    async def write(self, offset: int, value: int) -> None:
        await self.lite.write_dword(offset, value)


async def _ends_within(dut: Any, clocks: int) -> None:
    await ClockCycles(dut.clock, clocks)
    raise TimeoutError(f"no end within {clocks} clocks")
