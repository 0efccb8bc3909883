"""What nextpnr-xilinx says of a routed circuit: its estimate of the clock, the longest path, and what is used."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pynq_ee.errors import DataError

#: What its estimate does not cover, for the manifest.
NOT_COVERED = (
    "hold",
    "clock skew",
    "setup, hold and clock-to-output of registers beyond a constant 0.1 ns",
    "the processor, block RAM and distributed RAM beyond the registers beside them",
    "jitter, voltage and temperature",
)

_FREQUENCY = re.compile(r"Max frequency for clock\s+'([^']+)': ([0-9.]+) MHz")
_USED = re.compile(r"^Info:\s+(\w+):\s*(\d+)/\s*(\d+)\s+\d+%", re.MULTILINE)

#: Kinds of places that are told in a manifest, by nextpnr's name. A look-up table has two: of five inputs, and of six.
_KINDS = {"SLICE_LUTX": "LUT BEL", "SLICE_FFX": "FF", "CARRY4": "CARRY4", "RAMB18E1": "RAMB18", "RAMB36E1": "RAMB36"}


@dataclass(frozen=True)
class Placement:
    """``mhz`` is the estimate after routing by clock; ``used`` has [used, available] by kind; ``path`` is the longest
    path in nextpnr's words."""

    mhz: dict[str, float]
    used: dict[str, list[int]]
    path: str


def read(log: str) -> Placement:
    """Read the log of a run that placed and routed.

    Raises
    ------
    DataError
        It has no critical path: the run did not come so far.
    """
    _, found, routed = log.rpartition("Critical path report for clock")
    if not found:
        raise DataError("the log of nextpnr-xilinx has no critical path: it did not route")
    path = found + routed.partition("Max frequency")[0]
    mhz = {clock: float(value) for clock, value in _FREQUENCY.findall(routed)}
    if not mhz:
        raise DataError("the log of nextpnr-xilinx has no frequency behind its critical path")
    used = {
        _KINDS[kind]: [int(count), int(available)] for kind, count, available in _USED.findall(log) if kind in _KINDS
    }
    return Placement(mhz, used, path.replace("Info:", "").strip())
