"""The whole network in software, on the engines that a user could pick instead of the fabric.

An engine computes the first exit as its framework does it best: in float32, exact, with the layers folded as
:mod:`pynq_ee.network.folding` has them. All engines give the same integers.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

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
    "onnxruntime + native": "pynq_ee.bench.engines.native",
}

#: Engines that take half a minute to build.
SLOW_TO_BUILD = ("torch, compiled",)


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
