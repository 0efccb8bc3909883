"""The threshold vector under a constraint: exact on the scores of a calibration set.

Every image's entropy at an exit is a place where that exit's threshold could stand; between two neighbouring
entropies all thresholds do the same. The search therefore runs over the sorted entropies, and of those only over
the places just before an image that the exit gets *wrong*: to let an image leave that the exit gets right costs
nothing and loses nothing, whatever the later exits would make of it. What is found is exact, for any number of
exits, and quick: a good exit has few errors.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import InputError
from pynq_ee.exits import costs as _costs
from pynq_ee.exits import risk, rule
from pynq_ee.exits.costs import Costs
from pynq_ee.exits.scores import ENTROPY_MAX, FloatArray, IntArray, Outcome, Scores, check_labels, outcome, sweep

__all__ = ["Calibration", "Front", "Outcome", "Scores", "calibrate", "front", "optimum", "outcome", "sweep"]

# The Pareto front ----------------------------------------------------------------------------------------------------


class Front(NamedTuple):
    """The threshold vectors that no other one beats in both cost and accuracy, cheapest first."""

    thresholds: FloatArray
    """(M, exits - 1), nats."""
    accuracy: FloatArray
    """(M,), strictly increasing."""
    cost: FloatArray
    """(M,), of the stages alone, strictly increasing; what is overlapped is not in it."""


def front(scores: Scores, costs: Costs) -> Front:
    """The whole Pareto front of accuracy against mean cost, exact.

    Parameters
    ----------
    scores
        Of a calibration set.
    costs
        One for each exit.

    Raises
    ------
    InputError
        Another number of costs than of exits.
    """
    if len(costs.stages) != scores.exits:
        raise InputError(f"{len(costs.stages)} costs for {scores.exits} exits; every exit has one")
    thresholds, correct, cost = _explore(scores, scores.right, costs.stages, 0, np.arange(len(scores)))
    return Front(thresholds, correct / len(scores), cost / len(scores))


def _explore(
    scores: Scores, right: npt.NDArray[np.bool_], stages: tuple[float, ...], number: int, rows: npt.NDArray[np.intp]
) -> tuple[FloatArray, IntArray, FloatArray]:
    """The front of the images ``rows`` that reach exit ``number`` (from 0): thresholds, right answers, total cost."""
    later = len(stages) - 1 - number
    if later == 0:
        return np.empty((1, 0)), right[rows, number].sum(keepdims=True), np.array([len(rows) * stages[number]])
    order = rows[np.argsort(scores.entropy[rows, number], kind="stable")]
    entropy = scores.entropy[order, number]
    cuts = _cuts(entropy, ~right[order, number])
    places = _between(entropy, cuts)
    leaving = np.concatenate([[0], np.cumsum(right[order, number])])[cuts]
    if later == 1:
        staying = np.concatenate([np.cumsum(right[order[::-1], -1])[::-1], [0]])[cuts]
        thresholds, correct = places[:, None], leaving + staying
        cost = len(rows) * stages[number] + (len(rows) - cuts) * stages[-1]
    else:
        parts = [_explore(scores, right, stages, number + 1, order[cut:]) for cut in cuts]
        thresholds = np.concatenate([np.insert(inner, 0, place, axis=1) for place, (inner, _, _) in zip(places, parts)])
        correct = np.concatenate([left + part for left, (_, part, _) in zip(leaving, parts)])
        cost = len(rows) * stages[number] + np.concatenate([part for _, _, part in parts])
    best = _undominated(correct, cost)
    return thresholds[best], correct[best], cost[best]


def _cuts(entropy: FloatArray, wrong: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """How many of the sorted images leave, for each cut worth a try: before a run of equal entropies that holds an
    error, and after the last image. Equal entropies leave together."""
    if not len(entropy):
        return np.zeros(1, np.intp)
    starts = np.flatnonzero(np.concatenate([[True], entropy[1:] > entropy[:-1]]))
    return np.append(starts[np.add.reduceat(wrong, starts) > 0], len(entropy))


def _between(entropy: FloatArray, cuts: npt.NDArray[np.intp]) -> FloatArray:
    """A threshold that lets exactly the first ``cuts`` sorted images leave: half-way to the next one; 0 for none."""
    ceiling = max(ENTROPY_MAX, math.nextafter(float(entropy[-1]), math.inf)) if len(entropy) else ENTROPY_MAX
    upper = np.append(entropy, ceiling)[cuts]
    lower = entropy[np.maximum(cuts, 1) - 1] if len(entropy) else np.zeros(len(cuts))
    middle = (lower + upper) / 2
    return np.where(cuts == 0, 0.0, np.where(middle > lower, middle, upper))


def _undominated(correct: IntArray, cost: FloatArray) -> npt.NDArray[np.intp]:
    """Which points no other one beats, cheapest first; of equal ones the first."""
    order = np.lexsort((-correct, cost))
    best = np.maximum.accumulate(correct[order])
    return np.asarray(order[np.concatenate([[True], best[1:] > best[:-1]])], np.intp)


# The optimum under a constraint --------------------------------------------------------------------------------------

#: The constraints, and the unit of the costs that each needs (None: any).
CONSTRAINTS: dict[str, str | None] = {
    "max_loss_points": None,
    "min_early_share": None,
    "min_throughput": "seconds",
    "max_mean_seconds": "seconds",
    "max_mean_joules": "joules",
}


@dataclass(frozen=True)
class Calibration:
    """Thresholds, and how they were chosen.

    Attributes
    ----------
    thresholds
        Nats, one for each exit but the last.
    outcome
        What they make of the calibration set.
    mean_cost
        Of an image of the calibration set, in the costs' unit.
    constraint
        Name and value of the constraint.
    mode
        ``"empirical"``: the optimum on the calibration set. ``"risk-controlled"``: see :mod:`pynq_ee.exits.risk`.
    costs
        The costs that it was optimal for.
    details
        What the mode has to add.
    """

    thresholds: tuple[float, ...]
    outcome: Outcome
    mean_cost: float
    constraint: dict[str, float]
    mode: str
    costs: Costs
    details: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON and for a model's metadata."""
        return {**asdict(self), "outcome": self.outcome.as_dict()}


