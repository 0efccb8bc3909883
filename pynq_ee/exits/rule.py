"""The threshold policy: which images leave where.

The entropy of an exit's softmax (:mod:`pynq_ee.exits.softmax_entropy`) tells how sure the exit is. An image leaves at
the first exit whose entropy is *below* that exit's threshold; the last exit takes what is left (BranchyNet,
Teerapittayanon et al., ICPR 2016, algorithm 1).
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import InputError

FloatArray = npt.NDArray[np.floating]


def check_thresholds(thresholds: float | Iterable[float], exits: int) -> tuple[float, ...]:
    """The threshold vector of a network: one number in nats for each exit but the last.

    Parameters
    ----------
    thresholds
        One number (used for every exit but the last), or ``exits - 1`` numbers. Each is 0 or more; 0 lets no image
        leave, infinity lets every image leave.
    exits
        Number of exits of the network.

    Raises
    ------
    InputError
        Another count, NaN, or a negative number.
    """
    try:
        if isinstance(thresholds, str):  # else "12" were the two thresholds 1 and 2
            raise TypeError("text is no number")
        if isinstance(thresholds, Iterable):
            vector = tuple(float(threshold) for threshold in thresholds)
        else:
            vector = (float(thresholds),) * (exits - 1)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"threshold is {thresholds!r}; give a number of nats, or one for each exit") from error
    if len(vector) != exits - 1:
        raise InputError(f"{len(vector)} thresholds for {exits} exits; every exit but the last has one")
    for threshold in vector:
        if math.isnan(threshold) or threshold < 0:
            raise InputError(f"threshold is {threshold} nats; it must be 0 or more (above ln 10 = 2.303, all leave)")
    return vector


def leaves(entropies: FloatArray, threshold: float) -> npt.NDArray[np.bool_]:
    """Which images leave at an exit: those whose entropy is below its threshold."""
    return entropies < threshold


def exit_of(entropies: FloatArray, thresholds: tuple[float, ...]) -> npt.NDArray[np.int64]:
    """The exit that takes each image, counted from 1.

    Parameters
    ----------
    entropies
        Nats, (N, exits - 1) or (N, exits); the last exit's entropy, if given, plays no part.
    thresholds
        Nats, one for each exit but the last.
    """
    below = np.stack([leaves(entropies[:, n], threshold) for n, threshold in enumerate(thresholds)], axis=1)
    return np.where(below.any(1), below.argmax(1), len(thresholds)).astype(np.int64) + 1


def shares(taken: npt.NDArray[np.integer], exits: int) -> npt.NDArray[np.float64]:
    """The share of the images that left at each exit.

    Parameters
    ----------
    taken
        Integers (N,), the exit that took each image, counted from 1.
    exits
        Number of exits of the network.

    Returns
    -------
    float64 array (exits,).
    """
    # An index of 64 bits is refused where a pointer has 32, the boards' ARM among them.
    found: npt.NDArray[np.float64] = np.bincount((taken - 1).astype(np.intp), minlength=exits) / len(taken)
    return found
