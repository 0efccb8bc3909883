"""Weights of the remainder as the native engine takes them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pynq_ee.network import spec
from pynq_ee.network.spec import POOL, REMAINDER_LAYERS, RemainderLayer
from pynq_ee.network.weights import Model

FloatArray = npt.NDArray[np.float32]

#: Outputs of a layer are padded with zeros to a multiple of this; the engine refuses any other number.
BLOCK = 16


class Layer(NamedTuple):
    """One layer: a convolution, its max-pool and ReLU if ``kernel > 0``, else a fully connected layer.

    ``channels`` and ``side`` are those of a convolution's input. ``weight`` is float32 (inputs, outputs), the inputs of
    a convolution being its taps (kernel row, kernel column, channel), and ``bias`` float32 (outputs,).
    """

    kernel: int
    channels: int
    side: int
    relu: bool
    weight: FloatArray
    bias: FloatArray


def packed_layers(model: Model) -> list[tuple[list[Layer], int]]:
    """Layers of each stage, and how many of them make the hidden state.

    Activations are position-major and padded, as the layer before leaves them: weights are ordered and padded alike.
    The features' scale is a power of two, so a convolution's weights take it exactly.
    """
    built = []
    order = np.arange(0)  # for each input of the next layer, its number in the model, or -1 for padding
    for stage in spec.NETWORKS[model.network]:
        layers = []
        inputs = order
        for position, name in enumerate(stage.layers):
            shape, weights = REMAINDER_LAYERS[name], model.remainder[name]
            if shape.kernel:
                channels, side, _ = model.spec.feature_shape
                taps = weights.weight.transpose(2, 3, 1, 0).reshape(-1, shape.outputs)
                taps = taps * np.float32(2.0**model.feature_exponent)
                layers.append(_layer(shape, channels, side, taps, weights.bias))
            else:
                rows = np.where(inputs[:, None] >= 0, weights.weight.T[inputs], np.float32(0))
                layers.append(_layer(shape, 0, 0, rows, weights.bias))
            inputs = _order(shape, results(layers[-1]) // len(layers[-1].bias))
            if position + 1 == len(stage.body):
                order = inputs
        built.append((layers, len(stage.body)))
    return built


def results(layer: Layer) -> int:
    """Floats that a layer leaves for one image."""
    half = (layer.side - layer.kernel + 1) // POOL
    return len(layer.bias) * (half * half if layer.kernel else 1)


def _layer(shape: RemainderLayer, channels: int, side: int, weight: FloatArray, bias: FloatArray) -> Layer:
    surplus = -shape.outputs % BLOCK
    padded = np.ascontiguousarray(np.pad(weight, ((0, 0), (0, surplus))))
    return Layer(shape.kernel, channels, side, shape.relu, padded, np.pad(bias, (0, surplus)))


def _order(shape: RemainderLayer, positions: int) -> npt.NDArray[np.intp]:
    """Numbers in the model, channel-major, of a layer's position-major and padded results."""
    numbers = np.arange(shape.outputs * positions).reshape(shape.outputs, positions).T
    return np.pad(numbers, ((0, 0), (0, -shape.outputs % BLOCK)), constant_values=-1).reshape(-1)
