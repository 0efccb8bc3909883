"""onnxruntime on the exported graphs: first exit, each software stage, and the network without early exits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnxruntime

from pynq_ee.bench.engines import Engine, FloatArray, Logits
from pynq_ee.generate import onnx as graphs
from pynq_ee.network.weights import Model
from pynq_ee.remainder import onnx as remainder

#: Images of one run: more do not fit the cache, and take a tenth longer each.
_CHUNK = 64


def build(name: str, model: Model, threads: int, batch: int) -> Engine:
    """Build the engine."""
    early = remainder.session(graphs.first_exit(model), threads)
    whole = remainder.session(graphs.plain(model), threads)

    def first_exit(images: npt.NDArray[np.uint8]) -> tuple[FloatArray, Logits]:
        parts = [early.run(["features", "logits"], {"images": chunk}) for chunk in _chunks(images)]
        features, logits = parts[0] if len(parts) == 1 else map(np.concatenate, zip(*parts))
        return features, logits

    def plain(images: npt.NDArray[np.uint8]) -> Logits:
        return np.concatenate([whole.run(["logits"], {"images": chunk})[0] for chunk in _chunks(images)])

    return Engine(name, onnxruntime.__version__, first_exit, remainder.stages(model, threads), plain)


def _chunks(images: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.uint8]]:
    return [images[start : start + _CHUNK] for start in range(0, len(images), _CHUNK)]
