"""Softmax, entropy, and the threshold policy: which images leave where.

The entropy of an exit's softmax, in nats, tells how sure the exit is: 0 for one certain class, ln 10 = 2.303 for ten
equally likely ones. An image leaves at the first exit whose entropy is *below* that exit's threshold; the last exit
takes what is left (BranchyNet, Teerapittayanon et al., ICPR 2016, algorithm 1).
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import InputError

FloatArray = npt.NDArray[np.floating]

#: A logit this far below the largest one is as good as infinitely far: ``exp(-1000)`` is 0 in float64.
_DEPTH = 1000.0


def softmax(logits: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Softmax over the last axis, shifted by the maximum so that it cannot overflow."""
    exponentials = np.exp(_shifted(logits))
    return np.divide(exponentials, exponentials.sum(-1, keepdims=True))


def entropy(logits: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Entropy in nats of the softmax over the last axis, from the logits and without a logarithm of zero.

    With :math:`z_i` the logits less their maximum and :math:`Z = \\sum_i e^{z_i}`,

    .. math:: H = \\ln Z - \\frac1Z \\sum_i z_i e^{z_i}

    Parameters
    ----------
    logits
        Finite real numbers (..., classes).

    Returns
    -------
    float64 array (...), 0 to ln(classes).

    Raises
    ------
    InputError
        A logit that is NaN or infinite, or no class at all.
    """
    shifted = _shifted(logits)
    exponentials = np.exp(shifted)
    total = exponentials.sum(-1)
    nats: npt.NDArray[np.float64] = np.log(total) - (shifted * exponentials).sum(-1) / total
    return nats


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


def _shifted(logits: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Finite logits less their maximum, so 0 at most, and at least ``-_DEPTH``."""
    array = np.asarray(logits, np.float64)
    if array.ndim == 0 or array.shape[-1] == 0:
        raise InputError(f"logits have shape {array.shape}; the last axis must hold at least one class")
    if not np.isfinite(array).all():
        raise InputError("a logit is NaN or infinite; entropy needs finite logits")
    with np.errstate(over="ignore"):  # a distance beyond float64 becomes -inf here, and -_DEPTH in the next line
        distance: npt.NDArray[np.float64] = array - array.max(-1, keepdims=True)
    return np.maximum(distance, -_DEPTH, out=distance)
