"""The kernel under test and what others wrote around it: a master and streams; and what the NumPy model says of it."""

from __future__ import annotations

import os
import random
from typing import Any

import bench_board
import cocotb.utils
import numpy as np
import numpy.typing as npt
from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiStreamFrame

from pynq_ee.network import spec, weights
from pynq_ee.network.spec import REGISTER_OFFSET
from pynq_ee.sim.kernel import Run, numpy_kernel

CTRL, GIER, IER, ISR = (REGISTER_OFFSET[name] for name in ("CTRL", "GIER", "IP_IER", "IP_ISR"))
ARGUMENTS = ("num_images", "mode", "feature_margin")
VALUES = tuple(register.name for register in spec.REGISTERS if register.access == "read-only")

#: A run that has not ended by then has hung, in clocks: more than any batch here takes at its slowest.
LONGEST = 20_000

Bytes = npt.NDArray[np.uint8]


class Board(bench_board.Board):
    """The kernel, and what its model says of it."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut, "images", "results", dut.resetn)
        self.model = weights.load(os.environ["MODEL"])
        self.kernel = numpy_kernel(self.model)

    async def reset(self) -> None:
        self.dut.resetn.value = 0
        await self.clocks(4)
        self.source.clear()
        self.sink.clear()
        self.dut.resetn.value = 1
        await self.clocks(4)
        self.source.clear()
        self.sink.clear()

    async def values(self) -> dict[str, int]:
        return {name: await self.read(REGISTER_OFFSET[name]) for name in VALUES}

    async def start(self, *arguments: int) -> None:
        """Write num_images, mode and feature_margin, and start."""
        for name, value in zip(ARGUMENTS, arguments, strict=True):
            await self.write(REGISTER_OFFSET[name], value)
        await self.write(CTRL, spec.CTRL_START)

    async def ended(self) -> None:
        """Read the control register until the run is done."""
        since = cocotb.utils.get_sim_time("ns")
        while (control := await self.read(CTRL)) & spec.CTRL_START:
            assert control == spec.CTRL_START
            assert cocotb.utils.get_sim_time("ns") - since < 10 * LONGEST, "the run hangs"
        assert control == spec.CTRL_DONE | spec.CTRL_IDLE | spec.CTRL_READY

    def sends(self, beats: Bytes, last: Bytes) -> None:
        """Offer beats on the stream of images."""
        for packet in np.split(beats, np.flatnonzero(last) + 1):
            if len(packet):
                self.source.send_nowait(AxiStreamFrame(packet.tobytes()))

    def expected(self, beats: Bytes, last: Bytes, *arguments: int) -> Run:
        run = self.kernel(beats, last, *arguments)
        assert run is not None
        return run

    def gave(self, run: Run) -> None:
        """The results that are there are those of a run, and a single packet."""
        if len(run.output):
            assert bytes(self.sink.recv_nowait().tdata) == run.output.tobytes()
        assert self.sink.empty() and not self.dut.results_tvalid.value

    async def batch(self, beats: Bytes, last: Bytes, *arguments: int) -> Run:
        """Start a run, send its beats, and see that it gives what the model says, in stream and registers."""
        run = self.expected(beats, last, *arguments)
        await self.start(*arguments)
        self.sends(beats[: run.consumed], last[: run.consumed])
        await self.ended()
        self.gave(run)
        assert await self.values() == run.registers
        for name in VALUES:
            assert await self.read(REGISTER_OFFSET[name] + 4) == 1, name
            assert await self.read(REGISTER_OFFSET[name] + 4) == 0, name
        assert await self.read(CTRL) == spec.CTRL_IDLE
        return run

    def whole(self, images: Bytes) -> tuple[Bytes, Bytes]:
        """Beats and TLAST of a batch that has all of its beats."""
        beats = np.ascontiguousarray(images).reshape(-1, self.model.spec.beat_bytes)
        last = np.zeros(len(beats), np.uint8)
        last[-1:] = 1
        return beats, last


def pictures(count: int) -> Bytes:
    """Images uint8 (count, 28, 28): noise, with black, white and blocks among them."""
    numpy_random = np.random.default_rng(random.randrange(1 << 32))
    images = numpy_random.integers(0, 256, (count, 28, 28)).astype(np.uint8)
    for image in images:
        kind = random.randrange(4)
        if kind == 0:
            image[:] = random.choice((0, 255))
        elif kind == 1:
            image[:] = np.kron(numpy_random.integers(0, 2, (7, 7)) * 255, np.ones((4, 4)))
    return images


async def stream_rules(dut: Any) -> None:
    """What is offered and not taken is offered again, unchanged, until a reset; all of a beat's bytes belong to it."""
    waiting = None
    while True:
        await RisingEdge(dut.clock)
        if not dut.resetn.value:
            waiting = None
            continue
        offered = (dut.results_tdata.value, dut.results_tlast.value) if dut.results_tvalid.value else None
        assert offered is None or dut.results_tkeep.value.to_unsigned() + 1 == 1 << len(dut.results_tkeep)
        assert waiting is None or offered == waiting, "the stream withdrew or changed what it had offered"
        waiting = None if dut.results_tready.value else offered


Board.rules = (stream_rules,)
