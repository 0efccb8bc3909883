"""What the axes of an array mean. H and W are rows and columns, N counts images.

==============================  ===============================================================
shape                           taken as
==============================  ===============================================================
(H, W)                          one image
(H, W, 1)                       one grey image
(H, W, 2)                       one grey image and its opacity
(H, W, 3)                       one image in colours
(H, W, 4)                       one image in colours and its opacity
(N, H, W)                       N grey images, for any other last axis
(N, H, W, 1), .. (N, H, W, 4)   N images as above (OpenCV, Pillow, Keras)
(N, 1, H, W), .. (N, 4, H, W)   N images, their channels before the rows (PyTorch)
(784,), (N, 784)                refused: flattened; ``reshape(-1, 28, 28)``
any other                       refused
==============================  ===============================================================

Without ``fit``, H and W must be 28. Channels are red, green, blue; blue first, as OpenCV has it, changes no more than
the weights of a colour.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee.data import values
from pynq_ee.data.grey import Picture, check_size
from pynq_ee.errors import InputError
from pynq_ee.network.spec import IMAGE_SIDE

_PIXELS = IMAGE_SIDE * IMAGE_SIDE
_MOST_CHANNELS = 4

#: Of red, green and blue in grey, in 65,536ths (ITU-R BT.601), as Pillow's mode L has them.
_WEIGHTS = np.array([19595, 38470, 7471], np.uint32)


def read_array(array: npt.NDArray[Any], any_size: bool, unit_floats: bool) -> Picture:
    """Read an array by the table above, all values as 8-bit grey.

    Parameters
    ----------
    array
        Of any shape.
    any_size
        Images need not be 28 x 28.
    unit_floats
        See :func:`pynq_ee.data.values.to_bytes`.

    Returns
    -------
    ``grey`` and, where there is one, ``alpha``: uint8 (N, H, W).

    Raises
    ------
    InputError
        A shape that is not in the table; the message names it as it was given.
    """
    laid = _laid_out(array)
    rows, columns = laid.shape[1:3]
    if not any_size and (rows, columns) != (IMAGE_SIDE, IMAGE_SIDE):
        raise _refused(
            array,
            f"that is {_count(len(laid))} of {rows} x {columns}, and each must be 28 x 28, or say fit=True (--fit)",
        )
    check_size("the image", columns, rows)
    channels = laid.shape[3] if laid.ndim == 4 else 1
    levels = values.to_bytes(laid, unit_floats, alpha=channels in (2, 4))
    if levels.ndim == 3:
        return Picture(levels)
    alpha = levels[..., -1] if channels in (2, 4) else None
    if channels < 3:
        return Picture(levels[..., 0], alpha)
    return Picture(np.stack([_luma(image) for image in levels]), alpha)


def is_batch(array: npt.NDArray[Any]) -> bool:
    """Whether an array's first axis counts images."""
    return array.ndim == 4 or (array.ndim == 3 and array.shape[-1] > _MOST_CHANNELS)


def _laid_out(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A view of an array as (N, H, W) or (N, H, W, channels)."""
    shape = array.shape
    if array.size == 0:
        raise InputError(f"no image given; images have shape {shape}, and a batch holds at least one")
    if array.ndim in (1, 2) and shape[-1] == _PIXELS:
        raise _refused(array, "rows of 784 are flattened images; give images.reshape(-1, 28, 28)")
    if array.ndim == 2:
        return array[None]
    if array.ndim == 3:
        return array if is_batch(array) else array[None]
    if array.ndim == 4:
        last, second = shape[3] <= _MOST_CHANNELS, shape[1] <= _MOST_CHANNELS
        if last and second:
            raise _refused(array, "its channels may be the second axis or the last; give uint8 (N, H, W)")
        if last:
            return array
        if second:
            return np.moveaxis(array, 1, 3)
    raise _refused(array, "no such layout is known")


def _count(number: int) -> str:
    return "one image" if number == 1 else f"{number} images"


def _refused(array: npt.NDArray[Any], reason: str) -> InputError:
    return InputError(
        f"images have shape {array.shape}: {reason}. One is (28, 28), many are (N, 28, 28); "
        "an axis of 1 to 4 channels may come last, or second of four"
    )


def _luma(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return ((image[..., :3] @ _WEIGHTS + 0x8000) >> 16).astype(np.uint8)
