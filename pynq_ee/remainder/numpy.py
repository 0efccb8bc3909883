"""The remainder in NumPy: the readable engine, which every other one is compared with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from pynq_ee.network import spec
from pynq_ee.network.spec import POOL, REMAINDER_LAYERS
from pynq_ee.network.weights import Model, RemainderWeights

FloatArray = npt.NDArray[np.float32]
Layer = Callable[[FloatArray], FloatArray]

#: Images at a time. The second convolution unrolls each to 100 patches of 150 floats, 60 kB: a whole test set would not
#: fit into a board's 512 MB, and nothing gets faster beyond some hundred.
_CHUNK = 256


def stages(model: Model) -> list[Callable[[npt.NDArray], tuple[FloatArray, FloatArray]]]:
    """One function for each software exit; see :mod:`pynq_ee.remainder`."""
    layers = {name: _layer(name, weights) for name, weights in model.remainder.items()}
    scales = [2.0**model.feature_exponent] + [1.0] * (model.exits - 2)
    return [
        partial(_run, scale, [layers[name] for name in stage.body], [layers[name] for name in stage.head])
        for scale, stage in zip(scales, spec.NETWORKS[model.network])
    ]


def _run(scale: float, body: list[Layer], head: list[Layer], inputs: npt.NDArray) -> tuple[FloatArray, FloatArray]:
    if len(inputs) > _CHUNK:
        starts = range(0, len(inputs), _CHUNK)
        parts = [_run(scale, body, head, inputs[start : start + _CHUNK]) for start in starts]
        hiddens, outputs = zip(*parts)
        return np.concatenate(hiddens), np.concatenate(outputs)
    hidden = inputs.astype(np.float32, copy=False)
    if scale != 1:
        hidden = hidden * np.float32(scale)
    for layer in body:
        hidden = layer(hidden)
    logits = hidden
    for layer in head:
        logits = layer(logits)
    return hidden, logits


def _layer(name: str, weights: RemainderWeights) -> Layer:
    shape = REMAINDER_LAYERS[name]
    if shape.kernel:
        return partial(_convolve, weights.weight.reshape(shape.outputs, -1).T.copy(), weights.bias, shape.kernel)
    return partial(_connect, weights.weight.T.copy(), weights.bias, shape.relu)


def _connect(weight: FloatArray, bias: FloatArray, relu: bool, inputs: FloatArray) -> FloatArray:
    """Fully connected layer: (n, in) to (n, out)."""
    outputs = inputs @ weight
    outputs += bias
    return np.maximum(outputs, 0, out=outputs) if relu else outputs


def _convolve(weight: FloatArray, bias: FloatArray, kernel: int, inputs: FloatArray) -> FloatArray:
    """Convolution without padding, max-pool 2, ReLU: (n, in, side, side) to (n, out * half * half)."""
    count = len(inputs)
    windows = sliding_window_view(inputs, (kernel, kernel), axis=(2, 3))  # type: ignore[call-overload]
    side = windows.shape[2]
    half = side // POOL
    patches = windows.transpose(0, 2, 3, 1, 4, 5).reshape(count * side * side, len(weight))
    sums = (patches @ weight).reshape(count, half, POOL, half, POOL, len(bias))
    outputs = np.maximum(sums.max((2, 4)) + bias, 0)  # bias and ReLU commute with the maximum
    return np.ascontiguousarray(outputs.transpose(0, 3, 1, 2)).reshape(count, half * half * len(bias))
