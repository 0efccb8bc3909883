"""Time on a machine, *modelled*: counted instructions times cycles each, bytes over bandwidths, and what overlaps.

A batch of a stream costs the host these stages, one after the other::

    fill          images copied into the DMA's buffer
    clean         the images' cache lines to memory
    start         register accesses
    invalidate    the results' cache lines
    collect       results read from memory
    python        interpreter, NumPy and C library, without the copy
    decide        the native engine: labels, entropies, verdicts
    remainder     the native engine: what stays
    hand over     where two cores share the remainder: what is executed for that, a thread woken, and another waited for

Images that are written in place need no copy, and are not in the cache. The driver overlaps all of it with the fabric's
work on another batch, but for the register accesses and the Python around those. So a batch takes as long as the
busiest of cores, and of fabric, port and memory with what is not overlapped. Two cores share the remainder, piece by
piece: the second one begins, and the first one helps when it has done all else, so they are busy for the same time,
unless the first one has more of its own. A batch of one image is a call of its own, in which nothing overlaps.

All functions take plain numbers, which :func:`at` gives: of a board at its worst, as usual and at its best. The range
holds everything that the constants allow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from pynq_ee.bench.board.counts import Counts, Kinds
from pynq_ee.bench.board.machines import QUANTITIES, Machine, Range
from pynq_ee.inference import LEAST_BESIDE
from pynq_ee.network import spec
from pynq_ee.network.spec import Spec

#: A constant of a machine each.
Constants = Mapping[str, float]

#: Names of a batch's parts, and seconds.
Seconds = dict[str, float]

WORST, USUAL, BEST = "worst", "usual", "best"

#: Register accesses of a transfer, counted by ``python -m pynq_ee.bench.host.transfer_paths``.
ACCESSES = 12
#: Of the Python of a batch, what stands between two batches of the fabric. Estimated from what ``pynq-ee bench``
#: measures of batches of one image, where there is little but Python.
PYTHON_BETWEEN = 0.2
#: Times that a thread of each core is woken for a batch that they share, at most.
WAKES = 2
#: Python of a batch all in software, for that of one in the fabric: there is no transfer. Estimated likewise.
PYTHON_SOFTWARE = 0.6


@dataclass(frozen=True)
class Batch:
    """What is computed, and how.

    Attributes
    ----------
    images
        In a batch; one is a call of its own.
    cores
        1 or 2.
    in_place
        Images are written into the DMA's memory by whoever makes them.
    """

    images: int
    cores: int = 1
    in_place: bool = False


@dataclass(frozen=True)
class Time:
    """A batch of ``images``: seconds that it takes, and for each thing that works on it the seconds that it is busy."""

    images: int
    seconds: float
    busy: Seconds
    stages: Seconds

    @property
    def an_image(self) -> float:
        """Seconds of an image."""
        return self.seconds / self.images

    @property
    def bound(self) -> str:
        """What is busy longest; of a core also its longest stage."""
        most = max(self.busy.values())
        name, *others = [each for each, seconds in self.busy.items() if math.isclose(seconds, most)]
        if others:
            name = "both cores"
        parts = _ON_CORE.get(name, ())
        longest = max((each for each in parts if each in self.stages), key=lambda each: self.stages[each], default="")
        return f"{name}, {'NEON, ' if longest in _VECTOR else ''}{longest}" if longest else name


#: Stages of the native engine's vector code.
_VECTOR = ("first exit", "decide", "remainder")

_FIRST = ("fill", "clean", "start", "invalidate", "collect", "python", "decide", "hand over")
_ON_CORE = {
    "core": (*_FIRST, "remainder", "first exit"),
    "both cores": (*_FIRST, "remainder"),
    "first core": _FIRST,
    "second core": ("remainder",),
}


def at(machine: Machine, when: str) -> dict[str, float]:
    """The machine's constants, all at their ``worst``, ``usual`` or ``best``."""
    return {
        name: value_of(machine.ranges[name], when, quantity.more_is_faster) for name, quantity in QUANTITIES.items()
    }


def value_of(value: Range, when: str, more_is_faster: bool) -> float:
    """One end of a range, or what is usual."""
    if when == USUAL:
        return value.typical
    return value.high if (when == BEST) == more_is_faster else value.low


def native_cycles(kinds: Kinds, constants: Constants) -> float:
    """An image in the native engine: instructions of each kind times their cycles."""
    return sum(number * constants[kind] for kind, number in kinds.items())


def native_seconds(kinds: Kinds, constants: Constants) -> float:
    """The same over the clock."""
    return native_cycles(kinds, constants) / (constants["clock"] * 1e6)


def python_seconds(instructions: float, constants: Constants) -> float:
    """Instructions of Python, NumPy and the C library, counted on another processor perhaps."""
    cycles = instructions * constants["interpreter instructions"] * constants["interpreter"]
    return cycles / (constants["clock"] * 1e6)


