"""What happens when: the stages of every batch over time, on the host and in the fabric.

Set ``network.trace = Trace()`` to record, and None to stop. A trace has up to four lanes:

- ``host``: what the host does, *measured*;
- ``beside``: the remainder, where a thread of its own computes it meanwhile, *measured*;
- ``in flight``: a batch from its start to when the host found it complete, *measured* by the host;
- ``fabric``: a batch from its start to its completion, as a simulated board with time of its own kept it
  (``SimulatedDevice(pace=..)``, whose ``on_batch`` is :meth:`Trace.add_fabric`): the simulation's wall time,
  *measured*. It is never less than that of the *modelled* clocks, stretched by the pace, and more by what the
  simulation itself takes.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field
from typing import NamedTuple

#: The stages of a prediction's time, in order. All but ``fabric``, which is waiting for it and starting it, overlap
#: with its work.
STAGES = ("input", "fabric", "collect", "entropy", "remainder")

HOST, BESIDE, IN_FLIGHT, FABRIC = "host", "beside", "in flight", "fabric"


class Span(NamedTuple):
    """One stage of one batch. ``begin`` and ``end`` are seconds of ``time.perf_counter``."""

    lane: str
    stage: str
    batch: int
    begin: float
    end: float


@dataclass
class Trace:
    """A recording, in the order in which the stages ended."""

    spans: list[Span] = field(default_factory=list)

    def add(self, lane: str, stage: str, batch: int, begin: float, end: float) -> None:
        """Record a stage."""
        self.spans.append(Span(lane, stage, batch, begin, end))

    def add_fabric(self, begin: float, end: float, images: int) -> None:
        """Record a batch of a simulated board."""
        self.add(FABRIC, "fabric", len(self.lane(FABRIC)), begin, end)

    def lane(self, name: str) -> list[Span]:
        """The spans of one lane."""
        return [span for span in self.spans if span.lane == name]

    @property
    def fabric(self) -> list[Span]:
        """The fabric's work: as the board kept it, or, where it keeps none, as the host saw it."""
        return self.lane(FABRIC) or self.lane(IN_FLIGHT)

    def gaps(self) -> list[tuple[float, float]]:
        """The times between two batches of the fabric, (begin, end)."""
        spans = sorted(self.fabric, key=lambda span: span.begin)
        return [(before.end, after.begin) for before, after in itertools.pairwise(spans)]

    def busy_share(self) -> float:
        """Share of the time from the fabric's first start to its last end in which it worked, 0 to 1."""
        spans = self.fabric
        if not spans:
            return 0.0
        whole = max(span.end for span in spans) - min(span.begin for span in spans)
        return sum(span.end - span.begin for span in spans) / whole


class Stopwatch:
    """Wall time by stage, and a note of each in a trace, if there is one."""

    def __init__(self, trace: Trace | None = None) -> None:
        self.trace = trace
        self.seconds = dict.fromkeys(STAGES, 0.0)

    def note(self, stage: str, batch: int, begin: float) -> float:
        """Count the time from ``begin``, of ``time.perf_counter``, to now as a stage, and return now."""
        end = time.perf_counter()
        self.seconds[stage] += end - begin
        if self.trace is not None:
            self.trace.add(HOST, stage, batch, begin, end)
        return end

    def lap(self) -> dict[str, float]:
        """The seconds by stage since the last lap."""
        seconds, self.seconds = self.seconds, dict.fromkeys(STAGES, 0.0)
        return seconds
