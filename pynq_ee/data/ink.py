"""Ink and paper: the ground is estimated, the ink found on it, and brought to 28 x 28 as MNIST was made."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from pynq_ee.data.grey import STRIP_PIXELS, Grey, Picture, check_size
from pynq_ee.data.warn import warn
from pynq_ee.network.spec import IMAGE_SIDE

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: MNIST's own preparation: the ink fits a box of 20 x 20 and its centre of mass is the image's centre.
_INK_SIDE = 20

#: Longest side on which ink is looked for: enough for a digit, and the mean of a photo's pixels is free of noise.
_WORK_SIDE = 160
#: Ink that takes less of that than this share is looked at again, from nearer.
_NEAR = 0.4
_LOOKS = 4

#: Terms of the ground: a surface of second degree, as of a lamp beside the paper.
_DEGREES = ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))
_ITERATIONS = 15
#: Tukey's biweight with 95 % efficiency, and the ratio of a normal distribution's deviation to its median distance.
_TUKEY, _DEVIATION = 4.685, 1.4826

#: Least contrast of ink, in grey levels and in deviations of the paper.
_LEAST_LEVELS, _LEAST_DEVIATIONS = 12, 5.0
#: Shares of the ink's contrast: what belongs to a stroke, and below which nothing is left of it.
_STROKE, _FLOOR = 0.4, 0.2
#: A part of the ink with less area than this share of the largest part is a speck.
_SPECK = 0.03
#: A part is a frame when it covers this share of each side of its own box, and the box that of the picture.
_FRAME_SIDE, _FRAME_BOX = 0.6, 0.7
#: Ink of the other side is a digit within a frame, and no speck beside a large 0, from this share of its mass on.
_FRAMED = 0.05
#: A stroke's least and most width in pixels of the 20 x 20; MNIST's are 2 to 4.
_THIN, _THICK = 1.5, 5.0


class _Part(NamedTuple):
    """A connected part of the ink."""

    mask: Mask
    top: int
    left: int
    bottom: int
    right: int

    @property
    def area(self) -> int:
        return int(self.mask.sum())

    @property
    def at_edge(self) -> bool:
        rows, columns = self.mask.shape
        return self.top == 0 or self.left == 0 or self.bottom == rows or self.right == columns


class _Found(NamedTuple):
    """Ink as 0 to 1 on a work picture, its box there, its contrast, whether a frame was set aside, and if it is one."""

    ink: Floats
    box: tuple[int, int, int, int]
    mass: float
    frame: bool
    is_frame: bool


def read_ink(picture: Picture, name: str, invert: bool | None) -> Grey:
    """Find a digit's ink on any even, unevenly lit, textured or transparent ground, and fit it.

    Parameters
    ----------
    picture
        Of any size.
    name
        What warnings call it.
    invert
        True: dark ink on a light ground. False: light ink on a dark one. None: whichever there is.

    Returns
    -------
    uint8 array (28, 28), white ink on black; all black, after a warning, if there is none.

    Notes
    -----
    The ground is a surface of second degree, fitted with Tukey's biweight (Beaton and Tukey, Technometrics 16, 1974)
    so that ink does not count. What stands out of it on one side is ink, less specks, frames and what reaches in over
    the edge. Small ink is looked at again from nearer.
    """
    grey = picture.grey if picture.alpha is None else picture.over(_ground_of(picture))
    low, high = int(grey.min()), int(grey.max())
    whole = Image.fromarray(grey)
    box = (0, 0, whole.width, whole.height)
    found, frame = None, False
    for _ in range(_LOOKS):
        work, scale = _reduced(whole, box)
        looks = {dark: _look(work, dark) for dark in (True, False)}
        dark = invert
        if dark is None:
            dark = _side(looks)
        other, seen = looks[not dark], looks[dark]
        if found is None and other is not None and _mass(seen) < other.mass / 4:
            if dark:
                warn(f"{name}: the ink seems light on a dark ground, but invert says dark ink; leave invert out")
            else:
                warn(f"{name}: the ink seems dark on a light ground; give invert=True (--invert), or leave invert out")
        if seen is None:
            break
        found, invert = seen, dark
        frame |= seen.frame or (other is not None and other.is_frame and not seen.is_frame)
        inner = tuple(round(value * scale) for value in seen.box)
        size = max(seen.box[2] - seen.box[0], seen.box[3] - seen.box[1])
        if scale <= 1 or size > _NEAR * max(work.shape):
            break
        margin = max(inner[2] - inner[0], inner[3] - inner[1]) // 2 + 2
        box = (
            max(0, box[0] + inner[0] - margin),
            max(0, box[1] + inner[1] - margin),
            min(whole.width, box[0] + inner[2] + margin),
            min(whole.height, box[1] + inner[3] + margin),
        )
    if found is None:
        warn(f"{name}: it is blank, no ink stands out of its grey levels from {low} to {high}")
        return np.zeros((IMAGE_SIDE, IMAGE_SIDE), np.uint8)
    if frame:
        warn(f"{name}: a frame around everything was left out; cut it off if the digit is read wrongly")
    return fit_ink(_of_usual_width(np.rint(255 * found.ink).astype(np.uint8)))


def check_ink(image: Grey, name: str) -> None:
    """Warn of a picture of 28 x 28, taken as white ink on black, that does not look it: blank, inverted or framed."""
    if image.min() == image.max():
        warn(f"{name}: it is blank, all of grey {image.flat[0]}")
        return
    edge = np.median(np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]]))
    if edge < _LIGHT:
        return
    if np.median(image[2:-2, 2:-2]) >= _LIGHT:
        warn(f"{name}: the ink seems dark on a light ground; give invert=True (--invert)")
    else:
        warn(f"{name}: there is a bright frame around everything; cut it off, or say fit=True (--fit)")


#: An edge as light as this is no black ground.
_LIGHT = 128


def _ground_of(picture: Picture) -> int:
    """The grey behind a transparent picture: away from its ink, or that of the paper that it brings along."""
    assert picture.alpha is not None
    step = max(1, int((picture.grey.size / STRIP_PIXELS) ** 0.5))
    opaque = picture.grey[::step, ::step][picture.alpha[::step, ::step] >= 128]
    if not opaque.size:
        return 0
    middle = float(np.median(opaque))
    low, high = np.percentile(opaque, [2, 98])
    if high - low < 64:  # all of it is ink
        return 255 if middle < 128 else 0
    return int(middle)


def _reduced(whole: Image.Image, box: tuple[int, int, int, int]) -> tuple[Floats, float]:
    """A part of the picture, its longest side at most the work side, and the picture's pixels in one of it."""
    part = whole if box == (0, 0, *whole.size) else whole.crop(box)
    scale = max(1.0, max(part.size) / _WORK_SIDE)
    if scale > 1:
        size = (max(1, round(part.width / scale)), max(1, round(part.height / scale)))
        part = part.resize(size, getattr(Image, "Resampling", Image).BOX)
    return np.asarray(part, np.float64), scale


