"""How faults get into the simulated board: taps between its parts, which do nothing until a fault is armed.

A *point* is a method of one part, named like ``dma.receive.accept``. Every point that a fault may need is tapped once;
the tap calls the method itself, or, while a fault acts, the fault's function around it. So the models know of no
fault, and a fault is a table entry (:mod:`pynq_ee.sim.faults`).
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from pynq_ee.errors import InputError, TransferError

#: Every batch passes here first: the driver arms the receive channel with the length of the results.
BATCH = "dma.receive.start"
#: The results of every batch pass here, on their way to the host.
INVALIDATION = "device.invalidate"
#: Every buffer passes here.
ALLOCATION = "memory.allocate"

#: What is tapped.
POINTS = (
    BATCH,
    "dma.receive.accept",
    "dma.receive.complete",
    "dma.receive.read",
    "dma.send.offered",
    "dma.send.settle",
    "dma.send.read",
    "accelerator.kernel",
    "accelerator.read",
    INVALIDATION,
    ALLOCATION,
)
#: A soft reset of the DMA passes here.
_RESET = "dma.send.reset"

#: What can end a fault; each ends what those before it end.
_ENDS = ("batch", "reset", "download", "removal")

#: ``(shot, method, *arguments)``: what happens at a point instead of ``method(*arguments)``.
Tap = Callable[..., Any]


@dataclass(frozen=True)
class Fault:
    """One way in which the board can misbehave.

    Attributes
    ----------
    happens
        What happens on the wire, in words.
    taps
        Functions by the point that they act at.
    error
        What the driver raises when the fault comes with every attempt. None: nothing is raised.
    noticed
        How the driver notices it; where it does not, why not.
    verify
        The least of :data:`pynq_ee.driver.accelerator.VERIFY` by which the driver notices it.
    otherwise
        What becomes of the batch by less than that, in words.
    until
        What ends it: its batch is over; the DMA is reset; the fabric is programmed again; or only its removal. Each
        ends those before it too.
    delayed
        The batch itself is right, but the one after it has to be sent again.
    occasion
        The point whose calls are counted: a batch begins, results are invalidated, or a buffer is allocated.
    """

    happens: str
    taps: Mapping[str, Tap]
    error: type[Exception] | None
    noticed: str
    verify: Literal["none", "results", "all"] = "none"
    otherwise: str = "**not noticed**"
    until: Literal["batch", "reset", "download", "removal"] = "batch"
    occasion: str = BATCH
    delayed: bool = False

    @property
    def retried(self) -> bool:
        """Whether the driver sends the batch again, and it comes out right unless the fault comes again."""
        return self.error is not None and issubclass(self.error, TransferError) and self.until != "removal"


@dataclass
class Shot:
    """A fault that is armed on a board. A context manager: at its end the fault is gone.

    Attributes
    ----------
    first, last
        Occasions (batches, or allocations), counted from 1 when it was armed, with which the fault comes.
    hits
        Occasions with which it has come.
    acting
        Whether it acts now.
    parts
        The board's parts by name.
    generator
        What its random choices are drawn from.
    memory
        What the fault keeps while it acts.
    """

    fault: Fault
    first: int
    last: float
    parts: Mapping[str, Any]
    generator: np.random.Generator
    _armed: list[Shot]
    occasions: int = 0
    hits: int = 0
    acting: bool = False
    memory: dict[str, Any] = field(default_factory=dict)

    def begin(self) -> None:
        """Count an occasion, and act or cease to."""
        self.occasions += 1
        hit = self.first <= self.occasions <= self.last
        self.hits += hit
        self.acting = hit or (self.acting and self.fault.until != "batch")
        self.memory.clear()

    def end(self, cause: Literal["reset", "download"]) -> None:
        """Cease to act, if ``cause``, a reset or a download, ends this fault."""
        self.acting &= _ENDS.index(self.fault.until) > _ENDS.index(cause)

    def remove(self) -> None:
        """Disarm the fault. May be called twice. What it has broken already stays as it is."""
        self.acting = False
        if self in self._armed:
            self._armed.remove(self)

    def __enter__(self) -> Shot:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()

    def __eq__(self, other: object) -> bool:
        return self is other


class Injector:
    """The faults that are armed on one board."""

    def __init__(self) -> None:
        self._armed: list[Shot] = []
        self._parts: dict[str, Any] = {}

    def attach(self, **parts: Any) -> None:
        """Tap the points of new parts. Faults that act on parts of the same name before them end."""
        self._parts.update(parts)
        for point in (*POINTS, _RESET):
            part, _, method = point.partition(".")
            if part in parts:
                owner, _, method = method.rpartition(".")
                holder = operator.attrgetter(owner)(parts[part]) if owner else parts[part]
                if not hasattr(holder, method):  # a point of another realization, whose faults alone act there
                    continue
                setattr(holder, method, functools.partial(self._pass, point, getattr(holder, method)))
        self._end("download")

    def arm(self, fault: Fault, batch: int = 1, times: int | None = 1, seed: int = 0) -> Shot:
        """Arm a fault; see :meth:`pynq_ee.sim.device.SimulatedDevice.inject`."""
        if batch < 1 or (times is not None and times < 1):
            raise InputError(f"batch is {batch} and times {times}; both count from 1 (times=None: for ever)")
        last = float("inf") if times is None else batch + times - 1
        shot = Shot(fault, batch, last, self._parts, np.random.default_rng(seed), self._armed)
        self._armed.append(shot)
        return shot

    def _pass(self, point: str, method: Callable[..., Any], *arguments: Any) -> Any:
        if not self._armed:
            return method(*arguments)
        if point == _RESET:
            self._end("reset")
        armed = tuple(self._armed)
        for shot in armed:
            if shot.fault.occasion == point:
                shot.begin()
        for shot in armed:
            if shot.acting and point in shot.fault.taps:
                method = functools.partial(shot.fault.taps[point], shot, method)
        return method(*arguments)

    def _end(self, cause: Literal["reset", "download"]) -> None:
        for shot in self._armed:
            shot.end(cause)
