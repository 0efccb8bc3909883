"""Are digits still read from pictures of paper? Digits put on papers of many kinds, and read with ``fit``.

    python -m pynq_ee.bench.ink_on_paper                       20 digits on each kind of paper
    python -m pynq_ee.bench.ink_on_paper --count 100 --json    more, for a program to read
    python -m pynq_ee.bench.ink_on_paper --picture papers.png  examples, as they are and as they are fitted

Everything is drawn from a seed: which digits, their size, place, strokes and paper. Polarity is left to ``fit`` to see.
The same digits, plain, say what could be reached.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from pynq_ee.bench import programs
from pynq_ee.bench.arguments import whole
from pynq_ee.bench.exit_rule.robustness import scores_of
from pynq_ee.data import datasets
from pynq_ee.data.images import to_images
from pynq_ee.errors import InputError, InputWarning, status
from pynq_ee.exits.scores import outcome
from pynq_ee.files import check_way_out
from pynq_ee.network import weights
from pynq_ee.network.weights import Model

COMMAND = "python -m pynq_ee.bench.ink_on_paper"

SEED = 12
COUNT = 20

Random = np.random.Generator
Floats = npt.NDArray[np.float64]


def _ink(digit: npt.NDArray[np.uint8], random: Random, side: int, thicker: float = 0) -> Floats:
    """A digit's strokes enlarged, 0 to 1, ``thicker`` by a share of the side."""
    large = Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)
    if thicker:
        kind = ImageFilter.MaxFilter if thicker > 0 else ImageFilter.MinFilter
        large = large.filter(kind(2 * max(1, round(abs(thicker) * side)) + 1))
    sharp = (np.asarray(large, float) - 128) * max(1.0, side / 56) + 128  # a pen's edge does not grow with the picture
    return np.clip(sharp / 255, 0, 1)


def _place(ink: Floats, random: Random, least: float = 1.2, most: float = 2.5) -> Floats:
    """Somewhere on a larger sheet."""
    rows, columns = (int(side * random.uniform(least, most)) for side in ink.shape)
    sheet = np.zeros((rows, columns))
    top, left = random.integers(0, rows - len(ink) + 1), random.integers(0, columns - ink.shape[1] + 1)
    sheet[top : top + len(ink), left : left + ink.shape[1]] = ink
    return sheet


def _written(ink: Floats, paper: Floats | float, pen: float) -> Floats:
    return paper * (1 - ink) + pen * ink


def _picture(grey: npt.NDArray[Any]) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(grey), 0, 255).astype(np.uint8))


def _light(shape: tuple[int, ...], random: Random, least: float) -> Floats:
    """Lamplight from one side, 1 to ``least``."""
    down, right = np.meshgrid(np.linspace(-1, 1, shape[0]), np.linspace(-1, 1, shape[1]), indexing="ij")
    angle = random.uniform(0, 2 * np.pi)
    slope = down * np.sin(angle) + right * np.cos(angle)
    return np.asarray(1 - (1 - least) * (slope - slope.min()) / np.ptp(slope))


def _side(random: Random) -> int:
    return int(random.integers(56, 280))


def _plain(digit: npt.NDArray[np.uint8], random: Random) -> Image.Image:
    return Image.fromarray(digit)


def _white(digit: npt.NDArray[np.uint8], random: Random) -> Image.Image:
    return _picture(_written(_place(_ink(digit, random, _side(random)), random), 255, random.uniform(0, 60)))


def _grey(digit: npt.NDArray[np.uint8], random: Random) -> Image.Image:
    paper = random.uniform(120, 220)
    return _picture(_written(_place(_ink(digit, random, _side(random)), random), paper, random.uniform(0, paper - 80)))


def _board(digit: npt.NDArray[np.uint8], random: Random) -> Image.Image:
    sheet = _place(_ink(digit, random, _side(random)), random)
    return _picture(
        _written(sheet, random.uniform(20, 90), random.uniform(180, 255)) + random.normal(0, 5, sheet.shape)
    )


def _coloured(digit: npt.NDArray[np.uint8], random: Random) -> Image.Image:
    sheet = _place(_ink(digit, random, _side(random)), random)[..., None]
    paper, pen = random.uniform(170, 255, 3), random.uniform(0, 110, 3)
    return _picture(paper * (1 - sheet) + pen * sheet)


