"""Layers as the native engine takes them: the model's integers, position-major."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pynq_ee.network import spec
from pynq_ee.network.spec import ACTIVATION_MAX, POOL, REMAINDER_ACTIVATION_MAX, REMAINDER_LAYERS, FabricLayer
from pynq_ee.network.weights import LayerWeights, Model


class Layer(NamedTuple):
    """One layer: a convolution with its max-pool if ``kernel > 0``, else a fully connected layer.

    ``padding``, ``channels`` and ``side`` are those of a convolution's input. Inputs are 0 to ``input_max``,
    activations 0 to ``largest``; a layer whose ``largest`` is 0 gives logits. ``weight`` is int8 (taps, outputs),
    the taps of a convolution being (kernel row, kernel column, channel), the inputs of a fully connected layer
    (position, channel);
    ``bias`` int32 and ``shift`` uint8 (outputs,).
    """

    kernel: int
    padding: int
    channels: int
    side: int
    input_max: int
    largest: int
    weight: npt.NDArray[np.int8]
    bias: npt.NDArray[np.int32]
    shift: npt.NDArray[np.uint8]


class Stage(NamedTuple):
    """The layers between two exits; after ``body`` of the ``connections`` the hidden state is complete."""

    convolution: Layer | None
    connections: tuple[Layer, ...]
    body: int


def first_exit(model: Model) -> tuple[Layer, Layer, Layer]:
    """Trunk, branch and classifier."""
    trunk, branch, classifier = model.spec.layers
    weights = model.fabric["classifier"]  # its inputs are position-major in the model too
    last = Layer(0, 0, 0, 0, classifier.input_max, 0, *_flat(weights.weight.T, weights))
    return _fabric_convolution(trunk, model), _fabric_convolution(branch, model), last


def stages(model: Model) -> tuple[Stage, ...]:
    """The software exits."""
    built = []
    channels = 1  # of one position of what the next layer takes, in the model channel-major
    for stage in spec.NETWORKS[model.network]:
        convolution, connections, hidden_channels = None, [], channels
        for number, name in enumerate(stage.layers):
            shape, weights = REMAINDER_LAYERS[name], model.remainder[name]
            if shape.kernel:
                taps = weights.weight.transpose(2, 3, 1, 0).reshape(-1, shape.outputs)
                side = model.spec.feature_shape[1]
                arrays = _flat(taps, weights)
                convolution = Layer(
                    shape.kernel, 0, shape.inputs, side, shape.input_max, REMAINDER_ACTIVATION_MAX, *arrays
                )
                channels = shape.outputs
            else:
                ordered = weights.weight.reshape(shape.outputs, channels, -1).transpose(2, 1, 0)
                largest = REMAINDER_ACTIVATION_MAX if shape.relu else 0
                arrays = _flat(ordered.reshape(-1, shape.outputs), weights)
                connections.append(Layer(0, 0, 0, 0, shape.input_max, largest, *arrays))
                channels = shape.outputs
            if number < len(stage.body):
                hidden_channels = channels
        channels = hidden_channels
        built.append(Stage(convolution, tuple(connections), len(stage.body) - (convolution is not None)))
    return tuple(built)


def hidden_sizes(model: Model) -> list[int]:
    """Bytes of the hidden state behind each stage, each position's channels padded to whole panels of 16."""
    sizes, size = [], 0
    for stage in stages(model):
        for layer in (*([stage.convolution] if stage.convolution else []), *stage.connections[: stage.body]):
            half = (layer.side + 2 * layer.padding - layer.kernel + 1) // POOL
            size = -(-len(layer.bias) // PANEL) * PANEL * (half * half if layer.kernel else 1)
        sizes.append(size)
    return sizes


#: Outputs that the engine computes at once; every layer's outputs are padded to a multiple of it.
PANEL = 16


def _fabric_convolution(layer: FabricLayer, model: Model) -> Layer:
    weights = model.fabric[layer.name]
    taps = weights.weight.transpose(2, 3, 1, 0).reshape(layer.taps, layer.out_channels)
    arrays = _flat(taps, weights)
    return Layer(layer.kernel, layer.padding, layer.in_channels, layer.side, layer.input_max, ACTIVATION_MAX, *arrays)


def _flat(
    weight: npt.NDArray[np.int8], weights: LayerWeights
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    return np.ascontiguousarray(weight), np.ascontiguousarray(weights.bias), np.ascontiguousarray(weights.shift)
