"""Integer layers in float32, exactly: for frameworks that have fast float layers and no integer ones of ours.

Weights and biases are divided by the layer's power of two beforehand, the rounding half is in the bias, and what
remains is a linear layer, a floor and a clip. All sums are multiples of one power of two and smaller than 2**24 of it,
so no order of additions rounds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import ModelFileError
from pynq_ee.network.spec import CLASSES, POOL, REMAINDER_LAYERS, FabricLayer
from pynq_ee.network.weights import ACCUMULATOR_LIMIT, LayerWeights, Model


class FoldedLayer(NamedTuple):
    """A layer whose output is ``clip(floor(linear(x)))``, exact in float32."""

    weight: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]


def fabric_layer(model: Model, layer: FabricLayer) -> FoldedLayer:
    """Fold a layer of the first exit.

    The classifier's inputs are put in channel-major order, as a framework flattens them.

    Raises
    ------
    ModelFileError
        An accumulator that together with the rounding half does not fit float32.
    """
    folded = _folded(layer.name, model.fabric[layer.name], layer.input_max)
    if layer.kernel > 1:
        return folded
    side = model.spec.branch.side // POOL
    reordered = folded.weight.reshape(CLASSES, side, side, -1).transpose(0, 3, 1, 2).reshape(CLASSES, -1)
    return FoldedLayer(np.ascontiguousarray(reordered), folded.bias)


def remainder_layer(model: Model, name: str) -> FoldedLayer:
    """Fold a layer of the remainder; raises as :func:`fabric_layer`."""
    return _folded(name, model.remainder[name], REMAINDER_LAYERS[name].input_max)


def _folded(name: str, weights: LayerWeights, input_max: int) -> FoldedLayer:
    shift = weights.shift.astype(np.int64)
    half = (1 << shift) >> 1
    flat = weights.weight.reshape(len(weights.weight), -1).astype(np.int64)
    largest = (np.abs(flat).sum(1) * input_max + np.abs(weights.bias.astype(np.int64)) + half).max()
    if largest >= ACCUMULATOR_LIMIT:
        raise ModelFileError(f"{name} accumulates up to {largest}; below {ACCUMULATOR_LIMIT} float32 is exact")
    scale = 2.0 ** -shift.astype(np.float64)
    weight = weights.weight * scale.reshape(-1, *[1] * (weights.weight.ndim - 1))
    # A shift of 0 has no half to add, and its accumulators are integers, so that the floor changes nothing.
    bias = (weights.bias + half) * scale
    return FoldedLayer(np.ascontiguousarray(weight, np.float32), np.ascontiguousarray(bias, np.float32))