def _lamp(digit: npt.NDArray[np.uint8], random: Random) -> Image.Image:
    sheet = _place(_ink(digit, random, _side(random)), random)
    return _picture(_written(sheet, 240, 50) * _light(sheet.shape, random, random.uniform(0.35, 0.7)))


def _vignette(digit: npt.NDArray[np.uint8], random: Random) -> Image.Image:
    sheet = _place(_ink(digit, random, _side(random)), random)
    down, right = (np.linspace(-1, 1, side) for side in sheet.shape)
    return _picture(_written(sheet, 230, 60) * (1 - 0.3 * (down[:, None] ** 2 + right**2) / 2 * 2))


def _noisy(digit: npt.NDArray[np.uint8], random: Random) -> Image.Image:
    sheet = _place(_ink(digit, random, _side(random)), random)
    return _picture(_written(sheet, 210, 50) + random.normal(0, random.uniform(10, 25), sheet.shape))


def _textured(digit: npt.NDArray[np.uint8], random: Random) -> Image.Image:
    sheet = _place(_ink(digit, random, _side(random)), random)
    grain = Image.fromarray(random.integers(0, 256, sheet.shape).astype(np.uint8)).filter(ImageFilter.GaussianBlur(2))
    return _picture(_written(sheet, 200, 40) + 1.5 * (np.asarray(grain, float) - 128))


def _small(digit: npt.NDArray[np.uint8], random: Random) -> Image.Image:
    sheet = _place(_ink(digit, random, int(random.integers(80, 140))), random, 5, 8)
    return _picture(_written(sheet, 235, 60) * _light(sheet.shape, random, 0.7) + random.normal(0, 6, sheet.shape))


def _tight(digit: npt.NDArray[np.uint8], random: Random) -> Image.Image:
    ink = _ink(digit, random, _side(random))
    rows, columns = np.flatnonzero((ink > 0.5).any(1)), np.flatnonzero((ink > 0.5).any(0))
    return _picture(_written(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 245, 30))


def _thin(digit: npt.NDArray[np.uint8], random: Random) -> Image.Image:
    side = int(random.integers(160, 320))
    return _picture(_written(_place(_ink(digit, random, side, -0.012), random), 240, 50))


def _thick(digit: npt.NDArray[np.uint8], random: Random) -> Image.Image:
    return _picture(_written(_place(_ink(digit, random, _side(random), 0.015), random), 240, 50))


def _transparent(digit: npt.NDArray[np.uint8], random: Random) -> Image.Image:
    sheet = _place(_ink(digit, random, _side(random)), random)
    levels = np.full((*sheet.shape, 4), random.choice([0, 40, 220, 255]), np.uint8)
    levels[..., 3] = np.rint(255 * sheet)
    return Image.fromarray(levels)