def _ground(work: Floats) -> tuple[Floats, float]:
    """The paper's grey at every pixel, and its deviation from that."""
    rows, columns = (np.linspace(-1, 1, size) for size in work.shape)
    step = max(1, max(work.shape) // 64)
    near = work[::step, ::step]
    down, right = np.meshgrid(rows[::step], columns[::step], indexing="ij")
    terms = np.stack([(down**a * right**b).ravel() for a, b in _DEGREES], 1)
    values = near.ravel()
    counts = np.bincount(values.astype(np.int64), minlength=256)
    mode = float(np.convolve(counts, np.ones(9), "same").argmax())
    best: tuple[float, npt.NDArray[np.float64]] | None = None
    flat = np.zeros(len(_DEGREES))
    flat[0] = mode
    for start in (flat, np.linalg.lstsq(terms, values, rcond=None)[0]):
        factors = start
        for _ in range(_ITERATIONS):
            rest = values - terms @ factors
            deviation = max(_DEVIATION * float(np.median(np.abs(rest))), 1.0)
            weights = np.clip(1 - (rest / (_TUKEY * deviation)) ** 2, 0, None)
            if np.count_nonzero(weights) < 2 * len(_DEGREES):
                break
            weights = np.where(weights > 0, weights, 1e-9)
            factors = np.linalg.lstsq(terms * weights[:, None], values * weights, rcond=None)[0]
        spread = float(np.median(np.abs(values - terms @ factors)))
        if best is None or spread < best[0]:
            best = spread, factors
    assert best is not None
    surface = sum(factor * np.outer(rows**a, columns**b) for factor, (a, b) in zip(best[1], _DEGREES))
    return np.asarray(surface), max(_DEVIATION * float(np.median(np.abs(work - surface))), 1.0)


def _look(work: Floats, dark: bool) -> _Found | None:
    """Find dark or light ink on a work picture; None: there is none."""
    ground, deviation = _ground(work)
    height = ground - work if dark else work - ground
    least = max(_LEAST_LEVELS, _LEAST_DEVIATIONS * deviation)
    if not (height > least).any():
        return None
    peak = float(np.percentile(height[height > least], 80))
    parts = _parts(height > max(least, _STROKE * peak))
    parts, frame = _of_digit(parts)
    if not parts:
        return None
    is_frame = len(parts) == 1 and _is_frame(parts[0])
    mask = np.logical_or.reduce([part.mask for part in parts])
    peak = float(np.percentile(height[mask], 70))
    floor = max(2.5 * deviation, _FLOOR * peak)
    if peak <= floor:
        return None
    ink = np.where(_grown(mask), np.clip((height - floor) / (peak - floor), 0, 1), 0)
    box = (
        min(part.left for part in parts),
        min(part.top for part in parts),
        max(part.right for part in parts),
        max(part.bottom for part in parts),
    )
    return _Found(ink, box, float(height[mask].sum()), frame, is_frame)


def _side(looks: dict[bool, _Found | None]) -> bool:
    """On which side of the ground the digit is: that of the greater contrast, unless that is a frame around it."""
    dark = max(looks, key=lambda key: _mass(looks[key]))
    seen, other = looks[dark], looks[not dark]
    if seen is not None and seen.is_frame and other is not None and not other.is_frame:
        return dark if other.mass < _FRAMED * seen.mass else not dark
    return dark


def _mass(found: _Found | None) -> float:
    return 0.0 if found is None else found.mass


def _of_digit(parts: list[_Part]) -> tuple[list[_Part], bool]:
    """The parts without specks, frames and what reaches in over the edge; and whether a frame was among them."""
    if not parts:
        return [], False
    shape = parts[0].mask.shape
    frames = [part for part in parts if _is_frame(part)]
    rest = [part for part in parts if not any(part is each for each in frames)]
    inside = [part for part in rest if not part.at_edge]
    largest = max((part.area for part in inside), default=0)
    # A digit that fills its picture touches the edge too; then what lies inside is but a speck of it, or nothing.
    touching = max((part.area for part in rest if part.at_edge), default=0)
    reach = max((max(part.bottom - part.top, part.right - part.left) for part in inside), default=0)
    if inside and (largest >= _SPECK * touching and reach >= 0.12 * max(shape)):
        rest = inside
    if not rest:
        return (parts, False)
    most = max(part.area for part in rest)
    return [part for part in rest if part.area >= max(2, _SPECK * most)], bool(frames)


def _is_frame(part: _Part) -> bool:
    """Whether a part runs along all four sides of its box, and the box nearly along those of the picture."""
    rows, columns = part.mask.shape
    height, width = part.bottom - part.top, part.right - part.left
    if height < _FRAME_BOX * rows or width < _FRAME_BOX * columns or part.area > 0.6 * height * width:
        return False
    box = part.mask[part.top : part.bottom, part.left : part.right]
    deep = max(1, round(0.04 * max(height, width)))
    sides = (box[:deep].any(0), box[-deep:].any(0), box[:, :deep].any(1), box[:, -deep:].any(1))
    return all(side.mean() >= _FRAME_SIDE for side in sides)


def _parts(mask: Mask) -> list[_Part]:
    """The connected parts (8 neighbours) of a mask.

    Every pixel takes the least number among its neighbours, and then the number of the pixel that has that number, so
    that numbers travel in jumps.
    """
    nobody = mask.size
    numbers = np.where(mask, np.arange(nobody).reshape(mask.shape), nobody)
    while True:
        padded = np.pad(numbers, 1, constant_values=nobody)
        least = np.minimum(np.minimum(padded[:-2], padded[1:-1]), padded[2:])
        least = np.minimum(np.minimum(least[:, :-2], least[:, 1:-1]), least[:, 2:])
        least = np.where(mask, least, nobody)
        for _ in range(2):
            least = np.append(least.ravel(), nobody)[least]
        if np.array_equal(least, numbers):
            break
        numbers = least
    found, areas = np.unique(numbers[mask], return_counts=True)
    parts = []
    for number in found[areas.argsort()[::-1][:64]]:  # the largest; a speckled paper has thousands
        part = numbers == number
        down, right = np.flatnonzero(part.any(1)), np.flatnonzero(part.any(0))
        parts.append(_Part(part, int(down[0]), int(right[0]), int(down[-1]) + 1, int(right[-1]) + 1))
    return parts


def _grown(mask: Mask) -> Mask:
    """A mask and the pixels beside it: a stroke's soft edge."""
    return np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).filter(ImageFilter.MaxFilter(3))) > 0