def optimum(
    scores: Scores, costs: Costs | None = None, *, delta: float | None = None, **constraint: float | None
) -> Calibration:
    """The best thresholds under one constraint.

    Parameters
    ----------
    scores
        Of a calibration set: images that were never trained on.
    costs
        Of each exit; where there are none, each software stage counts as one.
    delta
        None: the optimum on the scores, exact. A number between 0 and 1: ``max_loss_points`` holds with probability
        ``1 - delta`` over the draw of the calibration set; see :mod:`pynq_ee.exits.risk`.
    max_loss_points
        Percentage points of accuracy that the system may lose against its last exit: the least mean cost is sought.
    min_early_share
        Share of the images, 0 to 1, that leaves before the last exit, at least: the most accurate point of the Pareto
        front is sought.
    min_throughput, max_mean_seconds, max_mean_joules
        Images a second, seconds or joules an image: the greatest accuracy is sought, at the least cost that gives it.

    Raises
    ------
    InputError
        No constraint or several, one that the costs' unit does not fit, or one that cannot be met: the message then
        says the nearest that can.
    """
    costs = Costs.counted(scores.exits) if costs is None else costs
    name, value = _one_constraint(constraint, costs)
    if delta is not None:
        if name != "max_loss_points":
            raise InputError(f"delta is for a bound on the loss, max_loss_points; the constraint given is {name}")
        bounded = risk.controlled(scores, costs, max_loss_points=value, delta=delta)
        return _calibration(scores, costs, bounded.thresholds, {name: value}, "risk-controlled", bounded.details())
    found = front(scores, costs)
    cost = np.maximum(found.cost, costs.overlapped)
    if name == "max_loss_points":
        chosen = _cheapest_within(value, scores, found, cost)
    elif name == "min_early_share":
        shares = [outcome(scores, tuple(vector)).early_share for vector in found.thresholds.tolist()]
        chosen = int(np.flatnonzero(np.array(shares) >= value - 1e-12)[-1])  # the cheapest point lets all leave early
    else:
        chosen = _most_accurate_within(name, value, cost)
    thresholds = rule.check_thresholds(found.thresholds[chosen].tolist(), scores.exits)
    return _calibration(scores, costs, thresholds, {name: value}, "empirical", {})


