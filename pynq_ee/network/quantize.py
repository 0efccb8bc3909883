"""The integer arithmetic of the network, fabric and software alike: its definition, in NumPy.

Every integer layer computes an exact sum of products and a bias (the *accumulator*), and brings it to the width of
its output by a rounding right shift and a saturation:

.. math:: y = \\mathrm{clip}\\left(\\left\\lfloor \\frac{a}{2^s} + \\frac12 \\right\\rfloor, lo, hi\\right)

The scale of a layer is thereby a power of two, and the circuit has no multiplier for it. Halves round up (towards
plus infinity), which is one addition and a shift in hardware. ReLU is the saturation at ``lo = 0``. All three steps
are monotone, so they commute with max-pooling; the circuit pools where it is cheapest.

==================  =================================  ===============  ========================================
layers              inputs                             weights          outputs
==================  =================================  ===============  ========================================
of the first exit   pixels 0 to 255, features 0 to 15  -7 to 7 at most  activations 0 to 15, logits of 16 bits
of the remainder    features 0 to 15, then 0 to 127    -127 to 127      activations 0 to 127, logits of 16 bits
==================  =================================  ===============  ========================================

Seven bits, so that the sum of two products, 2 * 127 * 127, is still a signed number of 16 bits: what the instructions
for pairs of bytes of x86 (``pmaddubsw``, which would saturate) and of ARM (``vmlal.s8``) keep exactly.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pynq_ee.network import spec

IntArray = npt.NDArray[np.integer]

#: Largest right shift: accumulators are held in 32 bits.
SHIFT_MAX = 31


def rounding_right_shift(values: IntArray, shift: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Divide by a power of two and round halves up: ``floor(values / 2**shift + 1/2)``.

    Parameters
    ----------
    values
        Integers of any shape, of at most 63 bits.
    shift
        Integers in 0 to 31, broadcast against ``values``.

    Returns
    -------
    int64 array of the broadcast shape.

    Raises
    ------
    ValueError
        A shift outside 0 to 31.
    TypeError
        Values or shifts that are not integers.
    """
    values, shift = np.asarray(values), np.asarray(shift)
    for name, array in (("values", values), ("shift", shift)):
        if not np.issubdtype(array.dtype, np.integer):
            raise TypeError(f"{name} has type {array.dtype}; the fabric's arithmetic is on integers")
    if shift.size and (shift.min() < 0 or shift.max() > SHIFT_MAX):
        raise ValueError(f"shift is {shift.min()} to {shift.max()}; it must be 0 to {SHIFT_MAX}")
    wide, places = values.astype(np.int64), shift.astype(np.int64)
    half = np.left_shift(np.int64(1), places) >> 1
    return np.right_shift(wide + half, places)


def saturate(values: IntArray, low: int, high: int) -> npt.NDArray[np.int64]:
    """Clip integers to ``low`` to ``high``, both included."""
    return np.clip(np.asarray(values).astype(np.int64), low, high)


def to_activation(
    accumulator: IntArray, shift: npt.ArrayLike, largest: int = spec.ACTIVATION_MAX
) -> npt.NDArray[np.uint8]:
    """ReLU and requantization of an accumulator to an unsigned activation, 0 to ``largest``."""
    return saturate(rounding_right_shift(accumulator, shift), 0, largest).astype(np.uint8)


def to_logit(accumulator: IntArray, shift: npt.ArrayLike) -> npt.NDArray[np.int16]:
    """Requantization of an accumulator to a signed 16-bit logit, -32768 to 32767."""
    return saturate(rounding_right_shift(accumulator, shift), spec.LOGIT_MIN, spec.LOGIT_MAX).astype(np.int16)


def pack_nibbles(values: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Pack 4-bit values of the last axis two to a byte, the first one in bits 3:0.

    Parameters
    ----------
    values
        uint8 array (..., 2 n), each 0 to 15.

    Returns
    -------
    uint8 array (..., n).

    Raises
    ------
    ValueError
        An odd number of values, or one outside 0 to 15.
    """
    if values.shape[-1] % 2:
        raise ValueError(f"the last axis has {values.shape[-1]} values; two go to a byte, so it must be even")
    if values.size and not 0 <= values.min() <= values.max() <= spec.ACTIVATION_MAX:
        raise ValueError(f"values are {values.min()} to {values.max()}; 4 bits hold 0 to {spec.ACTIVATION_MAX}")
    return (values[..., 0::2] | (values[..., 1::2] << 4)).astype(np.uint8)


def unpack_nibbles(packed: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Undo :func:`pack_nibbles`: uint8 array (..., n) to uint8 array (..., 2 n)."""
    values = np.empty((*packed.shape[:-1], 2 * packed.shape[-1]), np.uint8)
    values[..., 0::2] = packed & 0x0F
    values[..., 1::2] = packed >> 4
    return values
