"""The first exit in NumPy: the readable one of the three realizations that agree bit for bit.

The other two are the HLS C++ (``hw/hls``), compiled by g++ for the simulated board, and the circuit. Integer sums
are taken by the float32 BLAS: a :class:`~pynq_ee.network.weights.Model` is refused unless every accumulator stays below
2**24, where float32 is exact whatever the order of the additions.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from pynq_ee.network import quantize, spec
from pynq_ee.network.spec import FabricLayer
from pynq_ee.network.weights import LayerWeights, Model

#: Images that are convolved at a time: about 20 MB of patches.
_CHUNK = 256


def first_exit(images: npt.NDArray[np.uint8], model: Model) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int16]]:
    """Features of the trunk and logits of the first exit.

    Parameters
    ----------
    images
        uint8 array (N, 28, 28).
    model
        The trained network.

    Returns
    -------
    features
        uint8 array (N, 6, 14, 14), each 0 to 15.
    logits
        int16 array (N, 10).
    """
    features = trunk(images, model)
    return features, branch(features, model)


def trunk(images: npt.NDArray[np.uint8], model: Model) -> npt.NDArray[np.uint8]:
    """Features (N, 6, 14, 14), uint8 in 0 to 15, of images (N, 28, 28), uint8."""
    return _in_chunks(images[:, None], lambda chunk: _convolve(chunk, model.spec.trunk, model.fabric["trunk"]))


def branch(features: npt.NDArray[np.uint8], model: Model) -> npt.NDArray[np.int16]:
    """Logits (N, 10), int16, of features (N, 6, 14, 14), uint8 in 0 to 15."""
    pooled = _in_chunks(features, lambda chunk: _convolve(chunk, model.spec.branch, model.fabric["branch"]))
    positions_first = pooled.transpose(0, 2, 3, 1)  # as the circuit streams them
    inputs = positions_first.reshape(len(pooled), model.spec.classifier.in_channels)
    weights = model.fabric["classifier"]
    products = inputs.astype(np.float32) @ weights.weight.T.astype(np.float32)
    return quantize.to_logit(products.astype(np.int32) + weights.bias, weights.shift)


def pack_features(features: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Features (N, 6, 14, 14) as the circuit returns them: uint8 (N, 588), position-major, low nibble first."""
    count, channels, rows, columns = features.shape
    return quantize.pack_nibbles(features.transpose(0, 2, 3, 1).reshape(count, rows * columns * channels))


def unpack_features(packed: npt.NDArray[np.uint8], model: Model) -> npt.NDArray[np.uint8]:
    """Undo :func:`pack_features`: uint8 (N, 588) to uint8 (N, 6, 14, 14)."""
    channels, rows, columns = model.spec.feature_shape
    values = quantize.unpack_nibbles(packed).reshape(len(packed), rows, columns, channels)
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2))


def _in_chunks(
    inputs: npt.NDArray[np.uint8], function: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]
) -> npt.NDArray[np.uint8]:
    starts = range(0, max(len(inputs), 1), _CHUNK)  # no input at all is one empty chunk
    return np.concatenate([function(inputs[start : start + _CHUNK]) for start in starts])


def _convolve(inputs: npt.NDArray[np.uint8], layer: FabricLayer, weights: LayerWeights) -> npt.NDArray[np.uint8]:
    """Convolution, max-pool, ReLU and requantization: (N, in, side, side) to (N, out, side / 2, side / 2)."""
    padded = np.pad(inputs, ((0, 0), (0, 0), (layer.padding,) * 2, (layer.padding,) * 2)).astype(np.float32)
    windows = sliding_window_view(padded, (layer.kernel, layer.kernel), axis=(2, 3))  # type: ignore[call-overload]
    patches = windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, layer.taps)
    sums = patches @ weights.weight.reshape(layer.out_channels, layer.taps).T.astype(np.float32)
    half = layer.side // spec.POOL
    accumulator = sums.reshape(-1, half, spec.POOL, half, spec.POOL, layer.out_channels).max((2, 4)).astype(np.int32)
    outputs = quantize.to_activation(accumulator + weights.bias, weights.shift)
    return np.ascontiguousarray(outputs.transpose(0, 3, 1, 2))