def copy_seconds(nbytes: float, megabytes_a_second: float) -> float:
    """Bytes over a bandwidth."""
    return nbytes / (megabytes_a_second * 1e6)


def lines_seconds(nbytes: float, line_bytes: int, nanoseconds: float, call_microseconds: float) -> float:
    """A system call that maintains the cache lines of a buffer, which begins and ends with a line."""
    return -(-nbytes // line_bytes) * nanoseconds * 1e-9 + call_microseconds * 1e-6


def host_stages(batch: Batch, counts: Counts, constants: Constants, line_bytes: int) -> Seconds:
    """Seconds of a batch on the host, by stage, whichever core does it."""
    sent, returned = batch.images * spec.IMAGE_PIXELS, batch.images * counts.returned
    call = constants["call"]
    stages = {
        "fill": 0.0 if batch.in_place else copy_seconds(sent, constants["copy"]),
        "clean": 0.0 if batch.in_place else lines_seconds(sent, line_bytes, constants["clean"], call),
        "start": ACCESSES * constants["access"] * 1e-9,
        "invalidate": lines_seconds(returned, line_bytes, constants["invalidate"], call),
        "collect": copy_seconds(returned, constants["read"]),
        "python": python_seconds(counts.interpreter(batch.images), constants),
        "decide": batch.images * native_seconds(counts.native["decision"], constants),
        "remainder": batch.images * counts.undecided * native_seconds(counts.native["remainder"], constants),
    }
    if _shared(batch, counts):
        stages["hand over"] = python_seconds(counts.handing, constants) + WAKES * constants["wake"] * 1e-6
    return stages


def _shared(batch: Batch, counts: Counts) -> bool:
    """Whether so many images stay that the remainder is handed over."""
    return batch.cores > 1 and round(batch.images * counts.undecided) >= LEAST_BESIDE


def memory_bytes(batch: Batch, counts: Counts) -> float:
    """Bytes over the memory's bus for a batch.

    The DMA reads the images and writes the results, the host reads those, and the images are written to memory. A copy
    reads the images twice more: where they come from, and the lines that it writes.
    """
    images = batch.images * spec.IMAGE_PIXELS * (2 if batch.in_place else 4)
    return images + 2 * batch.images * counts.returned


def in_fabric(batch: Batch, counts: Counts, machine: Machine, when: str, circuit: Spec = spec.DEFAULT) -> Time:
    """A batch whose first exit is in the fabric of a board."""
    constants = at(machine, when)
    stages = host_stages(batch, counts, constants, machine.line_bytes)
    clock = machine.board.clock_mhz * 1e6
    fabric = {
        "fabric": _clocks(circuit, batch.images) / clock,
        "HP port": batch.images * circuit.image_beats / (clock * constants["port efficiency"]),
        "DDR": memory_bytes(batch, counts) / (constants["memory bus"] * constants["memory efficiency"] * 1e6),
    }
    if batch.images == 1:
        busy = {"core": sum(stages.values()), **fabric}
        return Time(1, busy["core"] + fabric["fabric"], busy, {**stages, "fabric": fabric["fabric"]})
    between = stages["start"] + PYTHON_BETWEEN * stages["python"]
    busy = {
        **_cores(stages, constants["second core"], batch.cores),
        **{name: each + between for name, each in fabric.items()},
    }
    return Time(batch.images, max(busy.values()), busy, {**stages, "fabric": fabric["fabric"]})


@cache
def _clocks(circuit: Spec, images: int) -> int:
    from pynq_ee.sim import dataflow

    return dataflow.batch_clocks(circuit, images, True)


def _cores(stages: Seconds, second: float, cores: int) -> Seconds:
    """What the cores are busy with for a batch."""
    whole = sum(stages.values())
    if cores == 1:
        return {"core": whole}
    handed = stages["remainder"] if "hand over" in stages else 0.0
    helped = max(0.0, handed - whole / 2)  # what the first core takes back, so that both have half
    return {"first core": (whole - handed + helped) / second, "second core": (handed - helped) / second}


def in_software(batch: Batch, counts: Counts, machine: Machine, when: str) -> Time:
    """A batch all in software, on one core or shared between two."""
    constants = at(machine, when)
    python = PYTHON_SOFTWARE * python_seconds(counts.interpreter(batch.images), constants)
    tasks = {"first-exit": 1.0, "decision": 1.0, "remainder": counts.undecided}
    native = {
        task: batch.images * share * native_seconds(counts.native[task], constants) for task, share in tasks.items()
    }
    shared = batch.cores > 1 and batch.images > 1
    speed = 2 * constants["second core"] if shared else 1.0
    stages = {"first exit": native["first-exit"] / speed, "decide": native["decision"]}
    stages |= {"remainder": native["remainder"] / speed, "python": python}
    seconds = sum(stages.values())
    return Time(batch.images, seconds, {"core": seconds}, stages)