def _of_usual_width(ink: Grey) -> Grey:
    """The ink, its strokes made thicker or thinner where they would be much unlike those of MNIST at 20 x 20."""
    mask = ink >= 128
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not rows.size:
        return ink
    unit = (max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1) / _INK_SIDE
    inner = np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).filter(ImageFilter.MinFilter(3))) > 0
    width = 2 * mask.sum() / max(1, int((mask & ~inner).sum()))  # area is width x length, the rim twice the length
    if width < _THIN * unit:
        wider = round((2.2 * unit - width) / 2)
        if wider > 0:
            padded = Image.fromarray(np.pad(ink, wider))
            return np.asarray(padded.filter(ImageFilter.MaxFilter(2 * wider + 1)), np.uint8)
    elif width > _THICK * unit:
        thinner = round((width - 4 * unit) / 2)
        if thinner > 0:
            less = np.asarray(Image.fromarray(ink).filter(ImageFilter.MinFilter(2 * thinner + 1)), np.uint8)
            return less if less.max() >= 128 else ink
    return ink


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
    check_size("the image", pixels.shape[1], pixels.shape[0])
    rows, columns = np.flatnonzero(pixels.any(1)), np.flatnonzero(pixels.any(0))
    if not rows.size:
        return np.zeros((IMAGE_SIDE, IMAGE_SIDE), np.uint8)
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
    canvas = np.zeros((IMAGE_SIDE, IMAGE_SIDE), np.uint8)
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    return canvas
