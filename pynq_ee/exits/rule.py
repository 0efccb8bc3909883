"""Softmax, entropy, and the threshold policy: which images leave where.

The entropy of an exit's softmax, in nats, tells how sure the exit is: 0 for one certain class, ln 10 = 2.303 for ten
equally likely ones. An image leaves at the first exit whose entropy is *below* that exit's threshold; the last exit
takes what is left (BranchyNet, Teerapittayanon et al., ICPR 2016, algorithm 1).

**The definition is in integers**, so that the verdict is the same on every machine, whatever its ``exp`` and ``log``.
With :math:`d_i` the largest logit less logit i, in units of 1/256 and rounded half up,

.. math:: E_i = \\mathrm{EXPONENTIALS}[d_i], \\quad Z = \\sum_i E_i, \\quad W = \\sum_i d_i E_i, \\quad
          H = \\frac{Z\\,L(Z) + 2^{12}\\,W}{2^{20}\\,Z}

where ``EXPONENTIALS`` is :math:`e^{-d / 256}` in units of :math:`2^{-20}`, and 0 beyond its end; and :math:`L(Z)` is
:math:`\\ln(Z / 2^{20})` in the same unit: ``LOGARITHMS`` of the eight bits below the leading one, linear between them.
Numerator and denominator are integers that a double holds, and the division is IEEE 754's, correctly rounded. The
result is within :data:`ENTROPY_ERROR` of the real number.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import InputError

FloatArray = npt.NDArray[np.floating]

#: Differences of logits are taken in units of ``2**-8``.
DIFFERENCE_BITS = 8
#: Exponentials and logarithms are in units of ``2**-20``.
UNIT_BITS = 20
#: The logarithm's table has an entry for each value of this many bits below the leading one, and one more.
LOGARITHM_BITS = 8
#: Bits behind the point while the tables are made.
_WORKING_BITS = 128

#: Largest difference of :func:`entropy` from the real number, nats, for ten logits that are multiples of 1/256.
ENTROPY_ERROR = 1e-4

#: A logit this far below the largest one is as good as infinitely far: ``exp(-1000)`` is 0 in float64.
_DEPTH = 1000.0


def softmax(logits: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Softmax over the last axis, shifted by the maximum so that it cannot overflow."""
    exponentials = np.exp(_shifted(logits))
    return np.divide(exponentials, exponentials.sum(-1, keepdims=True))


def entropy(logits: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Entropy in nats of the softmax over the last axis, as this module defines it in integers.

    Parameters
    ----------
    logits
        Finite real numbers (..., classes), at most 4096 classes.

    Returns
    -------
    float64 array (...), 0 to ln(classes).

    Raises
    ------
    InputError
        A logit that is NaN or infinite, or no class at all.
    """
    differences = np.floor(-_shifted(logits) * (1 << DIFFERENCE_BITS) + 0.5).astype(np.int64)
    return entropy_of_differences(differences)


def entropy_of_differences(differences: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Entropy in nats from the largest logit less each one: whole multiples (..., classes) of 1/256, 0 or more."""
    table = exponentials()
    exponential = table[np.minimum(differences, len(table) - 1)]
    total = exponential.sum(-1)
    weighted = (exponential * differences).sum(-1)
    numerator = total * _logarithm(total) + (weighted << (UNIT_BITS - DIFFERENCE_BITS))
    nats: npt.NDArray[np.float64] = numerator / (total << UNIT_BITS)
    return nats


@functools.cache
def exponentials() -> npt.NDArray[np.int64]:
    """``EXPONENTIALS``: ``exp(-d / 256)`` for d = 0, 1, ... in units of ``2**-20``, rounded; the last entry is 0.

    Computed in whole numbers of 128 bits behind the point, so it is the same on every machine.
    """
    one = 1 << _WORKING_BITS
    term = ratio = one
    for number in range(1, _WORKING_BITS):  # exp(-1 / 256) by its series
        term = -term // (number << DIFFERENCE_BITS)
        ratio += term
    half = 1 << (_WORKING_BITS - UNIT_BITS - 1)
    entries: list[int] = []
    value = one
    while not entries or entries[-1]:
        entries.append((value + half) >> (_WORKING_BITS - UNIT_BITS))
        value = value * ratio >> _WORKING_BITS
    return np.array(entries, np.int64)


@functools.cache
def logarithms() -> npt.NDArray[np.int64]:
    """``LOGARITHMS``: ``ln(1 + i / 256)`` for i = 0 to 256 in units of ``2**-20``, rounded down."""
    steps = 1 << LOGARITHM_BITS
    entries: list[int] = []
    value = 0
    for step in range(steps + 1):
        entries.append(value >> (_WORKING_BITS - UNIT_BITS))
        # ln((n + 1) / n) = 2 artanh(1 / (2 n + 1)), whose series has the odd powers only.
        divisor = 2 * (steps + step) + 1
        power, odd = (2 << _WORKING_BITS) // divisor, 1
        while power:
            value += power // odd
            power, odd = power // divisor**2, odd + 2
    return np.array(entries, np.int64)


def _logarithm(total: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """``L``: the natural logarithm of ``total / 2**20`` in units of ``2**-20``, for totals of 2**20 to 2**32 - 1."""
    table = logarithms()
    octave = np.frexp(total.astype(np.float64))[1].astype(np.int64) - 1 - UNIT_BITS  # whole powers of two above one
    below = (total >> octave) - (1 << UNIT_BITS)  # behind the leading one: 20 bits
    fine = UNIT_BITS - LOGARITHM_BITS
    place = below >> fine
    slope = table[place + 1] - table[place]
    between = (slope * (below & ((1 << fine) - 1))) >> fine
    logarithm: npt.NDArray[np.int64] = octave * table[-1] + table[place] + between
    return logarithm


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
