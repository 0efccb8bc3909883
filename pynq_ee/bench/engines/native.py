"""onnxruntime for the first exit, our own C++ for what stays: the best mixture of what there is."""

from __future__ import annotations

from typing import Any

import numpy as np

from pynq_ee.bench.engines import Engine, onnx
from pynq_ee.network.weights import Model
from pynq_ee.remainder import Stage, native


def build(name: str, model: Model, threads: int, batch: int) -> Engine:
    """Build the engine; the native stages run on one thread."""
    base = onnx.build(name, model, threads, batch)
    first, *later = native.stages(model)

    def first_stage(features: Any) -> tuple[Any, np.ndarray]:
        return first(features.astype(np.uint8))

    stages: list[Stage] = [first_stage, *later]
    return base._replace(version=f"{base.version}, {native.INSTRUCTION_SETS[0]}", stages=stages)
