"""Corrupted digits and images that are no digits: generated, seeded, uint8 (N, 28, 28).

The corruptions are the usual ones of MNIST (Mu and Gilmer, "MNIST-C: A Robustness Benchmark for Computer Vision",
arXiv:1906.02337, 2019), written anew here with NumPy and Pillow.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from pynq_ee.network.spec import IMAGE_SIDE

Images = npt.NDArray[np.uint8]
Random = np.random.Generator

SEED = 20_19


def corrupt(name: str, images: Images, seed: int = SEED) -> Images:
    """Corrupt images by a name in :data:`CORRUPTIONS`; the same seed gives the same images."""
    return CORRUPTIONS[name](images, np.random.default_rng(seed))


def strangers(name: str, count: int, seed: int = SEED) -> Images:
    """Images that are no digits, by a name in :data:`STRANGERS`."""
    return STRANGERS[name](count, np.random.default_rng(seed))


def _pictures(images: Images, change: Callable[[Image.Image], Image.Image]) -> Images:
    return np.stack([np.asarray(change(Image.fromarray(image)), np.uint8) for image in images])


def _rotate(degrees: float) -> Callable[[Images, Random], Images]:
    def change(images: Images, random: Random) -> Images:
        signs = iter(random.choice([-1, 1], len(images)))
        return _pictures(images, lambda picture: picture.rotate(degrees * next(signs), Image.Resampling.BILINEAR))

    return change


def _shift(pixels: int) -> Callable[[Images, Random], Images]:
    def change(images: Images, random: Random) -> Images:
        moved = np.zeros_like(images)
        for target, image, (down, right) in zip(moved, images, random.choice([-pixels, pixels], (len(images), 2))):
            rows, columns = np.arange(IMAGE_SIDE) - down, np.arange(IMAGE_SIDE) - right
            inside = np.ix_((rows >= 0) & (rows < IMAGE_SIDE), (columns >= 0) & (columns < IMAGE_SIDE))
            target[inside] = image[np.ix_(rows.clip(0, IMAGE_SIDE - 1), columns.clip(0, IMAGE_SIDE - 1))][inside]
        return moved

    return change


def _blur(radius: float) -> Callable[[Images, Random], Images]:
    return lambda images, random: _pictures(images, lambda each: each.filter(ImageFilter.GaussianBlur(radius)))


def _noise(deviation: float) -> Callable[[Images, Random], Images]:
    def change(images: Images, random: Random) -> Images:
        noisy = images + random.normal(0, deviation, images.shape)
        return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)

    return change


def _invert(images: Images, random: Random) -> Images:
    return np.invert(images)


def _occlude(side: int) -> Callable[[Images, Random], Images]:
    def change(images: Images, random: Random) -> Images:
        covered = images.copy()
        # The digit lies in the middle 20 x 20 pixels; elsewhere the block would cover nothing.
        for image, (row, column) in zip(covered, random.integers(4, IMAGE_SIDE - 4 - side + 1, (len(images), 2))):
            image[row : row + side, column : column + side] = 0
        return covered

    return change


#: The corruptions, by a name that says how much.
CORRUPTIONS: dict[str, Callable[[Images, Random], Images]] = {
    "clean": lambda images, random: images,
    "rotated by 15 degrees": _rotate(15),
    "rotated by 30 degrees": _rotate(30),
    "rotated by 60 degrees": _rotate(60),
    "shifted by 2 pixels": _shift(2),
    "shifted by 4 pixels": _shift(4),
    "blurred, radius 1": _blur(1),
    "blurred, radius 2": _blur(2),
    "noise, deviation 32": _noise(32),
    "noise, deviation 96": _noise(96),
    "inverted": _invert,
    "occluded, 8 x 8 pixels": _occlude(8),
}


def _uniform(count: int, random: Random) -> Images:
    return random.integers(0, 256, (count, IMAGE_SIDE, IMAGE_SIDE)).astype(np.uint8)


def _blank(count: int, random: Random) -> Images:
    """Even grounds of any grey, black and white among them."""
    greys = np.concatenate([[0, 255], random.integers(0, 256, max(count - 2, 0))])[:count].astype(np.uint8)
    return np.broadcast_to(greys[:, None, None], (count, IMAGE_SIDE, IMAGE_SIDE)).copy()


def _strokes(count: int, random: Random) -> Images:
    """Three to five joined strokes as thick as a digit's, within its box."""

    def draw() -> Images:
        large = Image.new("L", (4 * IMAGE_SIDE, 4 * IMAGE_SIDE))
        points = random.uniform(4 * 4, 4 * (IMAGE_SIDE - 4), (random.integers(4, 7), 2))
        ImageDraw.Draw(large).line([tuple(point) for point in points], fill=255, width=10, joint="curve")
        return np.asarray(large.resize((IMAGE_SIDE, IMAGE_SIDE), Image.Resampling.LANCZOS), np.uint8)

    return np.stack([draw() for _ in range(count)])


#: Images that are no digits.
STRANGERS: dict[str, Callable[[int, Random], Images]] = {
    "uniform noise": _uniform,
    "blank": _blank,
    "strokes like letters": _strokes,
}
