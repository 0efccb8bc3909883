"""Thresholds whose loss stays under a bound with a stated probability over the draw of the calibration set.

The risk is the share of images that the last exit gets right and the system gets wrong. It bounds the accuracy that
the system loses against its last exit from above. Thresholds are tried along a path that was fixed before the
calibration set was seen, from the safest on; for each, the hypothesis "its risk is above the bound" is tested by the
exact binomial p-value, and the path is left at the first one that is not rejected. By fixed-sequence testing, the
probability that *any* rejected hypothesis is true is at most delta, so all of them may be used, and the cheapest is.

This is Learn-then-Test (Angelopoulos, Bates, Candes, Jordan and Lei, 2021, arXiv:2110.01052) with the risk of
early exits of Jazbec et al., "Fast yet Safe: Early-Exiting with Risk Control" (NeurIPS 2024, arXiv:2405.20915). The
promise is for images from the distribution of the calibration set; it says nothing of others.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import InputError
from pynq_ee.exits import rule
from pynq_ee.exits.costs import Costs
from pynq_ee.exits.scores import ENTROPY_MAX, Scores

#: Distance of two thresholds on the default path, nats. Fixed-sequence testing pays nothing for a fine path.
PATH_STEP = 0.001


class Controlled(NamedTuple):
    """Thresholds whose risk is bounded, and what they rest on."""

    thresholds: tuple[float, ...]
    """Nats, one for each exit but the last."""
    delta: float
    """Probability that the bound may fail."""
    harmed: int
    """Images of the calibration set that the last exit gets right and the system gets wrong."""
    p_value: float
    """Of the hypothesis that the risk is above the bound."""

    def details(self) -> dict[str, float]:
        """All but the thresholds, for a calibration's record."""
        return {"delta": self.delta, "harmed": self.harmed, "p_value": self.p_value}


def harm(scores: Scores, thresholds: tuple[float, ...]) -> npt.NDArray[np.bool_]:
    """Which images the last exit gets right and the system gets wrong, bool (N,)."""
    right = scores.right
    taken = rule.exit_of(scores.entropy, thresholds) - 1
    return np.greater(right[:, -1], right[np.arange(len(scores)), taken])


def smallest_set(max_loss_points: float, delta: float) -> int:
    """Images that a calibration set needs so that a bound can hold at all: with not one harmed image among them."""
    return math.ceil(math.log(delta) / math.log1p(-max_loss_points / 100))


def smallest_bound(images: int, delta: float) -> float:
    """The smallest bound in percentage points that a calibration set of this size can vouch for."""
    return 100 * -math.expm1(math.log(delta) / images)


def p_value(harmed: int, images: int, risk: float) -> float:
    """Probability that at most ``harmed`` of ``images`` are harmed when each is with probability ``risk``."""
    log_pmf = [
        math.lgamma(images + 1)
        - math.lgamma(k + 1)
        - math.lgamma(images - k + 1)
        + k * math.log(risk)
        + (images - k) * math.log1p(-risk)
        for k in range(harmed + 1)
    ]
    return min(1.0, math.fsum(map(math.exp, log_pmf)))


def diagonal(exit_count: int) -> npt.NDArray[np.float64]:
    """The default path: the same threshold for every exit, from 0 to the largest entropy."""
    steps = np.arange(0, ENTROPY_MAX + PATH_STEP, PATH_STEP)
    return np.repeat(steps[:, None], exit_count - 1, axis=1)


def controlled(
    scores: Scores,
    costs: Costs | None = None,
    *,
    max_loss_points: float,
    delta: float = 0.1,
    path: npt.NDArray[np.float64] | None = None,
) -> Controlled:
    """The cheapest thresholds along a path whose risk is at most a bound, with probability ``1 - delta``.

    Parameters
    ----------
    scores
        Of the calibration set, drawn like the images to come, and used for nothing before (not for training, not
        for choosing the path).
    costs
        Of each exit; where there are none, each software stage counts as one.
    max_loss_points
        The bound, percentage points, more than 0 and less than 100.
    delta
        Probability that the bound may fail, over the draw of the calibration set, between 0 and 1.
    path
        Threshold vectors (M, exits - 1) in nats, safest first, chosen without the calibration set.
        :func:`diagonal` by default.

    Returns
    -------
    The thresholds, and what they rest on.

    Raises
    ------
    InputError
        A bound or a delta out of range, or a calibration set too small for them: the message names the smallest
        size for this bound and the smallest bound for this size.
    """
    if not 0 < max_loss_points < 100:
        raise InputError(f"max_loss_points is {max_loss_points}; a risk bound must be more than 0 and less than 100")
    if not 0 < delta < 1:
        raise InputError(f"delta is {delta}; it must lie between 0 and 1, such as 0.1")
    needed = smallest_set(max_loss_points, delta)
    if len(scores) < needed:
        raise InputError(
            f"{len(scores)} images cannot vouch for a loss of at most {max_loss_points:g} points with probability "
            f"{1 - delta:g}: that takes at least {needed}; with {len(scores)} the smallest bound is "
            f"{smallest_bound(len(scores), delta):.3g} points"
        )
    costs = Costs.counted(scores.exits) if costs is None else costs
    vectors = diagonal(scores.exits) if path is None else np.asarray(path, np.float64)
    candidates = [rule.check_thresholds(vector.tolist(), scores.exits) for vector in vectors]
    right, rows = scores.right, np.arange(len(scores))
    means: list[float] = []
    harmed: list[int] = []
    p: list[float] = []
    for candidate in candidates:
        taken = rule.exit_of(scores.entropy, candidate)
        harmed.append(int(np.count_nonzero(right[:, -1] & ~right[rows, taken - 1])))
        p.append(p_value(harmed[-1], len(scores), max_loss_points / 100))
        if p[-1] > delta:
            break
        means.append(costs.mean(rule.shares(taken, scores.exits)))
    if not means:
        raise InputError(f"the path's first thresholds {candidates[0]} already harm {harmed[0]} images; begin with 0")
    chosen = int(np.argmin(means))  # the safest of equally cheap ones
    return Controlled(candidates[chosen], delta, harmed[chosen], p[chosen])
