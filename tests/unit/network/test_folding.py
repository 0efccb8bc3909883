"""Integer layers in float32 are exact, or refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import models
from pynq_ee.errors import ModelFileError
from pynq_ee.network import folding
from pynq_ee.network.weights import Model


def test_a_model_whose_sums_do_not_fit_float32_is_refused() -> None:
    model: Model = models.random_model()
    trunk = model.fabric["trunk"]
    huge = dataclasses.replace(trunk, bias=np.full_like(trunk.bias, (1 << 24) - 50_000))
    layer = dataclasses.replace(model.spec.trunk, input_max=2000)
    broken = object.__new__(Model)
    broken.__dict__.update(model.__dict__ | {"fabric": {**model.fabric, "trunk": huge}})
    with pytest.raises(ModelFileError, match="below 16777216 float32 is exact"):
        folding.fabric_layer(broken, layer)
