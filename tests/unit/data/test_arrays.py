"""Whatever the layout and the type of an array, it is the images that it shows, or an error that names its shape."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from PIL import Image

from pynq_ee.data.images import in_parts, to_images
from pynq_ee.errors import InputError

RANDOM = np.random.default_rng(3)
GREY = RANDOM.integers(2, 256, (4, 28, 28)).astype(np.uint8)


@pytest.fixture(autouse=True)
def noise_is_no_warning() -> object:
    """These images are noise."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_every_layout_gives_the_same_images(count: int) -> None:
    grey = GREY[:count]
    opaque = np.full_like(grey, 255)
    for layout in (
        grey,
        grey[..., None],
        grey[:, None],
        np.stack([grey] * 3, -1),
        np.stack([grey] * 3, 1),
        np.stack([grey, grey, grey, opaque], -1),
        np.stack([grey, grey, grey, opaque], 1),
        np.stack([grey, opaque], -1),
        np.asfortranarray(grey),
        grey[:, :, ::-1][:, :, ::-1],
        np.broadcast_to(grey, grey.shape),
    ):
        assert np.array_equal(to_images(layout), grey), layout.shape


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_one_picture_as_opencv_and_pillow_give_it_is_one_image(channels: int) -> None:
    levels = np.stack([GREY[0]] * channels, -1)
    if channels in (2, 4):
        levels[..., -1] = 255
    assert np.array_equal(to_images(levels), GREY[:1])
    large = np.kron(levels, np.ones((4, 4, 1), np.uint8))
    assert to_images(large, fit=True).shape == (1, 28, 28)
    assert to_images([levels, GREY[1], Image.fromarray(GREY[2]), GREY]).shape == (7, 28, 28)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_an_array_of_a_picture_gives_what_the_picture_gives(mode: str) -> None:
    channels = RANDOM.integers(0, 256, (28, 28, len(mode))).astype(np.uint8)
    picture = Image.fromarray(channels, mode)
    assert np.array_equal(to_images(np.asarray(picture)), to_images(picture))


@pytest.mark.parametrize("shape", [(112, 112), (3, 112, 112), (1, 60, 40), (2, 40, 40, 1), (2, 3, 40, 40)])
def test_fit_gives_one_answer_for_each_image_of_any_size(shape: tuple[int, ...]) -> None:
    count = 1 if len(shape) == 2 else shape[0]
    assert len(to_images(RANDOM.integers(0, 256, shape).astype(np.uint8), fit=True)) == count


@pytest.mark.parametrize("fit", [False, True])
@pytest.mark.parametrize("shape", [(784,), (10, 784), (1, 784)])
def test_flattened_images_are_refused_and_it_is_said_how_to_give_them(shape: tuple[int, ...], fit: bool) -> None:
    with pytest.raises(InputError, match=r"images have shape \(.*784.*reshape\(-1, 28, 28\)"):
        to_images(np.zeros(shape, np.uint8), fit=fit)


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.int64, np.uint16, np.uint32, np.uint64, ">u2"])
def test_integers_of_any_type_are_grey_levels(kind: type | str) -> None:
    assert np.array_equal(to_images(GREY.astype(kind)), GREY)


def test_16_bit_integers_are_scaled() -> None:
    assert np.array_equal(to_images(GREY.astype(np.uint16) * 257), GREY)


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int32, np.uint16])
def test_a_mask_is_ink_and_not_nearly_black(kind: type) -> None:
    mask = GREY > 128
    assert np.array_equal(to_images(mask.astype(kind)), mask * np.uint8(255))
    assert np.array_equal(to_images(Image.fromarray(mask[0].astype(np.uint8)))[0], mask[0] * np.uint8(255))


def test_floats_of_0_to_1_in_a_picture_are_refused_or_taken_as_told() -> None:
    picture = Image.fromarray(GREY[0].astype(np.float32) / 255)
    with pytest.raises(InputError, match="unit_floats"):
        to_images(picture)
    assert np.array_equal(to_images(picture, unit_floats=True), GREY[:1])


@pytest.mark.parametrize("size", [1, 2, 64])
def test_a_stream_takes_a_picture_whole_and_a_batch_in_parts(size: int) -> None:
    colours = np.stack([GREY[0]] * 3, -1)
    for one in (GREY[0], colours, Image.fromarray(GREY[0]), "seven.png"):
        assert len(list(in_parts(one, size))) == 1
    assert len(list(in_parts(GREY, size))) == -(-len(GREY) // size)
    assert sum(len(part) for part in in_parts(GREY[:, None], size)) == len(GREY)
    assert list(in_parts([GREY[0], GREY], size))[1] is GREY
