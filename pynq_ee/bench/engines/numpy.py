"""NumPy: channels first, patches gathered by long copies, one matrix product a layer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pynq_ee.bench.engines import Engine, FloatArray, Logits
from pynq_ee.network import folding, spec
from pynq_ee.network.spec import ACTIVATION_MAX, LOGIT_MAX, LOGIT_MIN, POOL, REMAINDER_ACTIVATION_MAX, REMAINDER_LAYERS
from pynq_ee.network.weights import Model

#: Images at a time whose patches stay in the cache.
_CHUNK = 16


class _Convolution(NamedTuple):
    weight: FloatArray
    bias: FloatArray
    kernel: int
    padding: int

    def __call__(self, inputs: FloatArray) -> FloatArray:
        """Convolve and pool: (channels, n, side, side) to (out, n, half, half)."""
        if self.padding:
            inputs = np.pad(inputs, ((0, 0), (0, 0), (self.padding,) * 2, (self.padding,) * 2))
        channels, count, padded, _ = inputs.shape
        side = padded - self.kernel + 1
        patches = np.empty((channels, self.kernel, self.kernel, count, side, side), np.float32)
        for row in range(self.kernel):
            for column in range(self.kernel):
                patches[:, row, column] = inputs[:, :, row : row + side, column : column + side]
        sums = (self.weight @ patches.reshape(len(self.weight[0]), -1)).reshape(-1, count, side, side)
        wide = np.maximum(sums[..., 0::POOL], sums[..., 1::POOL])
        pooled = np.maximum(wide[..., 0::POOL, :], wide[..., 1::POOL, :])
        pooled += self.bias[:, None, None, None]
        return pooled


def build(name: str, model: Model, threads: int, batch: int) -> Engine:
    """Build the engine; the number of threads is the BLAS library's, set by the caller."""
    trunk, branch = (_fabric_convolution(model, layer) for layer in (model.spec.trunk, model.spec.branch))
    classifier = folding.fabric_layer(model, model.spec.classifier)
    connect = classifier.weight.T.copy()

    def trunk_parts(images: npt.NDArray[np.uint8]) -> list[FloatArray]:
        chunks = (images[start : start + _CHUNK] for start in range(0, len(images), _CHUNK))
        return [_activate(trunk(chunk[None].astype(np.float32)), ACTIVATION_MAX) for chunk in chunks]

    def first_exit(images: npt.NDArray[np.uint8]) -> tuple[FloatArray, Logits]:
        parts = trunk_parts(images)
        flat = [_flatten(_activate(branch(part), ACTIVATION_MAX)) for part in parts]
        sums = np.concatenate(flat) @ connect
        sums += classifier.bias
        return np.concatenate([part.transpose(1, 0, 2, 3) for part in parts]), _logits(sums)

    built = [_stage_layers(model, number) for number in range(model.exits - 1)]

    def plain(images: npt.NDArray[np.uint8]) -> Logits:
        hidden = np.concatenate([part.transpose(1, 0, 2, 3) for part in trunk_parts(images)])
        for body, _ in built:
            hidden = _through(body, hidden)
        return _logits(_through(built[-1][1], hidden))

    return Engine(name, np.__version__, first_exit, [partial(_stage, *layers) for layers in built], plain)


def _fabric_convolution(model: Model, layer: spec.FabricLayer) -> _Convolution:
    weights = folding.fabric_layer(model, layer)
    return _Convolution(weights.weight.reshape(layer.out_channels, -1), weights.bias, layer.kernel, layer.padding)


def _activate(sums: FloatArray, largest: int) -> FloatArray:
    return np.clip(np.floor(sums, out=sums), 0, largest, out=sums)


def _logits(sums: FloatArray) -> Logits:
    return np.clip(np.floor(sums, out=sums), LOGIT_MIN, LOGIT_MAX, out=sums).astype(np.int16)


def _flatten(maps: FloatArray) -> FloatArray:
    return maps.transpose(1, 0, 2, 3).reshape(maps.shape[1], -1)


Layer = Callable[[FloatArray], FloatArray]


def _stage_layers(model: Model, number: int) -> tuple[list[Layer], list[Layer]]:
    stage = spec.NETWORKS[model.network][number]
    return [_layer(model, name) for name in stage.body], [_layer(model, name) for name in stage.head]


def _layer(model: Model, name: str) -> Layer:
    shape, weights = REMAINDER_LAYERS[name], folding.remainder_layer(model, name)
    if shape.kernel:
        flat = weights.weight.reshape(shape.outputs, -1)
        return partial(_convolve, _Convolution(flat, weights.bias, shape.kernel, 0))
    return partial(_connect, weights.weight.T.copy(), weights.bias, shape.relu)


def _convolve(convolution: _Convolution, features: FloatArray) -> FloatArray:
    parts = []
    for start in range(0, len(features), _CHUNK):
        maps = convolution(features[start : start + _CHUNK].transpose(1, 0, 2, 3))
        parts.append(_flatten(_activate(maps, REMAINDER_ACTIVATION_MAX)))
    return np.concatenate(parts)


def _connect(weight: FloatArray, bias: FloatArray, relu: bool, inputs: FloatArray) -> FloatArray:
    """Activations, or sums that are not rounded yet."""
    outputs = inputs @ weight
    outputs += bias
    return _activate(outputs, REMAINDER_ACTIVATION_MAX) if relu else outputs


def _through(layers: list[Layer], hidden: FloatArray) -> FloatArray:
    for layer in layers:
        hidden = layer(hidden)
    return hidden


def _stage(body: list[Layer], head: list[Layer], hidden: FloatArray) -> tuple[FloatArray, Logits]:
    hidden = _through(body, hidden)
    return hidden, _logits(_through(head, hidden))
