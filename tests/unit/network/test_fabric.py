"""The NumPy model computes what the integer definition says, seen against plain loops over Python's own integers."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import models
from pynq_ee.data.datasets import Digits
from pynq_ee.network import fabric
from pynq_ee.network.spec import DEFAULT, FabricLayer, Spec
from pynq_ee.network.weights import LayerWeights, Model


def convolve_slowly(inputs: np.ndarray, layer: FabricLayer, layer_weights: LayerWeights) -> np.ndarray:
    """One image through one convolution: every sum in int64, rounded, rectified and cut before it is pooled."""
    padded = np.pad(inputs.astype(np.int64), ((0, 0), (layer.padding,) * 2, (layer.padding,) * 2))
    outputs = np.zeros((layer.out_channels, layer.side, layer.side), np.int64)
    for row in range(layer.side):
        for column in range(layer.side):
            window = padded[:, row : row + layer.kernel, column : column + layer.kernel]
            sums = (layer_weights.weight.astype(np.int64) * window).sum((1, 2, 3)) + layer_weights.bias
            for channel, (total, shift) in enumerate(zip(sums.tolist(), layer_weights.shift.tolist())):
                rounded = (2 * total + 2**shift) // 2 ** (shift + 1)
                outputs[channel, row, column] = min(max(rounded, 0), 15)
    half = layer.side // 2
    return outputs.reshape(layer.out_channels, half, 2, half, 2).max((2, 4))


def first_exit_slowly(image: np.ndarray, model: Model) -> tuple[np.ndarray, np.ndarray]:
    """One image through the whole first exit."""
    features = convolve_slowly(image[None], model.spec.trunk, model.fabric["trunk"])
    pooled = convolve_slowly(features, model.spec.branch, model.fabric["branch"])
    classifier = model.fabric["classifier"]
    channels, positions = model.spec.branch_channels, model.spec.branch_tokens
    # Position-major: all channels of the first position, then of the next.
    weight = classifier.weight.astype(np.int64).reshape(10, positions, channels)
    values = pooled.reshape(channels, positions)
    logits = []
    for label in range(10):
        total = int((weight[label] * values.T).sum()) + int(classifier.bias[label])
        shift = int(classifier.shift[label])
        logits.append(min(max((2 * total + 2**shift) // 2 ** (shift + 1), -32768), 32767))
    return features, np.array(logits)


@settings(max_examples=8)
@given(st.sampled_from(models.SPECS), st.integers(0, 10**6))
def test_the_first_exit_is_the_integer_definition(spec: Spec, seed: int) -> None:
    model = models.random_model(seed, spec)
    image = np.random.default_rng(seed).integers(0, 256, (28, 28)).astype(np.uint8)
    image[: seed % 28] = 0
    features, logits = fabric.first_exit(image[None], model)
    expected_features, expected_logits = first_exit_slowly(image, model)
    assert np.array_equal(features[0], expected_features) and features.dtype == np.uint8
    assert np.array_equal(logits[0], expected_logits) and logits.dtype == np.int16


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("image_value", [0, 255])
def test_the_extremes_saturate_as_they_should(sign: int, image_value: int) -> None:
    spec = Spec(4, 16, 4, 4, 4)
    layers = {
        layer.name: LayerWeights(
            np.full(layer.weight_shape, sign * layer.weight_max, np.int8),
            np.full(layer.out_channels, sign * 2**20, np.int32),
            np.zeros(layer.out_channels, np.uint8),
        )
        for layer in spec.layers
    }
    model = dataclasses.replace(models.random_model(), spec=spec, fabric=layers)
    features, logits = fabric.first_exit(np.full((1, 28, 28), image_value, np.uint8), model)
    assert (features == (15 if sign > 0 else 0)).all()
    assert (logits == (32767 if sign > 0 else -32768)).all()


def test_sums_next_to_the_limit_of_float32_are_exact() -> None:
    """The largest sums that a model may have, biased so that a unit more or less decides between 14 and 15."""
    spec = Spec(8, 1, 4, 2, 4)
    random = models.random_model(1, spec)
    weight = random.fabric["trunk"].weight
    bias = (29 * 2**19 - weight.sum((1, 2, 3)) * 127).astype(np.int32)
    trunk = LayerWeights(weight, bias, np.full(6, 20, np.uint8))
    assert trunk.accumulator_range(255)[1] > 15 * 10**6
    model = dataclasses.replace(random, fabric={**random.fabric, "trunk": trunk})
    image = np.random.default_rng(3).integers(0, 256, (28, 28)).astype(np.uint8)
    features, logits = fabric.first_exit(image[None], model)
    expected_features, expected_logits = first_exit_slowly(image, model)
    assert np.array_equal(features[0], expected_features) and np.array_equal(logits[0], expected_logits)
    assert set(np.unique(features)) == {14, 15}


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257])
def test_images_do_not_depend_on_their_company(count: int) -> None:
    model = models.random_model(2, Spec(branch_channels=3))
    images = np.random.default_rng(0).integers(0, 256, (257, 28, 28)).astype(np.uint8)
    features, logits = fabric.first_exit(images[:count], model)
    assert features.shape == (count, 6, 14, 14) and logits.shape == (count, 10)
    for row in {0, count // 2, count - 1} & set(range(count)):
        alone_features, alone_logits = fabric.first_exit(images[row : row + 1], model)
        assert np.array_equal(alone_features[0], features[row]) and np.array_equal(alone_logits[0], logits[row])


def test_features_and_logits_take_many_values(noise: np.ndarray) -> None:
    """A comparison between realizations is worth something only on inputs that tell bits apart."""
    for spec in (DEFAULT, Spec(4, 7, 2, 4, 2)):
        features, logits = fabric.first_exit(noise[2:], models.random_model(4, spec))
        assert len(np.unique(features)) == 16
        assert len(np.unique(logits)) > 100
        assert ((features > 0) & (features < 15)).mean() > 0.1


def test_packed_features_come_back(noise: np.ndarray) -> None:
    model = models.random_model()
    features = fabric.trunk(noise, model)
    packed = fabric.pack_features(features)
    assert packed.shape == (len(noise), 588) and packed.dtype == np.uint8
    assert np.array_equal(fabric.unpack_features(packed, model), features)


def test_features_are_packed_position_by_position_channel_0_in_the_low_nibble() -> None:
    features = np.zeros((1, 6, 14, 14), np.uint8)
    features[0, :, 0, 0] = [1, 2, 3, 4, 5, 6]
    features[0, 0, 0, 1] = 7
    features[0, 5, 13, 13] = 9
    packed = fabric.pack_features(features)[0]
    assert packed[:4].tolist() == [0x21, 0x43, 0x65, 0x07]
    assert packed[-1] == 0x90 and np.count_nonzero(packed) == 5


def test_the_branch_of_the_features_is_the_first_exit(noise: np.ndarray) -> None:
    model = models.random_model()
    features, logits = fabric.first_exit(noise, model)
    assert np.array_equal(fabric.branch(fabric.unpack_features(fabric.pack_features(features), model), model), logits)


def test_all_digits_go_through_in_seconds(digits: Digits, random_model: Callable[..., Model]) -> None:
    start = time.perf_counter()
    features, logits = fabric.first_exit(digits.images, random_model())
    assert len(features) == len(logits) == len(digits.labels)
    assert time.perf_counter() - start < 60
