"""NumPy: channels first, patches gathered by long copies, one matrix product a layer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pynq_ee.bench.engines import Engine, FloatArray
from pynq_ee.generate.onnx import folded
from pynq_ee.network import spec
from pynq_ee.network.spec import ACTIVATION_MAX, LOGIT_MAX, LOGIT_MIN, POOL, REMAINDER_LAYERS
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
    classifier = folded(model, model.spec.classifier)
    connect, logit_scale = classifier.weight.T.copy(), np.float32(2.0**model.logit_exponent)

    def first_exit(images: npt.NDArray[np.uint8]) -> tuple[FloatArray, FloatArray]:
        parts = [_activate(trunk(_pixels(images[start : start + _CHUNK]))) for start in range(0, len(images), _CHUNK)]
        flat = [_flatten(_activate(branch(part))) for part in parts]
        sums = np.concatenate(flat) @ connect
        sums += classifier.bias
        np.clip(np.floor(sums, out=sums), LOGIT_MIN, LOGIT_MAX, out=sums)
        return np.concatenate([part.transpose(1, 0, 2, 3) for part in parts]), sums * logit_scale

    stages = [partial(_stage, *_stage_layers(model, number)) for number in range(model.exits - 1)]

    def plain(images: npt.NDArray[np.uint8]) -> FloatArray:
        parts = [_activate(trunk(_pixels(images[start : start + _CHUNK]))) for start in range(0, len(images), _CHUNK)]
        hidden = np.concatenate([part.transpose(1, 0, 2, 3) for part in parts])
        for number in range(model.exits - 1):
            for layer in _stage_layers(model, number)[0]:
                hidden = layer(hidden)
        for layer in _stage_layers(model, model.exits - 2)[1]:
            hidden = layer(hidden)
        return hidden

    return Engine(name, np.__version__, first_exit, stages, plain)


def _fabric_convolution(model: Model, layer: spec.FabricLayer) -> _Convolution:
    weights = folded(model, layer)
    return _Convolution(weights.weight.reshape(layer.out_channels, -1), weights.bias, layer.kernel, layer.padding)


def _pixels(images: npt.NDArray[np.uint8]) -> FloatArray:
    return images[None].astype(np.float32)


def _activate(sums: FloatArray) -> FloatArray:
    return np.clip(np.floor(sums, out=sums), 0, ACTIVATION_MAX, out=sums)


def _flatten(maps: FloatArray) -> FloatArray:
    return maps.transpose(1, 0, 2, 3).reshape(maps.shape[1], -1)


Layer = Callable[[FloatArray], FloatArray]


def _stage_layers(model: Model, number: int) -> tuple[list[Layer], list[Layer]]:
    stage = spec.NETWORKS[model.network][number]
    scale = 2.0**model.feature_exponent if number == 0 else 1.0
    return [_layer(model, name, scale) for name in stage.body], [_layer(model, name) for name in stage.head]


def _layer(model: Model, name: str, scale: float = 1.0) -> Layer:
    shape, weights = REMAINDER_LAYERS[name], model.remainder[name]
    if shape.kernel:
        flat = (weights.weight * np.float32(scale)).reshape(shape.outputs, -1)
        return partial(_convolve, _Convolution(flat, weights.bias, shape.kernel, 0))
    return partial(_connect, weights.weight.T.copy(), weights.bias, shape.relu)


def _convolve(convolution: _Convolution, features: FloatArray) -> FloatArray:
    parts = []
    for start in range(0, len(features), _CHUNK):
        maps = convolution(features[start : start + _CHUNK].transpose(1, 0, 2, 3))
        parts.append(_flatten(np.maximum(maps, 0, out=maps)))
    return np.concatenate(parts)


def _connect(weight: FloatArray, bias: FloatArray, relu: bool, inputs: FloatArray) -> FloatArray:
    outputs = inputs @ weight
    outputs += bias
    return np.maximum(outputs, 0, out=outputs) if relu else outputs


def _stage(body: list[Layer], head: list[Layer], hidden: FloatArray) -> tuple[FloatArray, FloatArray]:
    for layer in body:
        hidden = layer(hidden)
    logits = hidden
    for layer in head:
        logits = layer(logits)
    return hidden, logits
