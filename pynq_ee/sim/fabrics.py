"""What the fabric of a simulated board is made of: models of its parts in Python, or the circuit itself.

A :class:`Fabric` is what a board has, a :class:`Logic` what is in it once it is programmed. Another realization is
another of each, and the board knows no more of them than this.
"""

from __future__ import annotations

import collections
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from pynq_ee.errors import InputError
from pynq_ee.generate import hwh
from pynq_ee.network import spec
from pynq_ee.network.spec import Board
from pynq_ee.network.weights import Model
from pynq_ee.sim import dataflow, recorded_designs
from pynq_ee.sim.bus import Bus
from pynq_ee.sim.dram import Dram
from pynq_ee.sim.faults import FAULTS
from pynq_ee.sim.injection import Fault
from pynq_ee.sim.kernel import Kernel
from pynq_ee.sim.pacing import Worker
from pynq_ee.sim.programmable_logic import ProgrammableLogic


class Logic(Protocol):
    """One bitstream's circuits, in the state after programming."""

    @property
    def parts(self) -> Mapping[str, Any]:
        """What faults act on, by the names of their points (:mod:`pynq_ee.sim.injection`)."""

    @property
    def resets(self) -> int:
        """Resets of the accelerator so far."""

    @property
    def interrupt(self) -> bool:
        """Level of the interrupt to the processor."""

    def connect(self, bus: Bus) -> None:
        """Let the circuits answer at their addresses."""

    def disconnect(self, bus: Bus) -> None:
        """Let them answer no longer, for good."""

    def settle(self) -> None:
        """Let everything happen that can happen without the processor: before it reads, or while it waits."""

    def written(self) -> None:
        """Let happen what a written register sets going at once."""

    def settle_reset(self) -> None:
        """Let a soft reset of the DMA reach what hangs on it."""


class Fabric(ABC):
    """The fabric of one board, whatever it is programmed with.

    Attributes
    ----------
    name
        What the board's name says of it.
    faults
        The faults that it can be asked for.
    """

    name: str
    faults: Mapping[str, Fault] = FAULTS

    @abstractmethod
    def program(self, hwh: Path, memory: Dram) -> Logic:
        """What is in the fabric once a bitstream with this description is.

        Raises
        ------
        DeviceError
            A design that cannot be simulated.
        OverlayError
            No .hwh, or a damaged one.
        """

    def design(self, board: Board, beat_bits: int) -> hwh.Design:
        """What describes the overlay to software, for a board and streams of so many bits.

        Raises
        ------
        DeviceError
            There is no such overlay.
        """
        return recorded_designs.load(board.name, beat_bits)

    @property
    @abstractmethod
    def clocks(self) -> int:
        """Clocks that all batches so far have taken."""

    @property
    def batch_clocks(self) -> int | None:
        """Clocks of the last batch, *counted*; None: nobody counts them."""
        return None

    def close(self) -> None:  # noqa: B027  # most have nothing to close
        """Switch it off. May be called twice."""

    def pace(self, worker: Worker, seconds_a_clock: float, circuit: Callable[[], object]) -> None:
        """Let batches take so long, in a thread of their own.

        Raises
        ------
        InputError
            This fabric has no time of its own.
        """
        raise InputError(f"a fabric of {self.name} takes the time that its clocks take here; it has no pace")


class FunctionalFabric(Fabric):
    """Models of the parts, in Python, around a kernel that computes.

    Parameters
    ----------
    model
        The network whose first exit the kernel computes.
    kernel
        What computes.
    name
        Of the kernel.
    """

    def __init__(self, model: Model, kernel: Kernel, name: str) -> None:
        self.name = f"{name} kernel"
        self._spec = model.spec
        self._kernel = kernel
        self._runs: collections.Counter[tuple[int, int]] = collections.Counter()

    def program(self, hwh: Path, memory: Dram) -> ProgrammableLogic:
        """What the .hwh describes, made of models."""
        return ProgrammableLogic(hwh, memory, self._kernel, self._spec.beat_bytes, self._count_run)

    @property
    def clocks(self) -> int:
        """By the cycle model of the dataflow, with the DMA always ready (*modelled*)."""
        return sum(runs * self._clocks(images, mode) for (images, mode), runs in self._runs.items())

    def pace(self, worker: Worker, seconds_a_clock: float, circuit: Callable[[], object]) -> None:
        """Let the kernel take its time, by the cycle model."""
        self._kernel = worker.paced(
            self._kernel, lambda images, mode: seconds_a_clock * self._clocks(images, mode), circuit
        )

    def _count_run(self, images: int, mode: int) -> None:
        self._runs[images, mode & spec.MODE_FEATURES] += 1

    def _clocks(self, images: int, mode: int) -> int:
        return dataflow.batch_clocks(self._spec, images, bool(mode & spec.MODE_FEATURES))
