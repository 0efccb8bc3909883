"""Whatever a user has becomes 28 x 28 grey pixels, or an error that says what was wrong with it."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from pynq_ee.data import images, pictures
from pynq_ee.data.images import to_images
from pynq_ee.errors import InputError

Image.init()  # what each of the formats can do is known only then

GRADIENT = (np.arange(28)[:, None] * 9 + np.arange(28)[None]).astype(np.uint8)


def picture_bytes(picture: Image.Image, kind: str, **options: object) -> bytes:
    """A picture as a file."""
    content = io.BytesIO()
    picture.save(content, kind, **options)
    return content.getvalue()


class Tensor:
    """What another library's arrays are like: of a type of its own, and one of NumPy's when asked."""

    def __init__(self, content: np.ndarray | Exception) -> None:
        self.content = content

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        if isinstance(self.content, Exception):
            raise self.content
        return self.content


endless: list[object] = []
endless.append(endless)


# Arrays --------------------------------------------------------------------------------------------------------------


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 3), st.just(28), st.just(28))))
def test_uint8_arrays_are_taken_as_they_are(array: np.ndarray) -> None:
    array[:, 14, 14] = 200  # what has no value above 1 is a mask
    assert np.array_equal(to_images(array), array)
    assert np.array_equal(to_images(array[0]), array[:1])
    assert np.array_equal(to_images(list(array)), array)
    assert np.array_equal(to_images([array, array[0]]), np.concatenate([array, array[:1]]))
    assert np.array_equal(to_images(Tensor(array)), array)
    assert np.shares_memory(to_images(array), array), "no copy where none is needed"


SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, max_side=30) | st.tuples(st.integers(0, 2), st.just(28), st.just(28))


@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(0, 3), st.just(28), st.just(28)) | st.just((28, 28))),
    st.sampled_from([0, 1, 2, 191, 192, 255]),
    st.sampled_from([1, 2, 255]),
)
def test_the_short_way_of_arrays_gives_what_the_long_one_gives(array: np.ndarray, corner: int, most: int) -> None:
    array %= most
    array[..., :1, :1] = corner
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        short = images._ready(array)
        if short is not None:
            assert not caught
            np.testing.assert_array_equal(short, images._array(array, False, False, None))
            assert not caught, "nor does the long one warn"


@given(hnp.arrays(hnp.scalar_dtypes(), SHAPES), st.booleans(), st.booleans())
def test_any_array_gives_images_or_an_input_error(array: np.ndarray, unit_floats: bool, fit: bool) -> None:
    try:
        result = to_images(array, unit_floats=unit_floats, fit=fit)
    except InputError:
        return
    assert result.dtype == np.uint8 and result.shape[1:] == (28, 28) and len(result) >= 1
    floats = array.dtype.kind == "f"
    assert array.dtype.kind in "biu" or (unit_floats and floats)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((28, 27), np.uint8), r"shape \(28, 27\): that is one image of 28 x 27, and each must be 28 x 28"),
        (np.zeros(784, np.uint8), r"shape \(784,\)"),
        (np.zeros((10, 784), np.uint8), r"shape \(10, 784\): .*reshape\(-1, 28, 28\)"),
        (np.zeros((5, 28, 30), np.uint8), r"shape \(5, 28, 30\): that is 5 images of 28 x 30"),
        (np.zeros((2, 3, 28, 3), np.uint8), r"shape \(2, 3, 28, 3\): its channels may be"),
        (np.zeros((2, 28, 28, 28), np.uint8), r"shape \(2, 28, 28, 28\): no such layout"),
        (np.zeros((1, 1, 1, 28, 28), np.uint8), r"shape \(1, 1, 1, 28, 28\): no such layout"),
        (np.uint8(7), r"shape \(\): no such layout"),
        (np.zeros((0, 784), np.uint8), r"no image given; images have shape \(0, 784\)"),
        (np.full((28, 28), -1, np.int8), "values from -1 to -1"),
        (np.full((28, 28), 1023, np.uint16), "values up to 1023, neither 8 bit"),
        (np.full((28, 28), 65536, np.int64), "values from 65536 to 65536"),
        (np.zeros((28, 28), complex), "images are complex128"),
        (np.zeros((0, 28, 28), np.uint8), "no image given"),
        ([], "no image given"),
        (iter(()), "no image given"),
        (np.zeros((28, 28), object), "images are object"),
        (np.zeros((28, 28)), "say unit_floats=True"),
        (7, "an image is int"),
        (None, "an image is NoneType"),
        (b"bytes", "an image is bytes"),
        ({"a": 1}, "an image is dict"),
        ([[0, 1], [2, 3]], "an image is int"),
        (memoryview(bytes(784)), "an image is memoryview"),
        (bytearray(784), "an image is bytearray"),
        (np.ma.masked_array(GRADIENT, GRADIENT > 99), "masked array"),
        (endless, "holds itself"),
        (Tensor(RuntimeError("it is on a GPU")), r"NumPy cannot read images of Tensor \(it is on a GPU\)"),
        (Tensor(np.zeros((28, 28))), "say unit_floats=True"),
    ],
)
def test_what_is_no_image_is_refused(given: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        to_images(given)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_unit_floats_become_pixels_when_told_so(dtype: type) -> None:
    array = np.zeros((28, 28), dtype)
    array[0, :4] = [0, 1, 0.5, 1 / 255]
    assert to_images(array, unit_floats=True)[0, 0, :4].tolist() == [0, 255, 128, 1]


@given(hnp.arrays(np.uint8, (28, 28)))
def test_pixels_survive_the_way_over_unit_floats(array: np.ndarray) -> None:
    assert np.array_equal(to_images(array / 255, unit_floats=True)[0], array)


@pytest.mark.parametrize("value", [-0.01, 1.01, 255.0, np.nan, np.inf])
def test_floats_outside_0_to_1_are_refused(value: float) -> None:
    array = np.zeros((28, 28))
    array[3, 4] = value
    with pytest.raises(InputError, match=r"must lie in 0 to 1"):
        to_images(array, unit_floats=True)


def test_inverting_changes_neither_the_type_nor_the_callers_array() -> None:
    array = GRADIENT.copy()
    result = to_images(array, invert=True)
    assert result.dtype == np.uint8 and np.array_equal(result[0], 255 - GRADIENT) and np.array_equal(array, GRADIENT)


# Pictures ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF", "PPM"])
def test_a_lossless_picture_file_gives_its_pixels(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"digit.{kind.lower()}"
    path.write_bytes(picture_bytes(Image.fromarray(GRADIENT), kind))
    assert np.array_equal(to_images(path)[0], GRADIENT)
    assert np.array_equal(to_images(str(path))[0], GRADIENT)
    assert np.array_equal(to_images([path, GRADIENT])[1], GRADIENT)


@pytest.mark.parametrize(
    "mode", ["L", "RGB", "RGBA", "LA", "1", "P", "CMYK", "YCbCr", "HSV", "I", "F", "PA", "RGBa", "I;16"]
)
def test_a_white_picture_is_white_in_every_mode(mode: str) -> None:
    white = Image.new("RGBA", (28, 28), (255, 255, 255, 255))
    if mode == "I;16":
        picture = Image.fromarray(np.full((28, 28), 65535, np.uint16))
    elif mode in ("I", "F", "HSV", "YCbCr", "CMYK"):
        picture = white.convert("RGB").convert("L" if mode in "IF" else "RGB").convert(mode)
    else:
        picture = white.convert("LA").convert("PA") if mode == "PA" else white.convert(mode)
    assert picture.mode == mode
    result = to_images(picture)
    assert result.dtype == np.uint8 and (result == 255).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_is_ground(mode: str) -> None:
    picture = Image.new(mode, (28, 28), (255,) * (len(mode) - 1) + (0,))
    assert not to_images(picture).any()


def test_a_transparent_colour_of_a_palette_is_ground(tmp_path: Path) -> None:
    picture = Image.new("P", (28, 28))
    picture.putpalette([200, 200, 200, 90, 90, 90])
    picture.paste(1, (0, 0, 14, 28))
    path = tmp_path / "palette.png"
    picture.save(path, transparency=0)
    result = to_images(path)[0]
    assert (result[:, :14] == 90).all() and (result[:, 14:] == 0).all()


def test_16_bits_are_scaled_and_not_cut() -> None:
    values = np.zeros((28, 28), np.uint16)
    values[0, :5] = [65535, 257, 256, 128 * 257, 100]
    assert to_images(Image.fromarray(values))[0, 0, :5].tolist() == [255, 1, 1, 128, 0]


def test_16_bits_give_the_same_from_a_png_and_from_the_32_bit_mode_of_older_pillows(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (28, 28)).astype(np.uint16)
    path = tmp_path / "deep.png"
    Image.fromarray(values).save(path)
    assert np.array_equal(to_images(path), to_images(Image.fromarray(values.astype(np.int32))))


def test_a_32_bit_picture_of_8_bit_values_is_taken_as_it_is() -> None:
    assert np.array_equal(to_images(Image.fromarray(GRADIENT.astype(np.int32)))[0], GRADIENT)
    assert np.array_equal(to_images(Image.fromarray(GRADIENT.astype(np.float32)))[0], GRADIENT)


@pytest.mark.parametrize("value", [-1, 70000])
def test_a_32_bit_value_outside_16_bits_is_refused(value: int) -> None:
    with pytest.raises(InputError, match=r"they must lie in"):
        to_images(Image.fromarray(np.full((28, 28), value, np.int32)))


def test_values_that_are_not_numbers_are_refused() -> None:
    with pytest.raises(InputError, match=r"they must lie in"):
        to_images(Image.fromarray(np.full((28, 28), np.nan, np.float32)))


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, GRADIENT),
        (2, GRADIENT[:, ::-1]),
        (3, GRADIENT[::-1, ::-1]),
        (4, GRADIENT[::-1]),
        (5, GRADIENT.T),
        (6, np.rot90(GRADIENT, -1)),
        (7, np.rot90(GRADIENT, 2).T),
        (8, np.rot90(GRADIENT)),
    ],
)
def test_a_photo_is_turned_upright_as_its_exif_says(tmp_path: Path, orientation: int, upright: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "photo.png"
    Image.fromarray(GRADIENT).save(path, exif=exif)
    assert np.array_equal(to_images(path)[0], upright)


def test_a_picture_of_another_size_needs_fit(tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    Image.new("L", (60, 40), 200).save(path)
    with pytest.raises(InputError, match=r"60 x 40 pixels; it must be 28 x 28, or say fit=True \(--fit\)"):
        to_images(path)
    assert to_images(path, fit=True).shape == (1, 28, 28)


@pytest.mark.parametrize("name", ["missing.png", "", "no/such/folder/x.png", "nul\0.png", "x" * 300])
def test_a_missing_file_is_named(name: str) -> None:
    with pytest.raises(InputError, match=r"no such picture|no picture that can be read"):
        to_images(name)


def test_a_pipe_is_no_picture_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(InputError, match=r"not a regular file"):
        to_images(tmp_path / "pipe.png")


def test_a_format_that_needs_another_program_is_not_read(tmp_path: Path) -> None:
    """Pillow gives an EPS to Ghostscript, which runs what is in it."""
    path = tmp_path / "digit.png"
    path.write_bytes(picture_bytes(Image.fromarray(GRADIENT), "EPS"))
    with pytest.raises(InputError, match=r"no picture that can be read"):
        to_images(path)


def test_the_first_frame_of_an_animation_is_read(tmp_path: Path) -> None:
    path = tmp_path / "digit.gif"
    frames = [Image.fromarray(frame) for frame in (GRADIENT, GRADIENT.T)]
    path.write_bytes(picture_bytes(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert np.array_equal(to_images(path)[0], GRADIENT)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "I", "F", "P"])
def test_a_picture_of_several_strips_is_the_same_as_one_of_one(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).integers(0, 256, (28, 28)).astype(np.uint8)
    picture = Image.fromarray(values).convert(mode)
    whole = to_images(picture)
    monkeypatch.setattr(pictures, "STRIP_PIXELS", 28 * 5)
    assert np.array_equal(to_images(picture), whole)


def test_a_folder_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no picture that can be read"):
        to_images(tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0" + bytes(40)])
def test_a_file_that_is_no_picture_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"broken\.png"):
        to_images(path)


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be huge."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(8000, 4001), (10_000, 10_000), (30_000, 30_000), (65_536, 1), (1, 32_000_000)])
def test_a_picture_that_claims_to_be_huge_is_refused_unread(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb(*size))
    with pytest.raises(InputError, match=r"bomb.png (has|is too large)"):
        to_images(path, fit=True)


@pytest.mark.parametrize("shape", [(1, 65_536), (65_536, 1), (5657, 5657)])
def test_an_array_that_is_too_large_to_scale_is_refused(shape: tuple[int, int]) -> None:
    pixels = np.broadcast_to(np.uint8(1), shape)
    for call in (lambda: images.fit_ink(pixels), lambda: to_images(pixels, fit=True)):
        with pytest.raises(InputError, match=f"{shape[1]} x {shape[0]} pixels"):
            call()


def test_a_jpeg_of_very_many_scans_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    plain = picture_bytes(Image.fromarray(GRADIENT), "JPEG", progressive=True)
    start, end = plain.index(b"\xff\xda"), plain.index(b"\xff\xd9")
    path = tmp_path / "slow.jpg"
    for repetitions, ok in ((1, True), (pictures.MAX_SCANS, False)):
        path.write_bytes(plain[:start] + repetitions * plain[start:end] + plain[end:])
        if ok:
            assert to_images(path).shape == (1, 28, 28)
        else:
            with pytest.raises(InputError, match=rf"slow.jpg has \d+ scans; a JPEG of up to {pictures.MAX_SCANS}"):
                to_images(path)


def test_bytes_that_look_like_scans_do_not_count_in_metadata_nor_behind_a_pictures_end(tmp_path: Path) -> None:
    plain = picture_bytes(Image.fromarray(GRADIENT), "JPEG", progressive=True)
    path = tmp_path / "photo.jpg"
    path.write_bytes(plain + (pictures.MAX_SCANS + 1) * b"\xff\xda\x00\x02")  # as the video behind a photo that moves
    assert to_images(path).shape == (1, 28, 28)
    thumbnail = (pictures.MAX_SCANS + 1) * b"\xff\xda\x00\x02"
    metadata = b"\xff\xed" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    path.write_bytes(plain[:2] + metadata + plain[2:])
    assert to_images(path).shape == (1, 28, 28)


@pytest.mark.skipif("MPO" not in Image.SAVE_ALL, reason="this Pillow writes no JPEG of several pictures")
def test_a_jpeg_of_several_pictures_is_bounded_as_any(tmp_path: Path) -> None:
    several = picture_bytes(Image.fromarray(GRADIENT), "MPO", save_all=True, append_images=[Image.fromarray(GRADIENT)])
    start, end = several.index(b"\xff\xda"), several.index(b"\xff\xd9")
    path = tmp_path / "photo.jpg"
    path.write_bytes(several)
    assert to_images(path).shape == (1, 28, 28)
    path.write_bytes(several[:start] + (pictures.MAX_SCANS + 1) * several[start:end] + several[end:])
    with pytest.raises(InputError, match=r"photo.jpg has \d+ scans"):
        to_images(path)


def test_an_empty_picture_is_refused() -> None:
    with pytest.raises(InputError, match=r"0 x 0 pixels"):
        to_images(Image.new("L", (0, 0)), fit=True)


def test_a_picture_object_whose_file_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.png"
    noisy = np.random.default_rng(0).integers(0, 256, (28, 28)).astype(np.uint8)
    path.write_bytes(picture_bytes(Image.fromarray(noisy), "PNG")[:300])
    with Image.open(path) as picture, pytest.raises(InputError, match=r"no picture that can be read"):
        to_images(picture)


MODES = {"PNG": "P", "GIF": "P", "TIFF": "RGB", "JPEG": "RGB", "BMP": "L", "WEBP": "RGBA", "PPM": "L"}
SEEDS = {kind: picture_bytes(Image.fromarray(GRADIENT).convert(mode), kind) for kind, mode in MODES.items()}


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@settings(max_examples=300)
@given(st.sampled_from(sorted(SEEDS)), st.data())
def test_a_damaged_picture_is_a_picture_or_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    content = bytearray(SEEDS[kind])
    position = st.integers(0, len(content) - 1) | st.integers(0, 60)
    for at, value in data.draw(st.lists(st.tuples(position, st.integers(0, 255)), max_size=6)):
        content[min(at, len(content) - 1)] = value
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content)
    try:
        result = to_images(path, fit=True)
    except InputError as error:
        assert str(path) in str(error)
    else:
        assert result.shape == (1, 28, 28) and result.dtype == np.uint8


# As MNIST was made ---------------------------------------------------------------------------------------------------


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=90)))
def test_any_ink_fits_the_box_and_the_frame(pixels: np.ndarray) -> None:
    result = images.fit_ink(pixels)
    assert result.shape == (28, 28) and result.dtype == np.uint8
    rows, columns = np.flatnonzero(result.any(1)), np.flatnonzero(result.any(0))
    if len(rows):
        assert rows[-1] - rows[0] < 20 and columns[-1] - columns[0] < 20
    if not pixels.any():
        assert not result.any()


def centre_of(image: np.ndarray) -> np.ndarray:
    """Centre of mass, rows and columns, in pixels from the upper left corner."""
    mass = image.astype(float)
    places = np.arange(28) + 0.5
    return np.array([mass.sum(1) @ places, mass.sum(0) @ places]) / mass.sum()


@settings(max_examples=40)
@given(st.integers(2, 40), st.integers(2, 40), st.integers(0, 30), st.integers(0, 30), st.integers(40, 255))
def test_a_solid_block_lands_in_the_middle_wherever_it_was(
    height: int, width: int, top: int, left: int, ink: int
) -> None:
    pixels = np.zeros((80, 80), np.uint8)
    pixels[top : top + height, left : left + width] = ink
    result = images.fit_ink(pixels)
    assert np.abs(centre_of(result) - 14).max() <= 0.5
    assert (result > ink // 2).any(0).sum() == 20 or (result > ink // 2).any(1).sum() == 20
    moved = np.zeros_like(pixels)
    moved[:height, :width] = ink
    assert np.array_equal(result, images.fit_ink(moved))


def test_the_centre_of_mass_counts_and_not_the_box() -> None:
    pixels = np.zeros((40, 40), np.uint8)
    pixels[0:20, 0:20] = 60
    pixels[0:20, 0:10] = 120
    assert images.fit_ink(pixels)[14, 9:12].min() > 100, (
        "the heavy half is left of the middle, the light one right of it"
    )
    assert np.abs(centre_of(images.fit_ink(pixels)) - 14).max() <= 0.5


def test_digits_of_mnist_stay_nearly_as_they_are(digits: object) -> None:
    """They were made that way: a second preparation moves nothing by more than resampling does."""
    for image in digits.images[:: max(1, len(digits.images) // 200)]:
        assert np.abs(centre_of(images.fit_ink(image)) - centre_of(image)).max() < 1.1