def _framed(digit: npt.NDArray[np.uint8], random: Random) -> Image.Image:
    picture = _white(digit, random)
    width = max(1, picture.width // 40)
    large = Image.new("L", (picture.width + 6 * width, picture.height + 6 * width), 255)
    large.paste(picture, (3 * width, 3 * width))
    ImageDraw.Draw(large).rectangle((0, 0, large.width - 1, large.height - 1), outline=30, width=width)
    return large


def _photo(digit: npt.NDArray[np.uint8], random: Random) -> Image.Image:
    sheet = _place(_ink(digit, random, int(random.integers(150, 300))), random, 1.5, 4)
    grey = _written(sheet, 220, 60) * _light(sheet.shape, random, random.uniform(0.5, 0.8))
    return _picture(grey + random.normal(0, 8, sheet.shape)).filter(ImageFilter.GaussianBlur(1.5))


#: Kinds of paper.
PAPERS: dict[str, Callable[[npt.NDArray[np.uint8], Random], Image.Image]] = {
    "plain, white on black, 28 x 28": _plain,
    "dark pen on white": _white,
    "dark pen on grey": _grey,
    "chalk on a board": _board,
    "colours": _coloured,
    "lamp from one side": _lamp,
    "darker corners": _vignette,
    "noise": _noisy,
    "texture": _textured,
    "small on a large sheet": _small,
    "cut to the digit": _tight,
    "thin strokes": _thin,
    "thick strokes": _thick,
    "transparent ground": _transparent,
    "frame": _framed,
    "photo": _photo,
}


def draw(name: str, digits: npt.NDArray[np.uint8], seed: int = SEED) -> list[Image.Image]:
    """Put digits, uint8 (N, 28, 28), on one kind of :data:`PAPERS`; the same seed gives the same pictures."""
    random = np.random.default_rng([seed, *name.encode()])
    return [PAPERS[name](digit, random) for digit in digits]


def run(model: Model, digits: datasets.Digits, count: int = COUNT, seed: int = SEED) -> dict[str, Any]:
    """Read ``count`` digits from each kind of paper.

    Returns
    -------
    ``papers``: for each kind, ``accuracy`` of the system, ``plain`` accuracy of the same digits as they are in MNIST,
    and ``warned``, the share of pictures with a warning; ``accuracy`` and ``plain`` over all kinds.
    """
    if not 1 <= count <= len(digits.labels):
        raise InputError(f"count is {count}; {digits.source} has 1 to {len(digits.labels)} digits")
    random = np.random.default_rng(seed)
    papers = {}
    for name in PAPERS:
        rows = random.choice(len(digits.labels), count, replace=False)
        images, labels = digits.images[rows], digits.labels[rows]
        fitted, warned = [], 0
        for picture in draw(name, images, seed):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", InputWarning)
                fitted.append(to_images(picture, fit=True)[0])
            warned += any(issubclass(each.category, InputWarning) for each in caught)
        papers[name] = {
            "accuracy": outcome(scores_of(model, np.stack(fitted), labels), model.thresholds).accuracy,
            "plain": outcome(scores_of(model, images, labels), model.thresholds).accuracy,
            "warned": warned / count,
        }
    return {
        "data": digits.source,
        "seed": seed,
        "count": count,
        "images": count * len(PAPERS),
        "accuracy": float(np.mean([each["accuracy"] for each in papers.values()])),
        "plain": float(np.mean([each["plain"] for each in papers.values()])),
        "papers": papers,
    }


def table(record: dict[str, Any]) -> str:
    """A Markdown table of what :func:`run` returned."""
    lines = ["| paper | read | the same digits, plain | warned |", "| --- | ---: | ---: | ---: |"]
    for name, each in record["papers"].items():
        lines.append(f"| {name} | " + " | ".join(f"{100 * each[key]:.1f} %" for key in each) + " |")
    lines.append(f"| **all {record['images']}** | {100 * record['accuracy']:.1f} % | {100 * record['plain']:.1f} % | |")
    return "\n".join(lines)


def examples(digits: npt.NDArray[np.uint8], path: Path, seed: int = SEED, side: int = 84) -> Path:
    """Draw a picture with a row for each kind of paper: some of its pictures, each beside what ``fit`` makes of it."""
    sheet = Image.new("RGB", (2 * side * len(digits), side * len(PAPERS)), (120, 160, 200))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        for row, name in enumerate(PAPERS):
            for column, picture in enumerate(draw(name, digits, seed)):
                shown = picture.convert("RGBA")
                shown.thumbnail((side - 4, side - 4))
                sheet.paste(shown, (2 * column * side, row * side), shown)
                fitted = Image.fromarray(to_images(picture, fit=True)[0]).resize((side - 4, side - 4))
                sheet.paste(fitted, ((2 * column + 1) * side, row * side))
    sheet.save(path)
    return path


def _png(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() != ".png":
        raise argparse.ArgumentTypeError(f"{path} is no PNG; its name must end in .png")
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """Read, print, draw."""
    parser = programs.parser(COMMAND, __doc__)
    parser.add_argument("--count", type=whole(), default=COUNT, help=f"digits on each kind of paper (default {COUNT})")
    parser.add_argument("--seed", type=whole(0), default=SEED, help=f"of all that is drawn (default {SEED})")
    parser.add_argument("--model", default=weights.DEFAULT, help="a shipped model's name, or a model file")
    parser.add_argument("--picture", type=_png, help="write examples to this PNG")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    if options.picture:
        check_way_out(options.picture)
    digits = datasets.available()
    try:
        record = run(weights.load(options.model), digits, options.count, options.seed)
    except InputError as error:
        parser.error(str(error))
    if options.picture:
        examples(digits.images[:4], options.picture, options.seed)
    print(json.dumps(record, indent=1) if options.json else table(record))
    return 0


if __name__ == "__main__":
    sys.exit(status(COMMAND, main))
