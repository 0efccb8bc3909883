"""onnxruntime on the exported graphs: first exit, each software stage, and the network without early exits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnxruntime

from pynq_ee.bench.engines import Engine, FloatArray, Logits
from pynq_ee.generate import onnx as graphs
from pynq_ee.network.weights import Model
from pynq_ee.remainder import onnx as remainder


def build(name: str, model: Model, threads: int, batch: int) -> Engine:
    """Build the engine."""
    early = remainder.session(graphs.first_exit(model), threads)
    whole = remainder.session(graphs.plain(model), threads)

    def first_exit(images: npt.NDArray[np.uint8]) -> tuple[FloatArray, Logits]:
        features, logits = early.run(["features", "logits"], {"images": images})
        return features, logits

    def plain(images: npt.NDArray[np.uint8]) -> Logits:
        logits: Logits = whole.run(["logits"], {"images": images})[0]
        return logits

    return Engine(name, onnxruntime.__version__, first_exit, remainder.stages(model, threads), plain)
