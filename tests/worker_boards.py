"""Simulated boards for the workers of a cluster, which import this module: slow ones, and ones that fail.

A worker is known by its name: those of a local cluster are called 0, 1, ...
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from distributed import get_worker

from pynq_ee.errors import DeviceError
from pynq_ee.network.weights import Model
from pynq_ee.sim import SimulatedDevice
from pynq_ee.sim.kernel import Kernel, numpy_kernel

#: Seconds an image of the workers 0 and 1.
UNEVEN_SECONDS = (0.02, 0.002)

#: Batches that the boards here complete before they fail.
GOOD_BATCHES = 3


def uneven(model: Model) -> SimulatedDevice:
    """Worker 1's board is ten times as fast as worker 0's, as far as its host keeps up."""
    return _board(model, lambda number, images: time.sleep(images * UNEVEN_SECONDS[get_worker().name]))


def hanging(model: Model) -> SimulatedDevice:
    """Worker 0's board stops answering."""
    name = get_worker().name
    return _board(model, lambda number, images: time.sleep(5 if name == 0 and number > GOOD_BATCHES else 0.01))


def failing(model: Model) -> SimulatedDevice:
    """Every board fails after some batches."""

    def fail(number: int, images: int) -> None:
        if number > GOOD_BATCHES:
            raise DeviceError("the power is gone")

    return _board(model, fail)


def without_memory(model: Model) -> SimulatedDevice:
    """A board that cannot be opened."""
    return SimulatedDevice(model, kernel="numpy", memory_bytes=4096)


def _board(model: Model, before: Callable[[int, int], Any]) -> SimulatedDevice:
    """A board that does something before each batch, given the batch's number and its images."""

    def make(model: Model) -> Kernel:
        compute, batches = numpy_kernel(model), 0

        def run(beats: Any, last: Any, images: int, mode: int, margin: int) -> Any:
            nonlocal batches
            if images:
                batches += 1
                before(batches, images)
            return compute(beats, last, images, mode, margin)

        return run

    return SimulatedDevice(model, kernel=make)
