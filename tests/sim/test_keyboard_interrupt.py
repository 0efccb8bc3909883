"""Ctrl-C, or a notebook's stop button, at any line of the driver: the next call is right, and so are the ones after."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

import patience
import pynq_ee
from pynq_ee import EarlyExitInference
from pynq_ee.errors import DeadlineError
from pynq_ee.network.weights import Model
from pynq_ee.sim import SimulatedDevice

DEADLINE = patience.seconds(0.2)
SIZE = 4
BATCHES = 3
#: Every line would take a minute; this is prime, so that no loop is always met at the same line.
EVERY = 7

PACKAGE = Path(pynq_ee.__file__).parent

WAYS: dict[str, Callable[[EarlyExitInference, np.ndarray], Any]] = {
    "classify": lambda network, images: network.classify(images),
    "stream": lambda network, images: list(network.stream(images, batch=SIZE)),
    "classify_async": lambda network, images: asyncio.run(network.classify_async(images)),
}


class InterruptAt:
    """Raises KeyboardInterrupt at the n-th line that runs in the package, the simulated board left out."""

    def __init__(self, line: int) -> None:
        self.left = line
        self.place = ""

    def __enter__(self) -> InterruptAt:
        self._before = sys.gettrace()
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _call(self, frame: FrameType, event: str, argument: object) -> Any:
        path = Path(frame.f_code.co_filename)
        return self._line if PACKAGE in path.parents and PACKAGE / "sim" not in path.parents else None

    def _line(self, frame: FrameType, event: str, argument: object) -> Any:
        if event == "line":
            self.left -= 1
            if self.left == 0:
                self.place = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
                sys.settrace(None)
                raise KeyboardInterrupt
        return self._line


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (SIZE * BATCHES, 28, 28)).astype(np.uint8)


@pytest.fixture
def network(model: Model) -> Iterator[EarlyExitInference]:
    with (
        SimulatedDevice(model, kernel="numpy") as device,
        EarlyExitInference(
            model, device=device, images_per_transfer=SIZE, deadline_seconds=DEADLINE, threshold=0, threads=2
        ) as found,
    ):
        yield found  # every image stays, and a thread of its own sees to the remainder


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_an_interrupt_at_any_line_leaves_a_working_network(
    network: EarlyExitInference, images: np.ndarray, way: str
) -> None:
    expected = network.classify(images).labels
    for line in count(1, EVERY):
        with InterruptAt(line) as interrupt:
            try:
                WAYS[way](network, images)
            except KeyboardInterrupt:
                assert interrupt.place
        if not interrupt.place:
            break
        for _ in range(2):
            assert np.array_equal(network.classify(images).labels, expected), interrupt.place
    assert line > 100 * EVERY, "there are hundreds of lines"


def test_an_interrupt_in_a_recovery_does_not_let_go_of_buffers_that_the_dma_writes(
    model: Model, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with SimulatedDevice(model, kernel="numpy") as device:
        network = EarlyExitInference(model, device=device, images_per_transfer=SIZE, deadline_seconds=DEADLINE)
        with monkeypatch.context() as patch:
            patch.setattr(network.accelerator, "_complete", interrupt)
            patch.setattr(network.accelerator._circuit, "reset", interrupt)
            with pytest.raises(KeyboardInterrupt):
                network.classify(images)
        recoveries = network.accelerator.counters.recoveries
        network.close()
        assert network.accelerator.counters.recoveries == recoveries + 1


def test_an_interrupt_while_a_coroutine_takes_its_turn_leaves_it_to_other_threads(
    network: EarlyExitInference, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(list):
        def remove(self, item: object) -> None:  # what runs right after the lock was taken
            super().remove(item)
            raise KeyboardInterrupt

    monkeypatch.setattr(network._turns, "_waiting", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(network.classify_async(images))
    with ThreadPoolExecutor(1) as other:
        assert len(other.submit(network.classify, images).result(timeout=patience.seconds(20))) == len(images)


def test_an_interrupt_is_told_also_where_the_fabric_cannot_be_recovered(
    network: EarlyExitInference, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(slot: object) -> bool:
        raise KeyboardInterrupt

    def dead() -> None:
        raise DeadlineError("nothing answers")

    with monkeypatch.context() as patch:
        patch.setattr(network.accelerator, "_complete", interrupt)
        patch.setattr(network.accelerator, "recover", dead)
        with pytest.raises(KeyboardInterrupt):
            network.classify(images)
    assert len(network.classify(images)) == len(images)
