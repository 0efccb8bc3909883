"""The remainder in integers, after training: scales from what its layers see, then weights, biases and shifts.

Every scale is a power of two. A weight's is its output channel's own, the finest that holds the channel's largest
weight in eight bits (and a convolution's sums in :data:`~pynq_ee.network.weights.CONVOLUTION_SPAN`). An activation's
is its layer's: of those near the largest activation, the one with the least squared error over the calibration
images, so that a rare peak may be cut. Logits are in units of :data:`LOGIT_EXPONENT`, far finer than a decision needs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import InputError
from pynq_ee.network import layers, spec
from pynq_ee.network.float_model import FloatLayer, FloatModel
from pynq_ee.network.spec import (
    ACTIVATION_MAX,
    REMAINDER_ACTIVATION_MAX,
    REMAINDER_LAYERS,
    REMAINDER_WEIGHT_MAX,
    RemainderLayer,
)
from pynq_ee.network.weights import CONVOLUTION_SPAN, LayerWeights, Model

FloatArray = npt.NDArray[np.float32]

#: A logit of the remainder stands for ``logit * 2**-8`` or, where that would take a left shift, for a multiple of it.
LOGIT_EXPONENT = -8

#: How far below the scale that holds the largest activation a finer one is tried.
_FINER = 3


def quantize(trained: FloatModel, images: npt.NDArray[np.uint8]) -> Model:
    """Put the remainder of a trained network in integers.

    Parameters
    ----------
    trained
        As training, or a file of format 1, has it.
    images
        Some hundred images uint8 (n, 28, 28) to see the activations of; never those that are reported on.

    Returns
    -------
    Model with thresholds of 0: until they are calibrated, every image goes to the last exit.

    Raises
    ------
    InputError
        No image.
    ModelFileError
        Layers that no model may have; see :class:`~pynq_ee.network.weights.Model`.
    """
    padding = trained.spec.trunk.padding
    features = layers.convolve(images[:, None], trained.fabric["trunk"], padding, ACTIVATION_MAX)
    remainder, exponents = quantize_remainder(trained.network, trained.remainder, features, trained.feature_exponent)
    return Model(
        trained.network,
        trained.spec,
        trained.fabric,
        trained.feature_exponent,
        (trained.logit_exponent, *exponents),
        remainder,
        (0.0,) * len(exponents),
        trained.metadata,
    )


def quantize_remainder(
    network: str, trained: Mapping[str, FloatLayer], features: npt.NDArray[np.uint8], feature_exponent: int
) -> tuple[dict[str, LayerWeights], tuple[int, ...]]:
    """Integer layers of the remainder, and the exponents of its exits' logits.

    Parameters
    ----------
    network
        A name in :data:`pynq_ee.network.spec.NETWORKS`.
    trained
        The remainder's layers by name.
    features
        The trunk's features of some hundred images, uint8 (n, 6, 14, 14); never of images that are reported on.
    feature_exponent
        A feature ``i`` stands for the real number ``i * 2**feature_exponent``.

    Raises
    ------
    InputError
        No image.
    """
    if not len(features):
        raise InputError("no image to calibrate the remainder's scales on; give some hundred")
    made: dict[str, LayerWeights] = {}
    exponents = []
    hidden, exponent = features, feature_exponent
    for stage in spec.NETWORKS[network]:
        for name in stage.body:
            made[name], hidden, exponent = _quantize(REMAINDER_LAYERS[name], trained[name], hidden, exponent)
        values, scale = hidden, exponent
        for name in stage.head:
            made[name], values, scale = _quantize(REMAINDER_LAYERS[name], trained[name], values, scale)
        exponents.append(scale)
    return made, tuple(exponents)


def _quantize(
    shape: RemainderLayer, trained: FloatLayer, inputs: npt.NDArray[np.uint8], exponent: int
) -> tuple[LayerWeights, npt.NDArray[np.uint8], int]:
    """One layer in integers, its outputs for the calibration images, and their exponent."""
    weight_exponent = _weight_exponents(shape, trained.weight)
    fine = _integers(shape, trained, weight_exponent, exponent)
    if not shape.relu:  # the logits of one exit share a scale
        weight_exponent[:] = weight_exponent.max()
        output = max(LOGIT_EXPONENT, int(weight_exponent[0]) + exponent)
    else:
        finest = int(weight_exponent.max()) + exponent  # a finer one would take a left shift
        output = max(finest, _activation_exponent(_real_outputs(shape, fine, inputs, weight_exponent + exponent)))
    weights = _integers(shape, trained, weight_exponent, exponent, output - exponent - weight_exponent)
    return weights, layers.remainder_layer(shape, weights, inputs), output


def _weight_exponents(shape: RemainderLayer, weight: FloatArray) -> npt.NDArray[np.int64]:
    """For each output the exponent of the finest scale that its weights may have."""
    flat = np.abs(weight.reshape(len(weight), -1).astype(np.float64))
    largest = flat.max(1)
    finest = np.ceil(np.log2(np.maximum(largest, 2.0**-24) / (REMAINDER_WEIGHT_MAX + 0.499)))
    if shape.kernel:
        for output, row in enumerate(flat):
            while np.floor(row / 2 ** finest[output] + 0.5).sum() * shape.input_max >= CONVOLUTION_SPAN:
                finest[output] += 1
    exponents: npt.NDArray[np.int64] = finest.astype(np.int64)
    return exponents


def _integers(
    shape: RemainderLayer,
    trained: FloatLayer,
    weight_exponent: npt.NDArray[np.int64],
    exponent: int,
    shift: npt.NDArray[np.int64] | int = 0,
) -> LayerWeights:
    scale = 2.0**weight_exponent
    weight = np.floor(trained.weight / scale.reshape(-1, *[1] * (trained.weight.ndim - 1)) + 0.5)
    bias = np.floor(trained.bias / (scale * 2.0**exponent) + 0.5)
    return LayerWeights(
        np.clip(weight, -REMAINDER_WEIGHT_MAX, REMAINDER_WEIGHT_MAX).astype(np.int8),
        bias.astype(np.int32),
        np.broadcast_to(shift, bias.shape).astype(np.uint8),
    )


def _real_outputs(
    shape: RemainderLayer,
    weights: LayerWeights,
    inputs: npt.NDArray[np.uint8],
    exponents: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """What a hidden layer would give if nothing rounded its accumulators: real numbers, 0 or more."""
    accumulator = layers.convolution_sums(inputs, weights, 0) if shape.kernel else layers.connect(inputs, weights)
    return np.maximum(accumulator * 2.0**exponents, 0)


def _activation_exponent(outputs: npt.NDArray[np.float64]) -> int:
    """Exponent of the scale whose 0 to 127 lose the least of some outputs."""
    peak = float(outputs.max(initial=0)) or 1.0
    coarsest = math.ceil(math.log2(peak / REMAINDER_ACTIVATION_MAX))

    def error(exponent: int) -> float:
        scaled = outputs / 2.0**exponent
        kept = np.clip(np.floor(scaled + 0.5), 0, REMAINDER_ACTIVATION_MAX)
        return float((((kept - scaled) * 2.0**exponent) ** 2).sum())

    return min(range(coarsest, coarsest - _FINER, -1), key=error)