def _cheapest_within(points: float, scores: Scores, found: Front, cost: FloatArray) -> int:
    """The cheapest point of the front that loses at most so many points."""
    last = scores.right[:, -1].sum()
    needed = math.ceil(last - points / 100 * len(scores) - 1e-9) / len(scores)
    fitting = np.flatnonzero(found.accuracy >= needed - 1e-12)
    if not len(fitting):
        nearest = 100 * (last / len(scores) - found.accuracy[-1])
        raise InputError(
            f"max_loss_points is {points:g}: no threshold gains that much on these {len(scores)} images; "
            f"the nearest feasible one is {nearest:.4g}"
        )
    # Where the overlapped work is the slower one, more accuracy than was asked for is free.
    return int(fitting[cost[fitting] <= cost[fitting[0]]][-1])


def _most_accurate_within(name: str, value: float, cost: FloatArray) -> int:
    """The most accurate point of the front that costs at most so much."""
    limit = 1 / value if name == "min_throughput" else value
    fitting = np.flatnonzero(cost <= limit * (1 + 1e-12))
    if not len(fitting):
        nearest = 1 / cost[0] if name == "min_throughput" else cost[0]
        raise InputError(
            f"{name} is {value:g}: out of reach even if every image leaves at the first exit; "
            f"the nearest feasible one is {nearest:.6g}"
        )
    return int(fitting[-1])


def _calibration(
    scores: Scores,
    costs: Costs,
    thresholds: tuple[float, ...],
    constraint: dict[str, float],
    mode: str,
    details: dict[str, float],
) -> Calibration:
    result = outcome(scores, thresholds)
    return Calibration(thresholds, result, costs.mean(result.shares), constraint, mode, costs, details)


def _one_constraint(constraint: dict[str, float | None], costs: Costs) -> tuple[str, float]:
    """The constraint's name and value, checked."""
    given = {name: value for name, value in constraint.items() if value is not None}
    unknown = sorted(set(given) - set(CONSTRAINTS))
    if unknown or len(given) != 1:
        raise InputError(f"constraints given: {', '.join(given) or 'none'}; give one of {', '.join(CONSTRAINTS)}")
    ((name, value),) = given.items()
    needed = CONSTRAINTS[name]
    if needed and costs.unit != needed:
        raise InputError(f"{name} needs costs in {needed}, measured or modelled; these are in {costs.unit}")
    if not math.isfinite(value) or (needed and value <= 0):
        raise InputError(f"{name} is {value}; it must be finite{' and more than 0' if needed else ''}")
    if name == "min_early_share" and not 0 <= value <= 1:
        raise InputError(f"min_early_share is {value:g}; it must be 0 to 1")
    return name, float(value)


def calibrate(
    network: Any,
    images: npt.NDArray[np.uint8],
    labels: npt.ArrayLike,
    *,
    costs: Costs | None = None,
    delta: float | None = None,
    **constraint: float | None,
) -> Calibration:
    """Find the thresholds of an open network under a constraint. The network itself is left as it is.

    Parameters
    ----------
    network
        An :class:`~pynq_ee.inference.EarlyExitInference`.
    images
        uint8 (N, 28, 28), never trained on.
    labels
        Integers (N,), 0 to 9.
    costs
        Of each exit; by default measured on this machine where the constraint is on time, else each software stage
        counts as one.
    delta, constraint
        See :func:`optimum`.

    Raises
    ------
    InputError
        Labels that are not those of the images, or as :func:`optimum`.
    """
    truth = check_labels(labels, len(images))
    needed = {CONSTRAINTS.get(name) for name, value in constraint.items() if value is not None}
    if costs is None and "seconds" in needed:
        costs = _costs.measure(network, images)
    return optimum(Scores.of(network.all_exits(images), truth), costs, delta=delta, **constraint)
