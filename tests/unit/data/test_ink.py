"""Ink is found on any paper, and what does not look like a digit is told."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pynq_ee.bench import ink_on_paper
from pynq_ee.commands import cli
from pynq_ee.data.images import to_images
from pynq_ee.errors import InputWarning
from pynq_ee.network import weights


def seven(ground: object, ink: object, mode: str = "L", side: int = 280) -> Image.Image:
    """A seven drawn with a pen."""
    picture = Image.new(mode, (side, side), ground)
    points = [(70, 50), (210, 50), (120, 240)]
    ImageDraw.Draw(picture).line([(x * side // 280, y * side // 280) for x, y in points], ink, 24 * side // 280)
    return picture


@pytest.fixture
def strict() -> Iterator[None]:
    """A warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", InputWarning)
        yield


REFERENCE = seven(0, 255)


def differs(image: np.ndarray) -> float:
    """Mean distance from the seven that is white on black, in grey levels."""
    return float(np.abs(image.astype(int) - to_images(REFERENCE, fit=True)[0]).mean())


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize(
    "picture",
    [
        seven(255, 0),
        seven(200, 60),
        seven(90, 230),
        seven((255, 255, 255, 255), (0, 0, 0, 255), "RGBA"),
        seven((0, 0, 0, 0), (0, 0, 0, 255), "RGBA"),
        seven((0, 0, 0, 0), (255, 255, 255, 255), "RGBA"),
        seven((0, 0), (0, 255), "LA"),
        seven((250, 240, 200), (40, 50, 120), "RGB"),
        seven(0, 1, "1"),
        seven((0, 0, 0, 0), (0, 0, 0, 255), "RGBA").convert("RGBa"),
        seven((255, 255, 255), (20, 20, 20), "RGB").convert("CMYK"),
    ],
    ids=range(11),
)
def test_a_digit_is_the_same_on_any_paper(picture: Image.Image) -> None:
    assert differs(to_images(picture, fit=True)[0]) < 4


@pytest.mark.usefixtures("strict")
def test_invert_says_which_of_two_inks_is_meant() -> None:
    assert differs(to_images(seven(255, 0), fit=True, invert=True)[0]) < 4
    assert differs(to_images(REFERENCE, fit=True, invert=False)[0]) == 0


def test_a_transparent_ground_is_black_or_with_invert_white() -> None:
    picture = seven((0, 0, 0, 0), (0, 0, 0, 255), "RGBA", 28)
    assert np.array_equal(to_images(picture, invert=True), to_images(seven(255, 0, side=28), invert=True))


@pytest.mark.parametrize(
    ("picture", "options", "message"),
    [
        (Image.new("L", (90, 60), 200), {"fit": True}, "it is blank"),
        (Image.new("RGBA", (90, 60)), {"fit": True}, "it is blank"),
        (Image.new("L", (28, 28)), {}, "it is blank"),
        (seven(255, 0), {"fit": True, "invert": False}, "dark on a light ground"),
        (seven(0, 255), {"fit": True, "invert": True}, "light on a dark ground"),
        (seven(255, 0, side=28), {}, "dark on a light ground; give invert=True"),
        (np.asarray(seven(255, 0, side=28)), {}, "dark on a light ground; give invert=True"),
    ],
)
def test_what_is_no_white_digit_on_black_is_told(picture: object, options: dict, message: str) -> None:
    with pytest.warns(InputWarning, match=message) as caught:
        to_images(picture, **options)
    assert caught[0].filename == __file__, "it points at the caller"


@pytest.mark.parametrize("frame", [0, 255])
@pytest.mark.parametrize(("ground", "ink"), [(200, 20), (60, 230), (128, 10)])
@pytest.mark.parametrize("invert", [None, "right"])
def test_a_frame_lighter_or_darker_than_the_paper_is_no_digit(
    frame: int, ground: int, ink: int, invert: str | None
) -> None:
    framed = Image.new("L", (320, 320), frame)
    framed.paste(seven(ground, ink), (20, 20))
    with pytest.warns(InputWarning, match="a frame around everything was left out"):
        (image,) = to_images(framed, fit=True, invert=None if invert is None else ink < ground)
    assert differs(image) < 6


def test_a_large_nought_is_no_frame_although_specks_lie_on_the_other_side() -> None:
    picture = Image.new("L", (280, 280), 180)
    ImageDraw.Draw(picture).ellipse((20, 10, 260, 270), outline=20, width=24)
    ImageDraw.Draw(picture).ellipse((100, 100, 108, 108), fill=255)
    (image,) = to_images(picture, fit=True)
    ring = Image.new("L", (280, 280), 0)
    ImageDraw.Draw(ring).ellipse((20, 10, 260, 270), outline=255, width=24)
    assert np.abs(image.astype(int) - to_images(ring, fit=True)[0]).mean() < 6


def test_a_frame_is_left_out_and_told() -> None:
    for ground, ink in ((0, 255), (255, 0)):
        picture = seven(ground, ink)
        ImageDraw.Draw(picture).rectangle((4, 4, 275, 275), outline=ink, width=8)
        with pytest.warns(InputWarning, match="a frame around everything was left out"):
            assert differs(to_images(picture, fit=True)[0]) < 4
    small = np.zeros((28, 28), np.uint8)
    small[[0, 1, -2, -1]], small[:, [0, 1, -2, -1]] = 255, 255
    with pytest.warns(InputWarning, match="a bright frame around everything"):
        to_images(Image.fromarray(small))


def test_the_command_tells_warnings_in_a_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(tmp_path / name) for name in ("a.png", "b.png")]
    for file in files:
        Image.new("L", (50, 50), 180).save(file)
    assert cli.main(["classify", "--device", "sim-numpy", "--fit", *files]) == 0
    told = capsys.readouterr().err.splitlines()
    for file, line in zip(files, [line for line in told if "blank" in line]):
        assert line.startswith(f"pynq-ee classify: warning: {file}: it is blank")


def test_a_phones_photo_is_read_and_takes_no_colours(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    seven((230, 225, 210), (40, 40, 60), "RGB").resize((5712, 4284)).save(path)
    assert differs(to_images(path, fit=True)[0]) < 40  # it is stretched


def test_digits_on_papers_are_read(digits: object) -> None:
    """The benchmark at a size of some seconds: 64 pictures, at most two more wrong than plain."""
    record = ink_on_paper.run(weights.load(weights.DEFAULT), digits, 4)
    assert record["images"] == 64 and record["accuracy"] >= record["plain"] - 2 / 64
    assert record["papers"]["frame"]["warned"] == 1


def test_the_papers_are_drawn_from_their_seed(digits: object) -> None:
    first, again, other = (ink_on_paper.draw("photo", digits.images[:1], seed)[0].tobytes() for seed in (1, 1, 2))
    assert first == again != other
