"""The two kinds of integer layers, in NumPy: convolution with its max-pool, and fully connected.

Sums are taken by the float32 BLAS: a :class:`~pynq_ee.network.weights.Model` is refused unless every accumulator
stays below 2**24, where float32 is exact whatever the order of the additions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from pynq_ee.network import quantize
from pynq_ee.network.spec import POOL, REMAINDER_ACTIVATION_MAX, RemainderLayer
from pynq_ee.network.weights import LayerWeights

#: Images that are convolved at a time: about 20 MB of patches.
_CHUNK = 256


def convolve(
    inputs: npt.NDArray[np.uint8], weights: LayerWeights, padding: int, output_max: int
) -> npt.NDArray[np.uint8]:
    """Convolution, max-pool 2, ReLU and requantization to 0 to ``output_max``: uint8 (n, out, half, half).

    Parameters are those of :func:`convolution_sums`. Requantization is monotone, so the pool may come before it.
    """
    outputs = quantize.to_activation(convolution_sums(inputs, weights, padding), weights.shift, output_max)
    return np.ascontiguousarray(outputs.transpose(0, 3, 1, 2))


def convolution_sums(inputs: npt.NDArray[np.uint8], weights: LayerWeights, padding: int) -> npt.NDArray[np.int32]:
    """Accumulators of a convolution after the max-pool, channels last: int32 (n, half, half, out).

    Parameters
    ----------
    inputs
        uint8 (n, in, side, side).
    weights
        Weight (out, in, kernel, kernel); bias and shift (out,).
    padding
        Zeros on each side; ``half = (side + 2 padding - kernel + 1) / 2``.
    """
    starts = range(0, max(len(inputs), 1), _CHUNK)  # no input at all is one empty chunk
    chunks = (inputs[start : start + _CHUNK] for start in starts)
    sums: npt.NDArray[np.int32] = np.concatenate([_pooled_products(chunk, weights.weight, padding) for chunk in chunks])
    sums += weights.bias
    return sums


def connect(inputs: npt.NDArray[np.uint8], weights: LayerWeights) -> npt.NDArray[np.int32]:
    """Accumulators, int32 (n, out), of a fully connected layer on inputs uint8 (n, in)."""
    products = inputs.astype(np.float32) @ weights.weight.T.astype(np.float32)
    accumulators: npt.NDArray[np.int32] = products.astype(np.int32) + weights.bias
    return accumulators


def remainder_layer(shape: RemainderLayer, weights: LayerWeights, inputs: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
    """One layer of the remainder: activations uint8, a convolution's as (n, out * half * half), or logits int16."""
    if shape.kernel:
        maps = convolve(inputs, weights, 0, REMAINDER_ACTIVATION_MAX)
        return maps.reshape(len(maps), np.prod(maps.shape[1:], dtype=int))
    accumulator = connect(inputs, weights)
    if shape.relu:
        return quantize.to_activation(accumulator, weights.shift, REMAINDER_ACTIVATION_MAX)
    return quantize.to_logit(accumulator, weights.shift)


def _pooled_products(
    inputs: npt.NDArray[np.uint8], weight: npt.NDArray[np.int8], padding: int
) -> npt.NDArray[np.int32]:
    outputs, _, kernel, _ = weight.shape
    padded = np.pad(inputs, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2)).astype(np.float32)
    windows = sliding_window_view(padded, (kernel, kernel), axis=(2, 3))  # type: ignore[call-overload]
    half = windows.shape[2] // POOL
    flat = weight.reshape(outputs, -1).T.astype(np.float32)
    sums = windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, len(flat)) @ flat
    pooled: npt.NDArray[np.int32] = sums.reshape(-1, half, POOL, half, POOL, outputs).max((2, 4)).astype(np.int32)
    return pooled
