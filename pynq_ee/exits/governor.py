"""Holds a requested rate while the mix of easy and hard images drifts, by moving the thresholds below a cap.

All thresholds are the cap times one factor, 0 to 1. After each batch the factor's logarithm is moved by the relative
error of the time an image: an integral controller, whose only state is the factor, so that it cannot wind up beyond
the cap. Faster than requested means that there is time for more accuracy, and the thresholds sink; slower means that
more images must leave early, and they rise, but never above the cap, which is where accuracy has its say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from pynq_ee.errors import InputError
from pynq_ee.exits import rule

#: Share of the relative error that is corrected in one batch. Of the time an image, a part of the first exit's that
#: no threshold changes is the larger one, so that twice the factor changes the time by much less than twice.
GAIN = 1.0

#: Largest change of the factor's logarithm in one batch: a single slow batch shall not open everything.
LARGEST_STEP = math.log(2)

#: Below this factor nothing leaves that would not leave at 0 as well; it is where the controller rests.
SMALLEST = 1e-3


@dataclass
class Governor:
    """The controller.

    Parameters
    ----------
    target_seconds
        Mean time an image that is to be held.
    cap
        Thresholds in nats, one for each exit but the last, that are never exceeded.
    gain
        See :data:`GAIN`.

    Raises
    ------
    InputError
        A target or a gain that is not finite and more than 0.
    """

    target_seconds: float
    cap: tuple[float, ...]
    gain: float = GAIN
    factor: float = 1.0

    def __post_init__(self) -> None:
        for name in ("target_seconds", "gain"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"{name} is {value}; it must be finite and more than 0")

    @property
    def thresholds(self) -> tuple[float, ...]:
        """The thresholds as they stand, nats."""
        return tuple(self.factor * cap for cap in self.cap)

    @property
    def capped(self) -> bool:
        """The cap is reached: a higher rate would cost more accuracy than it allows."""
        return self.factor >= 1.0

    def observe(self, seconds: float) -> tuple[float, ...]:
        """Take note of the mean time an image of the last batch, seconds; return the thresholds for the next, nats."""
        error = seconds / self.target_seconds - 1
        step = min(max(self.gain * error, -LARGEST_STEP), LARGEST_STEP)
        self.factor = min(max(self.factor * math.exp(step), SMALLEST), 1.0)
        return self.thresholds


class Held(NamedTuple):
    """One batch of a governed stream."""

    prediction: Any
    """The :class:`~pynq_ee.prediction.Prediction`."""
    thresholds: tuple[float, ...]
    """Nats, that it was made with."""
    seconds: float
    """Mean time an image of this batch."""
    capped: bool
    """The thresholds were at their cap."""


def hold(
    network: Any,
    images: Iterable[Any],
    *,
    images_per_second: float | None = None,
    mean_seconds: float | None = None,
    cap: float | Iterable[float] | None = None,
    batch: int = 64,
    seconds_of: Callable[[Any], float] | None = None,
) -> Iterator[Held]:
    """Classify a stream and hold its rate.

    Parameters
    ----------
    network
        An open :class:`~pynq_ee.inference.EarlyExitInference`. Its thresholds are moved meanwhile, and put back.
    images, batch
        As in its ``stream``.
    images_per_second, mean_seconds
        What to hold: one of them.
    cap
        Thresholds in nats that are never exceeded: those that a calibration gave, risk-controlled where a bound must
        hold. By default the network's own.
    seconds_of
        Mean time an image of a prediction. By default :func:`seconds_an_image`.

    Yields
    ------
    Held
        One for each batch. Where ``capped`` stays true, the rate is out of reach below the cap.

    Raises
    ------
    InputError
        No target, or two; a target or a cap out of range.
    """
    if (images_per_second is None) == (mean_seconds is None):
        raise InputError("give one of images_per_second and mean_seconds")
    if images_per_second is not None and not images_per_second > 0:
        raise InputError(f"images_per_second is {images_per_second}; it must be more than 0")
    target = mean_seconds if images_per_second is None else 1 / images_per_second
    before = network.threshold
    governor = Governor(float(target or 0), rule.check_thresholds(before if cap is None else cap, len(before) + 1))
    return _held(network, images, batch, governor, seconds_of or _seconds_of(network), before)


def _held(
    network: Any,
    images: Iterable[Any],
    batch: int,
    governor: Governor,
    seconds_of: Callable[[Any], float],
    before: tuple[float, ...],
) -> Iterator[Held]:
    network.threshold = governor.thresholds
    try:
        for prediction in network.stream(images, batch=batch, beside=False):
            used, capped = network.threshold, governor.capped
            seconds = seconds_of(prediction)
            network.threshold = governor.observe(seconds)
            yield Held(prediction, used, seconds, capped)
    finally:
        network.threshold = before


def seconds_an_image(prediction: Any, simulated_mhz: float | None = None) -> float:
    """Mean time an image of a batch, as the driver's time line has it.

    On a board and in software, the host's stages, the waiting for the fabric or the first exit among them (*measured*).
    On a simulated board, whose clock is ``simulated_mhz``, the larger of the host's work, measured, and the fabric's
    time, *modelled*.
    """
    seconds = dict(prediction.seconds)
    if simulated_mhz is None:
        return float(sum(seconds.values())) / len(prediction)
    del seconds["fabric"]
    return float(max(sum(seconds.values()), prediction.fabric_clocks / (simulated_mhz * 1e6))) / len(prediction)


def _seconds_of(network: Any) -> Callable[[Any], float]:
    simulated_mhz = network.clock_mhz if "simulated" in str(network.device.name) else None
    return lambda prediction: seconds_an_image(prediction, simulated_mhz)
