"""PyTorch, eager, in inference mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from pynq_ee.bench.engines import Engine, FloatArray, Logits
from pynq_ee.network import folding
from pynq_ee.network.spec import ACTIVATION_MAX, LOGIT_MAX, LOGIT_MIN, POOL, FabricLayer
from pynq_ee.network.weights import Model
from pynq_ee.remainder.torch import modules

Compile = Callable[[nn.Module, bool], Any]


class FabricConvolution(nn.Module):
    """Convolution, max-pool, floor, clip."""

    def __init__(self, model: Model, layer: FabricLayer) -> None:
        super().__init__()
        weights = folding.fabric_layer(model, layer)
        self.weight, self.bias = torch.from_numpy(weights.weight), torch.from_numpy(weights.bias)
        self.padding = layer.padding

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        sums = functional.conv2d(inputs, self.weight, self.bias, padding=self.padding)
        return functional.max_pool2d(sums, POOL).floor_().clamp_(0, ACTIVATION_MAX)


class FirstExit(nn.Module):
    """Images uint8 (n, 28, 28) to features (n, 6, 14, 14) and logits (n, 10), whole numbers in float32."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.trunk = FabricConvolution(model, model.spec.trunk)
        self.branch = FabricConvolution(model, model.spec.branch)
        classifier = folding.fabric_layer(model, model.spec.classifier)
        self.weight, self.bias = torch.from_numpy(classifier.weight), torch.from_numpy(classifier.bias)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.trunk(images.unsqueeze(1).to(torch.float32))
        sums = functional.linear(self.branch(features).flatten(1), self.weight, self.bias)
        return features, sums.floor_().clamp_(LOGIT_MIN, LOGIT_MAX)


class Plain(nn.Module):
    """Images uint8 (n, 28, 28) to the last exit's logits."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.trunk = FabricConvolution(model, model.spec.trunk)
        built = modules(model)
        self.rest = nn.Sequential(*[body for body, _ in built], built[-1][1])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.rest(self.trunk(images.unsqueeze(1).to(torch.float32)))
        return logits


class StageModule(nn.Module):
    """Hidden state to the next hidden state and this exit's logits."""

    def __init__(self, body: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.body, self.head = body, head

    def forward(self, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = self.body(hidden)
        return hidden, self.head(hidden)


def _as_it_is(module: nn.Module, dynamic: bool) -> nn.Module:
    return module


def build(name: str, model: Model, threads: int, batch: int, compiled: Compile = _as_it_is) -> Engine:
    """Build the engine; the number of threads is set by the caller."""
    early, whole = compiled(FirstExit(model).eval(), False), compiled(Plain(model).eval(), False)

    def first_exit(images: npt.NDArray[np.uint8]) -> tuple[FloatArray, Logits]:
        with torch.inference_mode():
            features, logits = early(torch.from_numpy(images))
            return features.numpy(), logits.numpy().astype(np.int16)

    def plain(images: npt.NDArray[np.uint8]) -> Logits:
        with torch.inference_mode():
            logits: Logits = whole(torch.from_numpy(images)).numpy().astype(np.int16)
            return logits

    stages = [_stage(compiled(StageModule(body, head).eval(), True)) for body, head in modules(model)]
    return Engine(name, torch.__version__, first_exit, stages, plain)


def _stage(module: Any) -> Callable[[Any], tuple[Any, Any]]:
    def run(hidden: Any) -> tuple[FloatArray, Logits]:
        with torch.inference_mode():
            following, logits = module(torch.from_numpy(hidden))
            return following.numpy(), logits.numpy().astype(np.int16)

    return run
