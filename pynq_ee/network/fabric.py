"""The first exit in NumPy: the readable one of the three realizations that agree bit for bit.

The other two are the HLS C++ (``hw/hls``), compiled by g++ for the simulated board, and the circuit.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pynq_ee.network import layers, quantize
from pynq_ee.network.spec import ACTIVATION_MAX, CLASSES, FEATURES_ALWAYS
from pynq_ee.network.weights import Model


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
    return layers.convolve(images[:, None], model.fabric["trunk"], model.spec.trunk.padding, ACTIVATION_MAX)


def branch(features: npt.NDArray[np.uint8], model: Model) -> npt.NDArray[np.int16]:
    """Logits (N, 10), int16, of features (N, 6, 14, 14), uint8 in 0 to 15."""
    pooled = layers.convolve(features, model.fabric["branch"], model.spec.branch.padding, ACTIVATION_MAX)
    positions_first = pooled.transpose(0, 2, 3, 1)  # as the circuit streams them
    inputs = positions_first.reshape(len(pooled), model.spec.classifier.in_channels)
    weights = model.fabric["classifier"]
    return quantize.to_logit(layers.connect(inputs, weights), weights.shift)


def features_follow(logits: npt.NDArray[np.int16], feature_margin: int) -> npt.NDArray[np.bool_]:
    """Which images' features follow their records, where features are asked for.

    Parameters
    ----------
    logits
        int16 array (N, 10).
    feature_margin
        0 to 65535: the features follow where the largest logit less the second largest is below it.
        :data:`~pynq_ee.network.spec.FEATURES_ALWAYS`: everywhere.

    Returns
    -------
    bool array (N,).
    """
    second, largest = np.partition(logits.astype(np.int32), CLASSES - 2, axis=1)[:, -2:].T
    follow: npt.NDArray[np.bool_] = largest - second < feature_margin
    if feature_margin == FEATURES_ALWAYS:
        follow[:] = True
    return follow


def pack_features(features: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Features (N, 6, 14, 14) as the circuit returns them: uint8 (N, 588), position-major, low nibble first."""
    count, channels, rows, columns = features.shape
    return quantize.pack_nibbles(features.transpose(0, 2, 3, 1).reshape(count, rows * columns * channels))


def unpack_features(packed: npt.NDArray[np.uint8], model: Model) -> npt.NDArray[np.uint8]:
    """Undo :func:`pack_features`: uint8 (N, 588) to uint8 (N, 6, 14, 14)."""
    channels, rows, columns = model.spec.feature_shape
    values = quantize.unpack_nibbles(packed).reshape(len(packed), rows, columns, channels)
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2))
