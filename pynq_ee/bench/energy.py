"""Energy: read from counters or rails where there are any, else modelled with constants that are cited.

================  ===============================================================================================
source            where
================  ===============================================================================================
RAPL              x86 hosts whose powercap counters this user may read: the processor's package, *measured*
rails             boards with PMBus or hwmon sensors that ``pynq.get_rails`` finds: the rail of the most power,
                  *measured*
model             everywhere else: watts of :data:`HOSTS` and :data:`FABRICS` times seconds, *modelled*
================  ===============================================================================================
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pynq_ee.bench.machine import processor
from pynq_ee.errors import ToolError
from pynq_ee.exits.costs import Costs
from pynq_ee.network import spec

POWERCAP = Path("/sys/class/powercap")

#: Seconds between two samples of a rail.
RAIL_SECONDS = 0.02


@dataclass(frozen=True)
class Power:
    """Watts of a constant, and who says so."""

    watts: float
    source: str


#: One busy core of a host, by a word in its processor's name.
HOSTS: dict[str, Power] = {
    "EPYC": Power(
        280 / 64, "AMD EPYC 7763: 280 W TDP for 64 cores (AMD, EPYC 7003 series processors, data sheet, 2021)"
    ),
    "ARMv7": Power(
        1.5,
        "Zynq-7020 on a PYNQ-Z2 while it infers, processor and fabric together: 30 uJ in 20 us "
        "(Borras et al., MLPerf Tiny on FPGAs, arXiv:2206.11791, 2022)",
    ),
}
#: The fabric of a board while it works, by the board's processor. The figure is for the whole chip, so that it errs
#: to the fabric's disadvantage.
FABRICS: dict[str, Power] = {"zynq7": HOSTS["ARMv7"]}


@dataclass(frozen=True)
class Model:
    """Watts of a busy core of the host and of the fabric; None where no constant is known."""

    host: Power | None
    fabric: Power | None

    def joules(self, host_seconds: float, fabric_seconds: float, cores: int = 1) -> float | None:
        """Energy of an image (*modelled*): busy cores of the host, and the fabric for as long as it is there."""
        if self.host is None or (fabric_seconds and self.fabric is None):
            return None
        fabric = self.fabric.watts * fabric_seconds if self.fabric else 0.0
        return cores * self.host.watts * host_seconds + fabric

    @property
    def sources(self) -> list[str]:
        """What the constants rest on."""
        return sorted({power.source for power in (self.host, self.fabric) if power})


def model_for(board: spec.Board | None = spec.DEFAULT_BOARD) -> Model:
    """The constants for this host and a board's fabric; None: there is no fabric."""
    name = processor()
    host = next((power for word, power in HOSTS.items() if word in name), None)
    return Model(host, FABRICS.get(board.processor) if board else None)


def joules(costs: Costs, model: Model) -> Costs:
    """Costs in joules out of costs in seconds (*modelled*); the fabric's energy belongs to the first exit.

    Raises
    ------
    ToolError
        No constant is known for this host or this fabric.
    """
    if model.host is None or (costs.overlapped and model.fabric is None):
        missing = "host" if model.host is None else "fabric"
        raise ToolError(
            f"the energy of this {missing} can neither be measured for one exit nor modelled: no cited constant for "
            f"{processor()!r}; constrain the time instead (max_mean_seconds), or add one to pynq_ee.bench.energy"
        )
    first, *later = (model.host.watts * seconds for seconds in costs.stages)
    fabric = model.fabric.watts * costs.overlapped if model.fabric else 0.0
    return Costs(
        (first + fabric, *later),
        0.0,
        "joules",
        f"modelled: {'; '.join(model.sources)}; seconds: {costs.source}",
        costs.spread,
    )


# Measured ------------------------------------------------------------------------------------------------------------


class Meter(Protocol):
    """Joules between entering and leaving a ``with`` block."""

    joules: float
    """Set when the block ends."""
    source: str
    """What was measured."""

    def __enter__(self) -> Meter: ...

    def __exit__(self, *exception: object) -> None: ...


class Rapl:
    """The processor packages' energy counters."""

    source = "RAPL, whole package, idle power included"

    def __init__(self, domains: list[Path]) -> None:
        self.joules = 0.0
        self._domains = domains
        self._begin: list[int] = []

    def __enter__(self) -> Rapl:
        self._begin = [_number(domain / "energy_uj") for domain in self._domains]
        return self

    def __exit__(self, *exception: object) -> None:
        total = 0
        for domain, begin in zip(self._domains, self._begin):
            spent = _number(domain / "energy_uj") - begin
            if spent < 0:  # the counter went through its largest value
                spent += _number(domain / "max_energy_range_uj")
            total += spent
        self.joules = total * 1e-6


class Rails:
    """A board's power sensor, sampled in a thread and integrated by the trapezoid rule."""

    def __init__(self, name: str, watts: Callable[[], float]) -> None:
        self.joules = 0.0
        self.source = f"rail {name}, idle power included"
        self._watts = watts
        self._stop = threading.Event()
        self._samples: list[tuple[float, float]] = []
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def _sample(self) -> None:
        while not self._stop.is_set():
            self._samples.append((time.perf_counter(), self._watts()))
            self._stop.wait(RAIL_SECONDS)

    def __enter__(self) -> Rails:
        self._samples.append((time.perf_counter(), self._watts()))
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()
        self._samples.append((time.perf_counter(), self._watts()))
        self.joules = sum(
            (later - earlier) * (first + second) / 2
            for (earlier, first), (later, second) in zip(self._samples, self._samples[1:])
        )


def rapl_domains(root: Path = POWERCAP) -> list[Path]:
    """Packages whose counter this user may read."""
    return [path for path in sorted(root.glob("intel-rapl:*")) if path.name.count(":") == 1 and _readable(path)]


def meter(rails: dict[str, Any] | None = None) -> Callable[[], Meter] | None:
    """How energy is measured here, as a maker of meters; None where it is not.

    Parameters
    ----------
    rails
        What ``pynq.get_rails()`` returns on a board; None on a host.
    """
    powered = {name: rail for name, rail in (rails or {}).items() if getattr(rail, "power", None) is not None}
    if powered:
        name = max(powered, key=lambda each: powered[each].power.value)
        return lambda: Rails(name, lambda: float(powered[name].power.value))
    domains = rapl_domains()
    return (lambda: Rapl(domains)) if domains else None


def _readable(domain: Path) -> bool:
    try:
        _number(domain / "energy_uj")
    except (OSError, ValueError):
        return False
    return True


def _number(path: Path) -> int:
    return int(path.read_text())
