"""The governor on a stream whose difficulty changes: clean digits, rotated ones, noisy ones, and clean ones again."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee.bench.exit_rule import corruptions
from pynq_ee.exits import governor

#: The spells of the stream.
SPELLS = ("clean", "rotated by 30 degrees", "noise, deviation 96", "clean")

#: Mean time within this share of the target counts as held.
TOLERANCE = 0.1
_SMOOTHING = 10


def trace(
    network: Any,
    images: npt.NDArray[np.uint8],
    costs: tuple[float, ...],
    *,
    target_share: float = 0.8,
    cap: tuple[float, ...] | None = None,
    batch: int = 64,
    batches: int = 60,
) -> dict[str, Any]:
    """Govern such a stream, and let the same stream pass without the governor.

    The time of a batch is that of its images' exits by ``costs``, so that the trace shows the controller and not the
    noise of this machine's clock.

    Parameters
    ----------
    network
        An open :class:`~pynq_ee.inference.EarlyExitInference`.
    images
        uint8 (N, 28, 28).
    costs
        Seconds of an image that leaves at each exit.
    target_share
        The target is the mean time of clean images when this share leaves at the first exit and the rest at the last.
    cap
        See :func:`pynq_ee.exits.governor.hold`.

    Returns
    -------
    ``target_seconds``, ``cap``, ``spells`` (name and first batch, and the batches until the rate was held, None where
    it was not), and by batch ``seconds``, ``threshold`` (of exit 1), ``early_share``, ``capped`` and
    ``ungoverned_seconds``.
    """
    target = target_share * costs[0] + (1 - target_share) * costs[-1]

    def seconds_of(prediction: Any) -> float:
        return float(np.mean(np.asarray(costs)[prediction.exits - 1]))

    def stream() -> Any:
        for number, name in enumerate(SPELLS):
            rows = np.random.default_rng(number).integers(0, len(images), batch * batches)
            changed = corruptions.corrupt(name, images[rows])
            yield from (changed[start : start + batch] for start in range(0, len(changed), batch))

    held = list(governor.hold(network, stream(), mean_seconds=target, cap=cap, batch=batch, seconds_of=seconds_of))
    alone = [seconds_of(prediction) for prediction in network.stream(stream(), batch=batch)]
    seconds = np.array([each.seconds for each in held])
    spells = [
        {
            "name": name,
            "batch": number * batches,
            "settled_after": _settled(seconds[number * batches : (number + 1) * batches], target),
        }
        for number, name in enumerate(SPELLS)
    ]
    return {
        "device": str(network.device.name),
        "target_seconds": target,
        "costs_seconds": list(costs),
        "cap": list(network.threshold if cap is None else cap),
        "images_a_batch": batch,
        "spells": spells,
        "seconds": seconds.tolist(),
        "threshold": [each.thresholds[0] for each in held],
        "early_share": [float(np.mean(each.prediction.exits < network.model.exits)) for each in held],
        "capped": [each.capped for each in held],
        "ungoverned_seconds": alone,
    }


def _settled(seconds: npt.NDArray[np.float64], target: float) -> int | None:
    """Batches until the mean of the next few is within the tolerance, and None where it never is."""
    means = np.convolve(seconds, np.ones(_SMOOTHING) / _SMOOTHING, "valid")
    within = np.flatnonzero(np.abs(means / target - 1) < TOLERANCE)
    return int(within[0]) if len(within) else None
