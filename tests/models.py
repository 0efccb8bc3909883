"""Random legal models for tests, and what it means that two models are the same."""

from __future__ import annotations

import dataclasses

import numpy as np

from pynq_ee.network import spec as _spec
from pynq_ee.network.spec import REMAINDER_LAYERS, FabricLayer, Spec
from pynq_ee.network.weights import LayerWeights, Model, remainder_layers

#: Shifts by layer and by width of its weights that spread random outputs over most of their range.
_SHIFTS = {"trunk": {2: 5, 4: 8}, "branch": {2: 2, 4: 5}, "classifier": {2: 1, 4: 3}}

#: Largest weight and shift of the remainder's layers to the same end.
_REMAINDER = {"conv": (40, 6), "exit2": (127, 8), "fc1": (127, 10), "fc2": (127, 9), "fc3": (127, 7)}

#: Every fabric that a hardware developer can choose, but for the channels: the extremes of those.
SPECS = [
    Spec(pixels, channels, trunk, branch, classifier)
    for pixels in (4, 8)
    for channels in (1, 7, 16)
    for trunk in (2, 4)
    for branch in (2, 4)
    for classifier in (2, 4)
]


def random_model(
    seed: int = 0, spec: Spec = _spec.DEFAULT, network: str = _spec.DEFAULT_NETWORK, *, thresholds: float = 0.5
) -> Model:
    """A legal model of any spec and network whose features and logits take many values."""
    random = np.random.default_rng(seed)
    return Model(
        network,
        spec,
        {layer.name: random_layer(random, layer) for layer in spec.layers},
        feature_exponent=-3,
        logit_exponents=(-6,) + (-8,) * (_spec.network_exits(network) - 1),
        remainder={name: remainder_layer(random, name) for name in remainder_layers(network)},
        thresholds=(thresholds,) * (_spec.network_exits(network) - 1),
        metadata={"seed": seed, "made": "at random"},
    )


def random_layer(random: np.random.Generator, layer: FabricLayer) -> LayerWeights:
    """Legal weights of one layer of the fabric; a convolution's channels have shifts of their own."""
    shift = _SHIFTS[layer.name][layer.weight_bits]
    spread = 2 << shift
    shifts = np.full(layer.out_channels, shift)
    if layer.kernel > 1:
        shifts = shifts + random.integers(-1, 2, layer.out_channels)
    return LayerWeights(
        random.integers(-layer.weight_max, layer.weight_max + 1, layer.weight_shape).astype(np.int8),
        random.integers(-spread, spread + 1, layer.out_channels).astype(np.int32),
        shifts.astype(np.uint8),
    )


def remainder_layer(random: np.random.Generator, name: str) -> LayerWeights:
    """Legal weights of one layer of the remainder; the channels of a hidden one have shifts of their own."""
    shape = REMAINDER_LAYERS[name]
    largest, shift = _REMAINDER[name]
    shifts = np.full(shape.outputs, shift)
    if shape.relu:
        shifts = shifts + random.integers(-1, 2, shape.outputs)
    return LayerWeights(
        random.integers(-largest, largest + 1, shape.weight_shape).astype(np.int8),
        random.integers(-(2 << shift), (2 << shift) + 1, shape.outputs).astype(np.int32),
        shifts.astype(np.uint8),
    )


def thin(model: Model) -> Model:
    """The model with all but two weights of each output of the fabric at zero: quick to synthesize and to simulate."""
    layers = {}
    for name, found in model.fabric.items():
        weight = np.zeros_like(found.weight)
        flat = weight.reshape(len(weight), -1)
        flat[:, 0], flat[:, -1] = 1, -1
        layers[name] = LayerWeights(weight, found.bias, found.shift)
    return dataclasses.replace(model, fabric=layers)


def same_model(one: Model, other: Model) -> bool:
    """Whether two models are equal in everything, bit for bit."""
    plain = ("network", "spec", "feature_exponent", "logit_exponents", "thresholds", "metadata")
    return all(getattr(one, name) == getattr(other, name) for name in plain) and all(
        _same_layers(getattr(one, part), getattr(other, part)) for part in ("fabric", "remainder")
    )


def _same_layers(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(
        np.array_equal(array, vars(other[name])[part]) and array.dtype == vars(other[name])[part].dtype
        for name, layer in one.items()
        for part, array in vars(layer).items()
    )
