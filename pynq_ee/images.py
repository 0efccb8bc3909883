"""What users have, as the fabric takes it: uint8 arrays (N, 28, 28), white ink (255) on black (0), as in MNIST."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from pynq_ee.errors import InputError
from pynq_ee.spec import IMAGE_SIDE

#: One image's shape.
SHAPE = (IMAGE_SIDE, IMAGE_SIDE)

#: Largest picture that is opened: no digit needs more, and a file may claim anything.
MAX_PICTURE_PIXELS = 64_000_000

#: MNIST's own preparation: the ink fits a box of 20 x 20 and its centre of mass is the image's centre.
_INK_SIDE = 20


def to_images(
    images: Any, *, unit_floats: bool = False, fit: bool = False, invert: bool = False
) -> npt.NDArray[np.uint8]:
    """Bring one image or many to a uint8 array (N, 28, 28).

    Parameters
    ----------
    images
        A uint8 array (28, 28) or (N, 28, 28); a PIL image; a path to a picture; or a list of such single images.
    unit_floats
        Accept float arrays, whose values must lie in 0 to 1; they are multiplied by 255 and rounded.
    fit
        Bring pictures of any size to 28 x 28 as MNIST was made: the ink scaled into a box of 20 x 20, its centre of
        mass in the centre. Without it, a picture must be 28 x 28.
    invert
        The pictures are dark ink on a light ground.

    Returns
    -------
    uint8 array (N, 28, 28), N at least 1. Not copied where it need not be.

    Raises
    ------
    InputError
        No image, a wrong shape, type or range, an unreadable file.
    """
    if isinstance(images, (Image.Image, str, os.PathLike)):
        return _picture(images, fit, invert)[None]
    if isinstance(images, np.ndarray):
        return _array(images, unit_floats, fit, invert)
    if isinstance(images, Iterable) and not isinstance(images, (bytes, dict)):
        items = list(images)
        if not items:
            raise InputError("no image given; a batch holds at least one")
        return np.concatenate([to_images(item, unit_floats=unit_floats, fit=fit, invert=invert) for item in items])
    raise InputError(f"an image is {type(images).__name__}; give a uint8 array, a PIL image, a path, or a list of them")


def _array(array: npt.NDArray[Any], unit_floats: bool, fit: bool, invert: bool) -> npt.NDArray[np.uint8]:
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or (not fit and array.shape[1:] != SHAPE):
        raise InputError(f"images have shape {array.shape}; it must be (28, 28) or (N, 28, 28)")
    if array.size == 0:
        raise InputError("no image given; a batch holds at least one")
    if np.issubdtype(array.dtype, np.floating):
        if not unit_floats:
            raise InputError(
                f"images are {array.dtype}; give uint8 0 to 255, or say unit_floats=True if they are floats in 0 to 1"
            )
        low, high = array.min(), array.max()
        if not (low >= 0 and high <= 1):  # written so that NaN fails too
            raise InputError(f"float images reach from {low} to {high}; with unit_floats they must lie in 0 to 1")
        array = np.rint(array * 255).astype(np.uint8)
    elif array.dtype != np.uint8:
        raise InputError(f"images are {array.dtype}; give uint8 0 to 255")
    if invert:
        array = np.invert(array)
    if fit:
        array = np.stack([fit_ink(image) for image in array])
    return array


def _picture(source: Image.Image | str | os.PathLike[str], fit: bool, invert: bool) -> npt.NDArray[np.uint8]:
    name = "the image" if isinstance(source, Image.Image) else str(source)
    try:
        if isinstance(source, Image.Image):
            pixels = _grey(source, name)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                with Image.open(source) as picture:
                    pixels = _grey(picture, name)
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"no such picture: {name}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{name} is too large a picture ({error})") from error
    except Exception as error:  # a damaged file makes Pillow's decoders raise nearly anything
        raise InputError(f"{name} is no picture that can be read ({type(error).__name__}: {error})") from error
    if invert:
        pixels = np.invert(pixels)
    if fit:
        return fit_ink(pixels)
    if pixels.shape != SHAPE:
        raise InputError(
            f"the picture is {pixels.shape[1]} x {pixels.shape[0]} pixels; it must be 28 x 28, "
            "or say fit=True (--fit) to have it scaled and centred"
        )
    return pixels


def _grey(picture: Image.Image, name: str) -> npt.NDArray[np.uint8]:
    """8-bit grey of any PIL mode: turned upright, transparency over black, 16-bit scaled rather than cut."""
    if not 1 <= picture.width * picture.height <= MAX_PICTURE_PIXELS:
        raise InputError(f"{name} has {picture.width} x {picture.height} pixels; 1 to {MAX_PICTURE_PIXELS} are read")
    upright = ImageOps.exif_transpose(picture) or picture
    if upright.mode.startswith("I") or upright.mode == "F":
        values = np.asarray(upright, np.float64)
        low, high = values.min(), values.max()
        # Older versions of Pillow open 16-bit pictures in the 32-bit mode I, so only the values tell what it holds.
        limit = 255 if upright.mode in ("I", "F") and high <= 255 else 65535
        if not (low >= 0 and high <= limit):
            raise InputError(f"{name} has values from {low} to {high}; they must lie in 0 to 255 or 0 to 65535")
        return np.asarray(np.rint(values * (255 / limit)), np.uint8)
    if upright.mode in ("LA", "PA", "RGBA", "RGBa", "La") or "transparency" in upright.info:
        ground = Image.new("RGBA", upright.size, (0, 0, 0, 255))
        upright = Image.alpha_composite(ground, upright.convert("RGBA"))
    return np.array(upright.convert("L"), np.uint8)


def fit_ink(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Scale the ink into 20 x 20 and put its centre of mass in the middle of 28 x 28, as MNIST was made.

    Parameters
    ----------
    pixels
        uint8 array (rows, columns), light ink on dark.

    Returns
    -------
    uint8 array (28, 28); all black if there is no ink.
    """
    rows, columns = np.flatnonzero(pixels.any(1)), np.flatnonzero(pixels.any(0))
    if not rows.size:
        return np.zeros(SHAPE, np.uint8)
    ink = Image.fromarray(pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    scale = _INK_SIDE / max(ink.size)
    size = (max(1, round(ink.width * scale)), max(1, round(ink.height * scale)))
    small = np.asarray(ink.resize(size, Image.Resampling.LANCZOS), np.uint8)
    mass = small.astype(float)
    total = mass.sum() or 1.0
    centre = [(mass.sum(1 - axis) * (np.arange(small.shape[axis]) + 0.5)).sum() / total for axis in (0, 1)]
    top, left = (
        int(np.clip(round(IMAGE_SIDE / 2 - centre[axis]), 0, IMAGE_SIDE - small.shape[axis])) for axis in (0, 1)
    )
    canvas = np.zeros(SHAPE, np.uint8)
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    return canvas
