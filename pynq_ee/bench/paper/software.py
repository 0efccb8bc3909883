"""The early-exit network all in software, on any engine, and the check that the engines agree."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee.bench.engines import Engine
from pynq_ee.errors import ToolError
from pynq_ee.network.weights import Model
from pynq_ee.remainder import Decider, Stage, default
from pynq_ee.remainder import decider as decider_of


def deciders(model: Model) -> list[Decider]:
    """Of each exit what decides which images leave, by the quickest means that is here: our native code, else NumPy."""
    return [decider_of(default(), exponent) for exponent in model.logit_exponents]


class EarlyExit:
    """The early-exit network in software: the later exits are computed only for what the earlier ones keep.

    Called with images uint8 (n, 28, 28), it returns labels and exits, int64 (n,).
    """

    def __init__(self, engine: Engine, thresholds: tuple[float, ...], deciders: Sequence[Decider]) -> None:
        self._engine = engine
        self._thresholds = thresholds
        self._deciders = deciders

    def __call__(self, images: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        hidden, logits = self._engine.first_exit(images)
        labels = logits.argmax(1).astype(np.int64)
        taken = np.ones(len(images), np.int64)
        rows: npt.NDArray[np.intp] | None = None
        steps = zip(self._thresholds, self._deciders, self._engine.stages)
        for number, (threshold, decide, stage) in enumerate(steps, start=2):
            staying = np.flatnonzero(~decide(logits, threshold).leaves)
            if not len(staying):
                break
            rows = staying if rows is None else rows[staying]
            hidden, logits = stage(hidden[staying])
            labels[rows] = logits.argmax(1)
            taken[rows] = number
        return labels, taken

    def stage_seconds(self, chunks: list[npt.NDArray[np.uint8]]) -> dict[str, float]:
        """Seconds an image of the first exit, and of the rest (decision and remainder): medians over the chunks."""
        first, whole = [], []
        for chunk in chunks:
            begin = time.perf_counter()
            self._engine.first_exit(chunk)
            middle = time.perf_counter()
            self(chunk)
            first.append((middle - begin) / len(chunk))
            whole.append((time.perf_counter() - middle) / len(chunk))
        alone = float(np.median(first))
        return {"first exit": alone, "decision and remainder": max(float(np.median(whole)) - alone, 0.0)}

    def remainder_seconds(self, chunks: list[npt.NDArray[np.uint8]]) -> float:
        """Seconds an image of all software stages, if every image of a chunk reaches the last exit: their median."""
        return remainder_seconds(self._engine.stages, [self._engine.first_exit(chunk)[0] for chunk in chunks])


def remainder_seconds(stages: Sequence[Stage], features: list[Any]) -> float:
    """Seconds an image of all software stages on each batch of features: their median."""
    seconds = []
    for hidden in features:
        begin = time.perf_counter()
        for stage in stages:
            hidden, _ = stage(hidden)
        seconds.append((time.perf_counter() - begin) / len(hidden))
    return float(np.median(seconds))


def cross_check(built: dict[str, Engine], images: npt.NDArray[np.uint8]) -> None:
    """Compare the engines' outputs with the first one's.

    Raises
    ------
    ToolError
        An engine that differs; its times would mean nothing.
    """
    outputs = {name: _every_logit(engine, images) for name, engine in built.items()}
    reference, expected = next(iter(outputs.items()))
    for name, logits in outputs.items():
        for place, (found, wanted) in enumerate(zip(logits, expected), start=1):
            if not np.array_equal(found, wanted):
                what = f"exit {place}" if place <= len(logits) - 1 else "the network without early exits"
                raise ToolError(f"{name}: a logit of {what} differs from that of {reference}")


def _every_logit(engine: Engine, images: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.int16]]:
    """Logits of every exit, and of the network without early exits."""
    hidden, first = engine.first_exit(images)
    every = [first]
    for stage in engine.stages:
        hidden, logits = stage(hidden)
        every.append(logits)
    return [*every, engine.plain(images)]
