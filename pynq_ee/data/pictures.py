"""Pictures in files and PIL images as grey levels, within limits of memory and time."""

from __future__ import annotations

import mmap
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from pynq_ee.data import values
from pynq_ee.data.grey import STRIP_PIXELS, Picture, check_size
from pynq_ee.errors import InputError
from pynq_ee.network.spec import IMAGE_SIDE

#: One image's shape.
SHAPE = (IMAGE_SIDE, IMAGE_SIDE)

#: Pixels of a JPEG that is decoded at a half, a quarter or an eighth of its size, as fit allows: where Pillow itself
#: begins to doubt. A progressive one is held whole while it is decoded, and has the limit above.
MAX_JPEG_PIXELS = 89_000_000

#: Shorter side that such a JPEG keeps at least.
_DRAFT_SIDE = 1000

#: Scans of a progressive JPEG; each of them is a pass over the whole picture, and a usual file has about ten.
MAX_SCANS = 100

#: A marker of a JPEG that has a length, or ends the picture. Within a scan, FF is followed by 00 or a restart's number.
_MARKER = re.compile(rb"\xff[\xc0-\xcf\xd9-\xfe]")
_START_OF_SCAN, _END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"

#: What is read. Pillow knows more, some of which run other programs (EPS) or have no size of their own.
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "PPM", "WEBP")

#: The EXIF tag that says which way a photo was taken.
_ORIENTATION = 0x0112


def read_picture(source: Image.Image | str | os.PathLike[str], any_size: bool, unit_floats: bool) -> Picture:
    """Read a PIL image or a file.

    Parameters
    ----------
    any_size
        It need not be 28 x 28, and a large JPEG may be decoded smaller than it is.
    unit_floats
        Floats in 0 to 1 are taken, 1 as white.

    Raises
    ------
    InputError
        An unreadable file, a wrong size, or values that mean no grey.
    """
    name = name_of(source)
    try:
        if isinstance(source, Image.Image):
            return _grey(source, name, any_size, unit_floats)
        else:
            if (path := Path(source)).exists() and not path.is_file():  # opening a named pipe would wait for ever
                raise OSError("not a regular file")
            with warnings.catch_warnings():
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                with Image.open(path, formats=FORMATS) as picture:
                    if picture.format in ("JPEG", "MPO"):
                        _check_scans(path)
                    if any_size and picture.format in ("JPEG", "MPO"):
                        _draft(picture, name)
                    return _grey(picture, name, any_size, unit_floats)
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"no such picture: {name}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{name} is too large a picture ({error})") from error
    except Exception as error:  # a damaged file makes Pillow's decoders raise nearly anything
        raise InputError(f"{name} is no picture that can be read ({type(error).__name__}: {error})") from error


def name_of(source: Any) -> str:
    """What a message calls a picture."""
    return str(source) if isinstance(source, (str, os.PathLike)) else "the image"


def _grey(picture: Image.Image, name: str, any_size: bool, unit_floats: bool) -> Picture:
    """8-bit grey of any PIL mode: turned upright, transparency beside it, 16-bit scaled rather than cut.

    The size is checked before anything is decoded.
    """
    if not any_size and picture.size != SHAPE:
        raise InputError(
            f"{name} has {picture.width} x {picture.height} pixels; it must be 28 x 28, "
            "or say fit=True (--fit) to have it scaled and centred"
        )
    check_size(name, picture.width, picture.height)
    orientation = picture.getexif().get(_ORIENTATION, 1)  # Pillow 9 reads that of a TIFF only before its pixels
    picture.load()
    deep = picture.mode.startswith("I") or picture.mode == "F"
    if deep:
        white = _white(picture, name, unit_floats)
        grey, alpha = np.concatenate([_deep(strip, white) for strip in _strips(picture)]), None
    else:
        flat = [_flat(strip) for strip in _strips(picture)]
        grey = np.concatenate([strip.grey for strip in flat])
        alpha = None if flat[0].alpha is None else np.concatenate([strip.alpha for strip in flat])
        if alpha is None and picture.mode != "1":
            grey = values.mask_to_ink(grey)
    return Picture(_upright(grey, orientation), None if alpha is None else _upright(alpha, orientation))


def _upright(pixels: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    if orientation == 1:
        return pixels
    turned = Image.fromarray(pixels)
    turned.getexif()[_ORIENTATION] = orientation
    return np.array(ImageOps.exif_transpose(turned) or turned)


def _draft(picture: Image.Image, name: str) -> None:
    """Have a large JPEG decoded smaller than it is, in grey."""
    width, height = picture.size
    if picture.info.get("progressive") or picture.info.get("progression"):
        return
    if width * height > MAX_JPEG_PIXELS:
        raise InputError(f"{name} has {width} x {height} pixels; of a JPEG 1 to {MAX_JPEG_PIXELS} are read")
    side = _DRAFT_SIDE / min(width, height)
    if side <= 0.5:
        picture.draft("L", (max(1, int(width * side)), max(1, int(height * side))))


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
    rows = max(1, STRIP_PIXELS // picture.width)
    for top in range(0, picture.height, rows):
        yield picture.crop((0, top, picture.width, min(top + rows, picture.height)))


def _white(picture: Image.Image, name: str, unit_floats: bool) -> int:
    """The value that is white in a picture of more than 8 bit."""
    low, high = np.inf, -np.inf
    for strip in _strips(picture):
        pixels = np.asarray(strip, np.float64)
        low, high = np.minimum(low, pixels.min()), np.maximum(high, pixels.max())  # unlike min(), these keep a NaN
    # Older versions of Pillow open 16-bit pictures in the 32-bit mode I, so only the values tell what it holds.
    return values.white(name, float(low), float(high), floats=picture.mode == "F", unit_floats=unit_floats)


def _deep(strip: Image.Image, white: int) -> npt.NDArray[np.uint8]:
    return np.asarray(np.rint(np.asarray(strip, np.float64) * (255 / white)), np.uint8)


def _flat(strip: Image.Image) -> Picture:
    if strip.mode == "La":
        strip = strip.convert("LA")
    if strip.mode in ("LA", "PA", "RGBA", "RGBa") or "transparency" in strip.info:
        strip = strip.convert("RGBA")
        return Picture(np.array(strip.convert("L"), np.uint8), np.array(strip.getchannel("A"), np.uint8))
    return Picture(np.array(strip.convert("L"), np.uint8))
