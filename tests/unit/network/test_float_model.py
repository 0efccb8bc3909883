"""Files of format 1, whose remainder is in floating point, are read, and become integers."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import models
from pynq_ee.commands import cli
from pynq_ee.errors import ModelFileError
from pynq_ee.exits import entropy
from pynq_ee.network import fabric, float_model, layers, npz, post_training, weights
from pynq_ee.network.float_model import FloatLayer, FloatModel
from pynq_ee.network.spec import NETWORKS, REMAINDER_LAYERS
from pynq_ee.remainder.numpy import stages


def float_of(seed: int, network: str) -> FloatModel:
    """A network as training leaves it, at random, with He's gain."""
    model, random = models.random_model(seed, network=network), np.random.default_rng(seed)
    remainder = {}
    for name in weights.remainder_layers(network):
        shape = REMAINDER_LAYERS[name].weight_shape
        gain = np.sqrt(2 / np.prod(shape[1:]))
        remainder[name] = FloatLayer(
            (random.normal(size=shape) * gain).astype(np.float32), random.normal(size=shape[:1]).astype(np.float32)
        )
    return FloatModel(network, model.spec, model.fabric, -3, -6, remainder, {"made": "at random"})


def write_format_1(model: FloatModel, path: Path) -> Path:
    """A file as the versions before wrote it, without a digest, which came late."""
    header = {
        "format": 1,
        "network": model.network,
        "spec": dataclasses.asdict(model.spec),
        "feature_exponent": model.feature_exponent,
        "logit_exponent": model.logit_exponent,
        "build_id": f"{weights.build_id(model.spec, model.fabric):08x}",
        "metadata": dict(model.metadata),
    }
    arrays = {"header": np.array(json.dumps(header)), "thresholds": np.full(len(NETWORKS[model.network]), 0.5)}
    for name, layer in model.fabric.items():
        arrays |= {f"{name}.{part}": array for part, array in vars(layer).items()}
    for name, layer in model.remainder.items():
        arrays |= {f"{name}.{part}": array for part, array in layer._asdict().items()}
    path.write_bytes(npz.pack(arrays))
    return path


def real_outputs(model: FloatModel, features: np.ndarray) -> list[np.ndarray]:
    """Logits of the software exits in float64."""

    def apply(name: str, values: np.ndarray) -> np.ndarray:
        shape, layer = REMAINDER_LAYERS[name], model.remainder[name]
        if not shape.kernel:
            sums = values @ layer.weight.T.astype(float) + layer.bias
            return np.maximum(sums, 0) if shape.relu else sums
        windows = np.lib.stride_tricks.sliding_window_view(values, (shape.kernel,) * 2, axis=(2, 3))
        sums = np.einsum("ncyxhw,ochw->noyx", windows, layer.weight.astype(float)) + layer.bias[:, None, None]
        count, outputs, side, _ = sums.shape
        pooled = np.maximum(sums, 0).reshape(count, outputs, side // 2, 2, side // 2, 2).max((3, 5))
        return pooled.reshape(count, -1)

    hidden, found = features * 2.0**model.feature_exponent, []
    for stage in NETWORKS[model.network]:
        for name in stage.body:
            hidden = apply(name, hidden)
        logits = hidden
        for name in stage.head:
            logits = apply(name, logits)
        found.append(logits)
    return found


@pytest.mark.parametrize("network", NETWORKS)
def test_the_integers_are_the_floats_to_within_what_seven_bits_lose(network: str, noise: np.ndarray) -> None:
    trained = float_of(3, network)
    model = post_training.quantize(trained, noise)
    assert model.thresholds == (0.0,) * (model.exits - 1) and model.fabric == trained.fabric
    features = fabric.trunk(noise, model)
    hidden = features
    for stage, exponent, expected in zip(
        stages(model), model.logit_exponents[1:], real_outputs(trained, features), strict=True
    ):
        hidden, logits = stage(hidden)
        assert np.std(logits * 2.0**exponent - expected) < 0.03 * np.std(expected)
        assert entropy(logits * 2.0**exponent).shape == (len(noise),)


def test_weights_use_the_width_that_they_have(noise: np.ndarray) -> None:
    model = post_training.quantize(float_of(4, "lenet5-2exit"), noise)
    for name, layer in model.remainder.items():
        largest = np.abs(layer.weight.reshape(len(layer.weight), -1).astype(int)).max(1)
        assert (largest.max() if not REMAINDER_LAYERS[name].relu else largest.min()) > 127 // 4, name


def test_activations_reach_their_limit_on_the_calibration_images(noise: np.ndarray) -> None:
    model = post_training.quantize(float_of(5, "lenet5-2exit"), noise)
    values = fabric.trunk(noise, model)
    for name in ("conv", "fc1", "fc2"):
        values = layers.remainder_layer(REMAINDER_LAYERS[name], model.remainder[name], values)
        assert values.max() > 127 // 2, name


def test_no_image_no_scales() -> None:
    with pytest.raises(Exception, match="no image to calibrate the remainder's scales on"):
        post_training.quantize(float_of(0, "lenet5-2exit"), np.zeros((0, 28, 28), np.uint8))


@pytest.mark.parametrize("network", NETWORKS)
def test_an_old_file_is_refused_with_the_command_that_converts_it(network: str, tmp_path: Path) -> None:
    trained = float_of(6, network)
    old, new = write_format_1(trained, tmp_path / "old.npz"), tmp_path / "new.npz"
    with pytest.raises(ModelFileError) as raised:
        weights.load(old)
    command = str(raised.value).split("Convert it: ")[1].replace("NEW.npz", str(new)).split()
    assert command[0] == "pynq-ee" and cli.main(command[1:]) == 0
    model = weights.load(new)
    assert model.build_id == weights.build_id(trained.spec, trained.fabric) and model.metadata == trained.metadata


def test_a_file_of_this_format_is_none_of_the_old_one() -> None:
    assert float_model.load(weights.DEFAULT) is None


def test_an_old_file_keeps_nothing_of_its_calibration(tmp_path: Path) -> None:
    trained = dataclasses.replace(float_of(1, "lenet5-2exit"), metadata={"calibration": {"data": "x"}, "seed": 1})
    found = float_model.load(write_format_1(trained, tmp_path / "old.npz"))
    assert found is not None and found.metadata == {"seed": 1}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"weight": np.full((84, 120), np.nan, np.float32)}, "fc2.weight has a value that is not finite"),
        ({"bias": np.zeros(83, np.float32)}, "fc2.bias is float32"),
        ({"bias": np.zeros(84)}, "fc2.bias is float64"),
    ],
)
def test_floats_that_no_training_leaves_are_refused(parts: dict, message: str) -> None:
    trained = float_of(0, "lenet5-2exit")
    with pytest.raises(ModelFileError, match=message):
        dataclasses.replace(trained, remainder={**trained.remainder, "fc2": trained.remainder["fc2"]._replace(**parts)})
