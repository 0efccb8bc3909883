"""The remainder in PyTorch, for hosts that have it: integers in float32, exact."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from pynq_ee.network import folding, spec
from pynq_ee.network.spec import LOGIT_MAX, LOGIT_MIN, POOL, REMAINDER_ACTIVATION_MAX, REMAINDER_LAYERS
from pynq_ee.network.weights import Model


def stages(model: Model) -> list[Callable[[Any], tuple[Any, Any]]]:
    """One function for each software exit; see :mod:`pynq_ee.remainder`."""
    return [_stage(body, head) for body, head in modules(model)]


def modules(model: Model) -> list[tuple[nn.Sequential, nn.Sequential]]:
    """Body and head of each software exit as torch modules, in evaluation mode.

    The first takes integer features. Hidden states and logits are whole numbers in float32.
    """
    return [(_chain(model, stage.body), _chain(model, stage.head)) for stage in spec.NETWORKS[model.network]]


def _chain(model: Model, names: tuple[str, ...]) -> nn.Sequential:
    return nn.Sequential(*(module for name in names for module in _layer(model, name))).eval()


class _FloorClip(nn.Module):
    def __init__(self, low: int, high: int) -> None:
        super().__init__()
        self.low, self.high = low, high

    def forward(self, sums: torch.Tensor) -> torch.Tensor:
        return sums.floor().clamp(self.low, self.high)


def _stage(body: nn.Module, head: nn.Module) -> Callable[[Any], tuple[Any, Any]]:
    def run(inputs: Any) -> tuple[np.ndarray, np.ndarray]:
        with torch.inference_mode():
            hidden = body(torch.from_numpy(np.require(inputs, requirements=["C", "W"])).to(torch.float32))
            return hidden.numpy(), head(hidden).numpy().astype(np.int16)

    return run


def _layer(model: Model, name: str) -> list[nn.Module]:
    shape, weights = REMAINDER_LAYERS[name], folding.remainder_layer(model, name)
    module: nn.Module = (
        nn.Conv2d(shape.inputs, shape.outputs, shape.kernel) if shape.kernel else nn.Linear(shape.inputs, shape.outputs)
    )
    module.load_state_dict({"weight": torch.from_numpy(weights.weight), "bias": torch.from_numpy(weights.bias)})
    if shape.kernel:
        return [module, nn.MaxPool2d(POOL), _FloorClip(0, REMAINDER_ACTIVATION_MAX), nn.Flatten()]
    limits = (0, REMAINDER_ACTIVATION_MAX) if shape.relu else (LOGIT_MIN, LOGIT_MAX)
    return [module, _FloorClip(*limits)]
