"""PyTorch, compiled by its default back end (C++ generated and compiled on this machine)."""

from __future__ import annotations

import shutil
from typing import Any

import torch
from torch import nn

from pynq_ee.bench.engines import Engine, torch_eager
from pynq_ee.errors import ToolError
from pynq_ee.network.weights import Model


def build(name: str, model: Model, threads: int, batch: int) -> Engine:
    """Build the engine; each module is compiled when it first is called.

    Raises
    ------
    ToolError
        There is no C++ compiler.
    """
    if not any(shutil.which(compiler) for compiler in ("g++", "clang++", "c++")):
        raise ToolError(f"{name}: no C++ compiler on the PATH")
    return torch_eager.build(name, model, threads, batch, _compiled)


def _compiled(module: nn.Module, dynamic: bool) -> Any:
    return torch.compile(module, dynamic=dynamic)
