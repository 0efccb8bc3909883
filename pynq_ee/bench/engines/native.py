"""Our own native engine for the whole network: what ``EarlyExitInference(device="software")`` computes with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pynq_ee.bench.engines import Engine, Logits
from pynq_ee.network.weights import Model
from pynq_ee.remainder import native


def build(name: str, model: Model, threads: int, batch: int) -> Engine:
    """Build the engine. Its features are packed.

    It has no trunk without the branch behind it, so the network without early exits computes the first exit's logits
    all the same.
    """
    first_exit = native.first_exit(model, threads=threads)
    stages = native.stages(model, threads=threads)

    def plain(images: npt.NDArray[np.uint8]) -> Logits:
        hidden, logits = first_exit(images)
        for stage in stages:
            hidden, logits = stage(hidden)
        return logits

    return Engine(name, native.INSTRUCTION_SETS[0], first_exit, stages, plain)
