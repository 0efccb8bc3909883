"""What numbers mean as grey: 0 is black, and which value is white.

================================  ===================================================================
values                            taken as
================================  ===================================================================
bool                              ink where True
integers, none above 1            a mask: ink where 1
integers in 0 to 255              as they are, in any integer type
integers in 0 to 65,535           16 bit, where they reach 16,384 at least; else refused (10, 12, 14 bit?)
floats in 0 to 1                  1 is white, with ``unit_floats``; else refused
other floats, negative, NaN, ..   refused
================================  ===================================================================
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import InputError

_WHITE_8, _WHITE_16 = 255, 65535
#: The least maximum of 16-bit grey: with less than two bits of it used, it is rather of 10, 12 or 14.
_LEAST_OF_16 = 16384


def to_bytes(array: npt.NDArray[Any], unit_floats: bool, *, alpha: bool = False) -> npt.NDArray[np.uint8]:
    """An array's values as grey levels 0 to 255, not copied where they are that already.

    Parameters
    ----------
    array
        Of any shape, not empty.
    unit_floats
        Floats are in 0 to 1.
    alpha
        The last axis ends with opacity, so that grey levels of 0 and 1 are no mask.

    Raises
    ------
    InputError
        Values that mean no grey; the message says what they reach.
    """
    if array.dtype == bool:
        return np.where(array, np.uint8(_WHITE_8), np.uint8(0))
    if array.dtype == np.uint8:
        return array if alpha else mask_to_ink(array)
    if np.issubdtype(array.dtype, np.floating):
        if not unit_floats:
            raise InputError(
                f"images are {array.dtype}; give uint8 0 to 255, or say unit_floats=True if they are floats in 0 to 1"
            )
        low, high = array.min(), array.max()
        if not (low >= 0 and high <= 1):  # written so that NaN fails too
            raise InputError(f"float images reach from {low} to {high}; with unit_floats they must lie in 0 to 1")
        return np.asarray(np.rint(array * 255), np.uint8)
    if array.dtype.kind not in "iu":  # a time difference counts as an integer of NumPy
        raise InputError(f"images are {array.dtype}; give uint8 0 to 255")
    low, high = int(array.min()), int(array.max())
    white_value = white("the array", low, high, floats=False, unit_floats=unit_floats)
    if white_value == _WHITE_8:
        return array.astype(np.uint8)
    return np.asarray(np.rint(array * (_WHITE_8 / white_value)), np.uint8)


def mask_to_ink(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Grey levels, or if none is above 1, 255 for each 1. Mostly one image tells, and the others are not read."""
    first = grey[0] if grey.ndim > 2 else grey
    if first.max() > 1 or grey.max() != 1:
        return grey
    return np.where(grey == 1, np.uint8(_WHITE_8), np.uint8(0))


def white(name: str, low: float, high: float, *, floats: bool, unit_floats: bool) -> int:
    """The value that is white, of numbers that reach from ``low`` to ``high`` and are not known to be of 8 bit.

    Raises
    ------
    InputError
        There is none that they could be meant by.
    """
    if not (low >= 0 and high <= _WHITE_16):
        raise InputError(f"{name} has values from {low} to {high}; they must lie in 0 to 255 or 0 to 65535")
    if floats and 0 < high <= 1:
        if unit_floats:
            return 1
        raise InputError(f"{name} has floats from {low} to {high}; say unit_floats=True if 1 is white")
    if high <= 1:
        return 1
    if high <= _WHITE_8:
        return _WHITE_8
    if high < _LEAST_OF_16:
        raise InputError(
            f"{name} has values up to {high:g}, neither 8 bit (255) nor 16 (up to 65535, at least {_LEAST_OF_16} "
            "somewhere); scale them to 0 to 255"
        )
    return _WHITE_16
