"""What users have, as the fabric takes it: uint8 arrays (N, 28, 28), white ink (255) on black (0), as in MNIST."""

from __future__ import annotations

import mmap
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from pynq_ee.errors import InputError
from pynq_ee.network.spec import IMAGE_SIDE

#: One image's shape.
SHAPE = (IMAGE_SIDE, IMAGE_SIDE)

#: Largest picture that is decoded: a photo of 24 megapixels. A file may claim anything, and a board has 512 MB.
MAX_PICTURE_PIXELS = 24_000_000

#: Longest side: that of a JPEG. To scale a picture takes memory by its sides as well.
MAX_PICTURE_SIDE = 65_535

#: Scans of a progressive JPEG; each of them is a pass over the whole picture, and a usual file has about ten.
MAX_SCANS = 100

#: A marker of a JPEG that has a length, or ends the picture. Within a scan, FF is followed by 00 or a restart's number.
_MARKER = re.compile(rb"\xff[\xc0-\xcf\xd9-\xfe]")
_START_OF_SCAN, _END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"

#: What is read. Pillow knows more, some of which run other programs (EPS) or have no size of their own.
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "PPM", "WEBP")

#: Pixels that are converted at a time, so that memory follows what was decoded and not the mode that it goes through.
_STRIP_PIXELS = 1 << 20

#: MNIST's own preparation: the ink fits a box of 20 x 20 and its centre of mass is the image's centre.
_INK_SIDE = 20

#: The EXIF tag that says which way a photo was taken.
_ORIENTATION = 0x0112


def to_images(
    images: Any, *, unit_floats: bool = False, fit: bool = False, invert: bool = False
) -> npt.NDArray[np.uint8]:
    """Bring one image or many to a uint8 array (N, 28, 28).

    Parameters
    ----------
    images
        A uint8 array (28, 28) or (N, 28, 28), or what NumPy makes one of, as a tensor of PyTorch; a PIL image; a path
        to a picture of one of the :data:`FORMATS`, of an animation the first frame; or a list of such single images.
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


def _as_array(images: Any) -> npt.NDArray[Any]:
    try:
        return np.asarray(images)
    except Exception as error:  # another library's: a tensor that is on a GPU, or needs its gradient
        raise InputError(f"NumPy cannot read images of {type(images).__name__} ({error})") from error


def _array(array: npt.NDArray[Any], unit_floats: bool, fit: bool, invert: bool) -> npt.NDArray[np.uint8]:
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or (not fit and array.shape[1:] != SHAPE):
        raise InputError(f"images have shape {array.shape}; it must be (28, 28) or (N, 28, 28)")
    if array.size == 0:
        raise InputError("no image given; a batch holds at least one")
    if array.dtype == np.uint8:
        pass
    elif np.issubdtype(array.dtype, np.floating):
        if not unit_floats:
            raise InputError(
                f"images are {array.dtype}; give uint8 0 to 255, or say unit_floats=True if they are floats in 0 to 1"
            )
        low, high = array.min(), array.max()
        if not (low >= 0 and high <= 1):  # written so that NaN fails too
            raise InputError(f"float images reach from {low} to {high}; with unit_floats they must lie in 0 to 1")
        array = np.rint(array * 255).astype(np.uint8)
    else:
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
            pixels = _grey(source, name, fit)
        else:
            if (path := Path(source)).exists() and not path.is_file():  # opening a named pipe would wait for ever
                raise OSError("not a regular file")
            with warnings.catch_warnings():
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                with Image.open(path, formats=FORMATS) as picture:
                    if picture.format in ("JPEG", "MPO"):
                        _check_scans(path)
                    pixels = _grey(picture, name, fit)
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
    return fit_ink(pixels) if fit else pixels


def _grey(picture: Image.Image, name: str, any_size: bool) -> npt.NDArray[np.uint8]:
    """8-bit grey of any PIL mode: turned upright, transparency over black, 16-bit scaled rather than cut.

    The size is checked before anything is decoded.
    """
    if not any_size and picture.size != SHAPE:
        raise InputError(
            f"{name} has {picture.width} x {picture.height} pixels; it must be 28 x 28, "
            "or say fit=True (--fit) to have it scaled and centred"
        )
    _check_size(name, picture.width, picture.height)
    orientation = picture.getexif().get(_ORIENTATION, 1)  # Pillow 9 reads that of a TIFF only before its pixels
    picture.load()
    deep = picture.mode.startswith("I") or picture.mode == "F"
    limit = _deep_limit(picture, name) if deep else 255
    pixels = np.concatenate([_deep(strip, limit) if deep else _flat(strip) for strip in _strips(picture)])
    grey = Image.fromarray(pixels)
    grey.getexif()[_ORIENTATION] = orientation
    return np.array(ImageOps.exif_transpose(grey) or grey)


def _check_size(name: str, width: int, height: int) -> None:
    if not 1 <= width * height <= MAX_PICTURE_PIXELS or max(width, height) > MAX_PICTURE_SIDE:
        raise InputError(
            f"{name} has {width} x {height} pixels; 1 to {MAX_PICTURE_PIXELS} are read, and {MAX_PICTURE_SIDE} a side"
        )


def _check_scans(path: Path) -> None:
    """Count a JPEG's scans; pictures within its metadata and what follows its end do not count."""
    scans, place = 0, 0
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        while (found := _MARKER.search(content, place)) and found[0] != _END_OF_IMAGE:
            scans += found[0] == _START_OF_SCAN
            place = found.end() + int.from_bytes(content[found.end() : found.end() + 2], "big")
    if scans > MAX_SCANS:
        raise InputError(f"{path} has {scans} scans; a JPEG of up to {MAX_SCANS} is read")


