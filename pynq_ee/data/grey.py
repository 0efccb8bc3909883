"""Grey pictures, opaque or not, and how large they may be."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import InputError

Grey = npt.NDArray[np.uint8]

#: Pixels that are decoded at most. A file may claim anything, and a board has 512 MB: Pillow takes 4 bytes a pixel for
#: colours, and grey and transparency take one each, 192 MB together.
MAX_PICTURE_PIXELS = 32_000_000

#: Longest side: that of a JPEG. To scale a picture takes memory by its sides as well.
MAX_PICTURE_SIDE = 65_535


#: Pixels that are converted at a time, so that memory follows what was decoded and not what it goes through.
STRIP_PIXELS = 1 << 20


class Picture(NamedTuple):
    """A picture: ``grey`` uint8 (rows, columns), and ``alpha``, 255 where it is opaque, of one that is not whole."""

    grey: Grey
    alpha: Grey | None = None

    def over(self, ground: int) -> Grey:
        """Its grey over an even ground."""
        if self.alpha is None:
            return self.grey
        mixed = np.empty_like(self.grey)
        rows = max(1, STRIP_PIXELS * len(mixed) // mixed.size)
        for top in range(0, len(mixed), rows):
            strip = slice(top, top + rows)
            alpha = self.alpha[strip].astype(np.uint32)
            mixed[strip] = (self.grey[strip] * alpha + ground * (255 - alpha) + 127) // 255
        return mixed


def check_size(name: str, width: int, height: int) -> None:
    """Refuse a picture with no pixels or with more than are read."""
    if not 1 <= width * height <= MAX_PICTURE_PIXELS or max(width, height) > MAX_PICTURE_SIDE:
        raise InputError(
            f"{name} has {width} x {height} pixels; 1 to {MAX_PICTURE_PIXELS} are read, and {MAX_PICTURE_SIDE} a side"
        )
