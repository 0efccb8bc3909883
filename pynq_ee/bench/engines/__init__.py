"""The whole network in software, on the engines that a user could pick instead of the fabric.

An engine computes the first exit as its framework does it best: those of others in float32, exact, with the layers
folded as :mod:`pynq_ee.network.folding` has them; our own in integers. All engines give the same integers. Each takes
a batch in parts of the size that :func:`best_part` finds the quickest for it.
"""

from __future__ import annotations

import importlib
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pynq_ee.bench import timing
from pynq_ee.errors import ToolError
from pynq_ee.network.weights import Model
from pynq_ee.remainder import Stage

FloatArray = npt.NDArray[np.float32]
Logits = npt.NDArray[np.int16]


class Engine(NamedTuple):
    """A network in software.

    ``first_exit`` takes images uint8 (n, 28, 28) and returns features, of the engine's own type, and int16 logits
    (n, 10). ``stages`` are as in :mod:`pynq_ee.remainder`, on those features. ``plain`` is the network without early
    exits: images to the last exit's logits.
    """

    name: str
    version: str
    first_exit: Callable[[npt.NDArray[np.uint8]], tuple[Any, Logits]]
    stages: Sequence[Stage]
    plain: Callable[[npt.NDArray[np.uint8]], Logits]


#: Engine and its module, in the order of the tables.
MODULES = {
    "numpy": "pynq_ee.bench.engines.numpy",
    "torch, eager": "pynq_ee.bench.engines.torch_eager",
    "torch, compiled": "pynq_ee.bench.engines.torch_compiled",
    "onnxruntime": "pynq_ee.bench.engines.onnx",
    "LiteRT": "pynq_ee.bench.engines.litert",
    "native": "pynq_ee.bench.engines.native",
}

#: Engines that take half a minute to build.
SLOW_TO_BUILD = ("torch, compiled",)


def in_parts(engine: Engine, size: int) -> Engine:
    """The engine, whose ``first_exit`` and ``plain`` take at most ``size`` images at once."""

    def first_exit(images: npt.NDArray[np.uint8]) -> tuple[Any, Logits]:
        if len(images) <= size:
            return engine.first_exit(images)
        features, logits = zip(*(engine.first_exit(part) for part in _parts(images, size)))
        return np.concatenate(features), np.concatenate(logits)

    def plain(images: npt.NDArray[np.uint8]) -> Logits:
        if len(images) <= size:
            return engine.plain(images)
        return np.concatenate([engine.plain(part) for part in _parts(images, size)])

    return engine._replace(first_exit=first_exit, plain=plain)


def best_part(engine: Engine, images: npt.NDArray[np.uint8], repetitions: int = 5) -> int:
    """Images at once, a power of two or all of them, with which the engine's first exit of a batch is the quickest.

    The median of ``repetitions`` decides, taken in turns (*measured*).
    """
    sizes = [1 << power for power in range(len(images).bit_length()) if 1 << power < len(images)]
    samplers = {
        str(size): partial(_seconds, in_parts(engine, size).first_exit, images) for size in (*sizes, len(images))
    }
    taken = timing.in_turns(samplers, repetitions)
    return int(min(taken, key=lambda size: statistics.median(taken[size])))


def _seconds(run: Callable[[npt.NDArray[np.uint8]], Any], images: npt.NDArray[np.uint8]) -> float:
    begin = time.perf_counter()
    run(images)
    return time.perf_counter() - begin


def _parts(images: npt.NDArray[np.uint8], size: int) -> list[npt.NDArray[np.uint8]]:
    return [images[start : start + size] for start in range(0, len(images), size)]


def build(name: str, model: Model, threads: int, batch: int) -> Engine:
    """Build an engine for batches of a size, on a number of threads.

    Raises
    ------
    ToolError
        Its package is not installed, or it cannot be built here.
    """
    try:
        module = importlib.import_module(MODULES[name])
    except ImportError as error:
        raise ToolError(f"{name}: not installed ({error})") from error
    engine: Engine = module.build(name, model, threads, batch)
    return engine
