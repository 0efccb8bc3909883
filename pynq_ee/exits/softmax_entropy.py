"""Softmax, and its entropy in nats: 0 for one certain class, ln 10 = 2.303 for ten equally likely ones.

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

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import InputError

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