def _strips(picture: Image.Image) -> Iterator[Image.Image]:
    rows = max(1, _STRIP_PIXELS // picture.width)
    for top in range(0, picture.height, rows):
        yield picture.crop((0, top, picture.width, min(top + rows, picture.height)))


def _deep_limit(picture: Image.Image, name: str) -> int:
    """The value that is white in a picture of more than 8 bit."""
    low, high = np.inf, -np.inf
    for strip in _strips(picture):
        values = np.asarray(strip, np.float64)
        low, high = np.minimum(low, values.min()), np.maximum(high, values.max())  # unlike min(), these keep a NaN
    # Older versions of Pillow open 16-bit pictures in the 32-bit mode I, so only the values tell what it holds.
    limit = 255 if picture.mode in ("I", "F") and high <= 255 else 65535
    if not (low >= 0 and high <= limit):
        raise InputError(f"{name} has values from {low} to {high}; they must lie in 0 to 255 or 0 to 65535")
    return limit


def _deep(strip: Image.Image, limit: int) -> npt.NDArray[np.uint8]:
    return np.asarray(np.rint(np.asarray(strip, np.float64) * (255 / limit)), np.uint8)


def _flat(strip: Image.Image) -> npt.NDArray[np.uint8]:
    if strip.mode in ("LA", "PA", "RGBA", "RGBa", "La") or "transparency" in strip.info:
        ground = Image.new("RGBA", strip.size, (0, 0, 0, 255))
        strip = Image.alpha_composite(ground, strip.convert("RGBA"))
    return np.array(strip.convert("L"), np.uint8)


def fit_ink(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Scale the ink into 20 x 20 and put its centre of mass in the middle of 28 x 28, as MNIST was made.

    Parameters
    ----------
    pixels
        uint8 array (rows, columns), light ink on dark.

    Returns
    -------
    uint8 array (28, 28); all black if there is no ink.

    Raises
    ------
    InputError
        More pixels, or a longer side, than are read.
    """
    _check_size("the image", pixels.shape[1], pixels.shape[0])
    rows, columns = np.flatnonzero(pixels.any(1)), np.flatnonzero(pixels.any(0))
    if not rows.size:
        return np.zeros(SHAPE, np.uint8)
    ink = Image.fromarray(pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    scale = _INK_SIDE / max(ink.size)
    size = (max(1, round(ink.width * scale)), max(1, round(ink.height * scale)))
    resampling = getattr(Image, "Resampling", Image)  # new in Pillow 9.1; a PYNQ image carries 9.0
    small = np.asarray(ink.resize(size, resampling.LANCZOS), np.uint8)
    mass = small.astype(float)
    total = mass.sum() or 1.0
    centre = [(mass.sum(1 - axis) * (np.arange(small.shape[axis]) + 0.5)).sum() / total for axis in (0, 1)]
    top, left = (
        int(np.clip(round(IMAGE_SIDE / 2 - centre[axis]), 0, IMAGE_SIDE - small.shape[axis])) for axis in (0, 1)
    )
    canvas = np.zeros(SHAPE, np.uint8)
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    return canvas
