"""The network in NumPy: the readable engine, and the definition that every other one equals bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee.network import fabric, spec
from pynq_ee.network.layers import remainder_layer
from pynq_ee.network.weights import Model


def first_exit(model: Model) -> Callable[[Any], tuple[npt.NDArray[np.uint8], npt.NDArray[np.int16]]]:
    """What the circuit computes: images uint8 (n, 28, 28) to features (n, 588), packed, and logits int16 (n, 10)."""

    def run(images: Any) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int16]]:
        features, logits = fabric.first_exit(images, model)
        return fabric.pack_features(features), logits

    return run


def stages(model: Model) -> list[Callable[[Any], tuple[Any, npt.NDArray[np.int16]]]]:
    """One function for each software exit; see :mod:`pynq_ee.remainder`."""
    return [partial(_run, model, stage) for stage in spec.NETWORKS[model.network]]


def _run(model: Model, stage: spec.Stage, inputs: Any) -> tuple[Any, Any]:
    hidden = _through(model, stage.body, inputs)
    return hidden, _through(model, stage.head, hidden)


def _through(model: Model, names: tuple[str, ...], values: Any) -> Any:
    for name in names:
        values = remainder_layer(spec.REMAINDER_LAYERS[name], model.remainder[name], values)
    return values
