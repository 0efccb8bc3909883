"""LiteRT, once TensorFlow Lite, whose kernels are XNNPACK's, on the exported flatbuffers."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from pynq_ee.bench.engines import Engine, FloatArray, Logits
from pynq_ee.generate import tflite
from pynq_ee.network.weights import Model

#: float32 (n, ...) to float32 arrays.
Runner = Callable[[npt.NDArray[Any]], list[FloatArray]]


def build(name: str, model: Model, threads: int, batch: int) -> Engine:
    """Build the engine. Its features have the channels last."""
    early, whole = (runner(graph, threads) for graph in (tflite.first_exit(model), tflite.plain(model)))

    def first_exit(images: npt.NDArray[np.uint8]) -> tuple[FloatArray, Logits]:
        features, logits = early(images[..., None])
        return features, logits.astype(np.int16)

    def plain(images: npt.NDArray[np.uint8]) -> Logits:
        return whole(images[..., None])[0].astype(np.int16)

    stages = [_stage(runner(tflite.stage(model, number), threads)) for number in range(model.exits - 1)]
    return Engine(name, version("ai-edge-litert"), first_exit, stages, plain)


def runner(graph: bytes, threads: int) -> Runner:
    """A flatbuffer of one input on ``threads`` threads, for any number of images."""
    interpreters: dict[int, Interpreter] = {}

    def run(inputs: npt.NDArray[Any]) -> list[FloatArray]:
        # To resize an interpreter costs more than to run it: one is kept for each number of images.
        interpreter = interpreters.get(len(inputs)) or _interpreter(graph, threads, inputs.shape)
        interpreters[len(inputs)] = interpreter
        interpreter.set_tensor(_index(interpreter.get_input_details()[0]), inputs.astype(np.float32))
        interpreter.invoke()
        return [interpreter.get_tensor(_index(each)) for each in interpreter.get_output_details()]

    return run


def _interpreter(graph: bytes, threads: int, shape: tuple[int, ...]) -> Interpreter:
    made = Interpreter(model_content=graph, num_threads=threads)
    made.resize_tensor_input(_index(made.get_input_details()[0]), shape)
    made.allocate_tensors()
    return made


def _index(details: dict[str, Any]) -> int:
    return int(details["index"])


def _stage(run: Runner) -> Callable[[FloatArray], tuple[FloatArray, Logits]]:
    def stage(hidden: FloatArray) -> tuple[FloatArray, Logits]:
        *changed, logits = run(hidden)
        return (changed[0] if changed else hidden), logits.astype(np.int16)

    return stage
