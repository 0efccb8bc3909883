"""The remainder in PyTorch, for hosts that have it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from pynq_ee.network import spec
from pynq_ee.network.spec import POOL, REMAINDER_LAYERS
from pynq_ee.network.weights import Model, RemainderWeights


def stages(model: Model) -> list[Callable[[Any], tuple[Any, Any]]]:
    """One function for each software exit; see :mod:`pynq_ee.remainder`."""
    return [_stage(body, head) for body, head in modules(model)]


def modules(model: Model) -> list[tuple[nn.Sequential, nn.Sequential]]:
    """Body and head of each software exit as torch modules, in evaluation mode; the first takes integer features."""
    built = []
    for number, stage in enumerate(spec.NETWORKS[model.network]):
        body = [module for name in stage.body for module in _layer(name, model.remainder[name])]
        head = [module for name in stage.head for module in _layer(name, model.remainder[name])]
        if number == 0:
            body.insert(0, _Scale(2.0**model.feature_exponent))
        built.append((nn.Sequential(*body).eval(), nn.Sequential(*head).eval()))
    return built


class _Scale(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features.to(torch.float32) * self.factor


def _stage(body: nn.Module, head: nn.Module) -> Callable[[Any], tuple[Any, Any]]:
    def run(inputs: Any) -> tuple[np.ndarray, np.ndarray]:
        with torch.inference_mode():
            hidden = body(torch.from_numpy(np.require(inputs, requirements=["C", "W"])))
            return hidden.numpy(), head(hidden).numpy()

    return run


def _layer(name: str, weights: RemainderWeights) -> list[nn.Module]:
    shape = REMAINDER_LAYERS[name]
    module: nn.Module = (
        nn.Conv2d(shape.inputs, shape.outputs, shape.kernel) if shape.kernel else nn.Linear(shape.inputs, shape.outputs)
    )
    module.load_state_dict({"weight": torch.from_numpy(weights.weight), "bias": torch.from_numpy(weights.bias)})
    if shape.kernel:
        return [module, nn.ReLU(), nn.MaxPool2d(POOL), nn.Flatten()]
    return [module, nn.ReLU()] if shape.relu else [module]
