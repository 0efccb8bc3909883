"""What every exit says of every image of a data set, and what a threshold vector makes of it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import InputError
from pynq_ee.exits import rule, softmax_entropy
from pynq_ee.network.spec import CLASSES

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: The largest entropy of a softmax, nats.
ENTROPY_MAX = math.log(CLASSES)


@dataclass(frozen=True)
class Scores:
    """What every exit says of every image of a data set, and what is true.

    Parameters
    ----------
    entropy
        float64 (N, exits), nats.
    label
        int64 (N, exits), 0 to 9.
    truth
        int64 (N,), 0 to 9.

    Raises
    ------
    InputError
        Lengths that differ, no image, fewer than two exits, an entropy that is not a number, labels outside 0 to 9.
    """

    entropy: FloatArray
    label: IntArray
    truth: IntArray

    def __post_init__(self) -> None:
        if self.entropy.ndim != 2 or self.entropy.shape[1] < 2 or self.entropy.shape != self.label.shape:
            raise InputError(
                f"entropies have shape {self.entropy.shape} and labels {self.label.shape}; "
                "both must be (images, exits) with at least two exits"
            )
        if len(self.entropy) == 0:
            raise InputError("no image to calibrate on; give at least one with its label")
        if not (self.entropy >= 0).all():
            raise InputError("an entropy is negative or not a number; it must be 0 nats or more")
        check_labels(self.truth, len(self.entropy))
        check_labels(self.label.reshape(-1), self.label.size)

    @staticmethod
    def of(logits: npt.ArrayLike, truth: npt.ArrayLike) -> Scores:
        """Scores from the logits of every exit (N, exits, 10) and the true labels, integers (N,), 0 to 9.

        Raises
        ------
        InputError
            Logits of another shape, labels as in :func:`check_labels`, or as the class.
        """
        array = np.asarray(logits)
        if array.ndim != 3:
            raise InputError(f"logits have shape {array.shape}; it must be (images, exits, {CLASSES})")
        return Scores(
            softmax_entropy.entropy(array), array.argmax(-1).astype(np.int64), check_labels(truth, len(array))
        )

    def __len__(self) -> int:
        return len(self.truth)

    def __getitem__(self, rows: Any) -> Scores:
        """The scores of some of the images, by any NumPy index that keeps the axis."""
        return Scores(self.entropy[rows], self.label[rows], self.truth[rows])

    @property
    def exits(self) -> int:
        """Number of exits."""
        return self.entropy.shape[1]

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Which exit is right on which image, (N, exits)."""
        return np.equal(self.label, self.truth[:, None])


def concatenate(parts: list[Scores]) -> Scores:
    """Join the scores of several data sets."""
    return Scores(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("entropy", "label", "truth")))


def check_labels(truth: npt.ArrayLike, count: int) -> IntArray:
    """True labels as int64 (count,).

    Raises
    ------
    InputError
        Not integers, another number than there are images, or a label outside 0 to 9.
    """
    array = np.asarray(truth)
    if not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"labels are {array.dtype}; they must be integers, 0 to {CLASSES - 1}")
    if array.shape != (count,):
        raise InputError(f"labels have shape {array.shape} for {count} images; every image needs one label")
    wrong = np.flatnonzero((array < 0) | (array >= CLASSES))
    if len(wrong):
        raise InputError(f"label {array[wrong[0]]} of image {wrong[0]} is outside 0 to {CLASSES - 1}")
    return array.astype(np.int64)


# What thresholds do --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What a threshold vector makes of a data set. Accuracies and shares are fractions, 0 to 1.

    Attributes
    ----------
    accuracy
        Of the system: each image judged by the exit that took it.
    exit_accuracy
        Of each exit, if it judged every image.
    shares
        Share of the images that left at each exit.
    images
        Number of images.
    """

    accuracy: float
    exit_accuracy: tuple[float, ...]
    shares: tuple[float, ...]
    images: int

    @property
    def early_share(self) -> float:
        """Share of the images that left before the last exit."""
        return 1 - self.shares[-1]

    @property
    def loss_points(self) -> float:
        """Percentage points of accuracy that the system loses against its last exit; negative is a gain."""
        return 100 * (self.exit_accuracy[-1] - self.accuracy)

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON."""
        return {**asdict(self), "early_share": self.early_share, "loss_points": self.loss_points}


def outcome(scores: Scores, thresholds: tuple[float, ...]) -> Outcome:
    """What ``thresholds`` (nats, one for each exit but the last) make of the scored images."""
    taken = rule.exit_of(scores.entropy, rule.check_thresholds(thresholds, scores.exits))
    right = scores.right
    return Outcome(
        float(right[np.arange(len(scores)), taken - 1].mean()),
        tuple(right.mean(0).tolist()),
        tuple(rule.shares(taken, scores.exits).tolist()),
        len(scores),
    )


class Sweep(NamedTuple):
    """Outcomes along one threshold that all exits share."""

    thresholds: FloatArray
    """(P,), nats."""
    accuracy: FloatArray
    """(P,), of the system."""
    shares: FloatArray
    """(P, exits)."""


def sweep(scores: Scores, points: npt.ArrayLike | None = None) -> Sweep:
    """Accuracy and shares against one threshold, the same for every exit.

    Parameters
    ----------
    points
        Thresholds in nats; by default 200, logarithmically from a ten-thousandth to the largest entropy there is.
    """
    thresholds = np.geomspace(1e-4, ENTROPY_MAX, 200) if points is None else np.asarray(points, np.float64)
    outcomes = [outcome(scores, (float(threshold),) * (scores.exits - 1)) for threshold in thresholds]
    return Sweep(
        thresholds, np.array([each.accuracy for each in outcomes]), np.array([each.shares for each in outcomes])
    )
