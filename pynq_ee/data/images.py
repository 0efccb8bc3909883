"""What users have, as the fabric takes it: uint8 arrays (N, 28, 28), white ink (255) on black (0), as in MNIST."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pynq_ee.data.arrays import is_batch, read_array
from pynq_ee.data.grey import Picture
from pynq_ee.data.ink import check_ink, fit_ink, read_ink
from pynq_ee.data.pictures import SHAPE, name_of, read_picture
from pynq_ee.data.warn import warn
from pynq_ee.errors import InputError

__all__ = ["SHAPE", "fit_ink", "in_parts", "to_images"]

#: A corner as light as this is no black ground.
_LIGHT = 192


def to_images(
    images: Any, *, unit_floats: bool = False, fit: bool = False, invert: bool | None = None
) -> npt.NDArray[np.uint8]:
    """Bring one image or many to a uint8 array (N, 28, 28).

    Parameters
    ----------
    images
        An array, or what NumPy makes one of, as a tensor of PyTorch: uint8 (28, 28) or (N, 28, 28), or another of the
        shapes in :mod:`pynq_ee.data.arrays` with values of :mod:`pynq_ee.data.values`; a PIL image; a path to a picture
        of one of the :data:`~pynq_ee.data.pictures.FORMATS`, of an animation the first frame; or a list of these.
    unit_floats
        Accept float arrays, whose values must lie in 0 to 1; they are multiplied by 255 and rounded.
    fit
        Bring pictures of any size to 28 x 28 as MNIST was made: the ink is found on its paper, scaled into a box of
        20 x 20, its centre of mass in the centre. Without it, a picture must be 28 x 28.
    invert
        True: the pictures are dark ink on a light ground. False: light ink on a dark one. None: with ``fit``
        whichever is seen, else as False.

    Returns
    -------
    uint8 array (N, 28, 28), N at least 1. Not copied where it need not be.

    Raises
    ------
    InputError
        No image, a wrong shape, type or range, an unreadable file.

    Warns
    -----
    InputWarning
        A picture, or the first image of an array, does not look like white ink on black after all: it is blank, the
        ground is light, there is a frame.
    """
    if not (fit or invert) and (ready := _ready(images)) is not None:
        return ready
    if isinstance(images, (Image.Image, str, os.PathLike)):
        picture = read_picture(images, fit, unit_floats)
        name = name_of(images)
        if fit:
            return read_ink(picture, name, invert)[None]
        image = _inverted(picture, invert)
        check_ink(image, name)
        return image[None]
    if isinstance(images, np.ma.MaskedArray):
        raise InputError("images are a masked array; say what its masked pixels are: images.filled(0)")
    if isinstance(images, np.ndarray):
        return _array(images, unit_floats, fit, invert)
    if hasattr(images, "__array__"):
        return _array(_as_array(images), unit_floats, fit, invert)
    if isinstance(images, Iterable) and not isinstance(images, (bytes, bytearray, memoryview, dict)):
        items = list(images)
        if not items:
            raise InputError("no image given; a batch holds at least one")
        try:
            return np.concatenate([to_images(item, unit_floats=unit_floats, fit=fit, invert=invert) for item in items])
        except RecursionError:
            raise InputError("a list of images holds itself") from None
    raise InputError(f"an image is {type(images).__name__}; give a uint8 array, a PIL image, a path, or a list of them")


def _ready(images: Any) -> npt.NDArray[np.uint8] | None:
    """An array that is plainly what the network takes, by as few looks as that needs; None of all others.

    Plainly: its first image has grey levels, so it is no mask, and a dark corner, so the ground is not light.
    """
    if type(images) is not np.ndarray or images.dtype != np.uint8 or images.shape[-2:] != SHAPE or images.ndim > 3:
        return None
    batch = images if images.ndim == 3 else images[None]
    if not len(batch) or batch.item(0) >= _LIGHT or np.maximum.reduce(batch[0], axis=None) <= 1:
        return None
    return batch


def in_parts(images: Any, size: int) -> Iterable[Any]:
    """What a stream was given as an iterable of what :func:`to_images` takes, arrays in parts of ``size`` images.

    An array, a tensor, a PIL image or a path is not taken apart further than into whole images.
    """
    if isinstance(images, (Image.Image, str, os.PathLike)):
        return [images]
    if hasattr(images, "__array__"):
        array = images if isinstance(images, np.ndarray) else _as_array(images)
        return _cut(array, size) if is_batch(array) else [array]
    return images  # type: ignore[no-any-return]


def _cut(array: npt.NDArray[Any], size: int) -> Iterator[npt.NDArray[Any]]:
    return (array[start : start + size] for start in range(0, len(array), size))


def _as_array(images: Any) -> npt.NDArray[Any]:
    try:
        return np.asarray(images)
    except Exception as error:  # another library's: a tensor that is on a GPU, or needs its gradient
        raise InputError(f"NumPy cannot read images of {type(images).__name__} ({error})") from error


def _array(array: npt.NDArray[Any], unit_floats: bool, fit: bool, invert: bool | None) -> npt.NDArray[np.uint8]:
    batch = read_array(array, fit, unit_floats)
    if fit:
        alphas = [None] * len(batch.grey) if batch.alpha is None else batch.alpha
        names = ["the image"] if len(batch.grey) == 1 else [f"image {number}" for number in range(len(batch.grey))]
        return np.stack([read_ink(Picture(*both), name, invert) for *both, name in zip(batch.grey, alphas, names)])
    images = _inverted(batch, invert)
    corners = images[0, :: SHAPE[0] - 1, :: SHAPE[1] - 1]
    if corners.min() >= _LIGHT and np.median(images[0]) >= _LIGHT and images[0].min() < _LIGHT:
        warn("image 0: the ink seems dark on a light ground; give invert=True (--invert)")
    return images


def _inverted(picture: Picture, invert: bool | None) -> npt.NDArray[np.uint8]:
    """White ink on black, a transparent ground black too."""
    return np.invert(picture.over(255)) if invert else picture.over(0)
