"""What a network whose first exit is in the fabric takes: the host's work measured, the fabric's time put beside it.

The driver's time line, which :class:`HostWork` follows::

    host     fill 1 | start 1 | collect 0, decide 0, fill 2 | start 2 | collect 1, decide 1, fill 3 | ..
    fabric                    | batch 1 ..................            | batch 2 ..

While a batch is in the fabric, the host checks, collects and decides the one before it and fills the one after it;
what it does between two batches (register accesses) is not overlapped. A batch of one is a call of its own, and
nothing of it overlaps. All of it is one core's: a thread that sees to the remainder beside would be another one's.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee import exits
from pynq_ee.bench import timing
from pynq_ee.inference import EarlyExitInference, Prediction
from pynq_ee.network.weights import Model
from pynq_ee.trace import STAGES

Chunks = list[npt.NDArray[np.uint8]]
Seconds = npt.NDArray[np.float64]


@dataclass(frozen=True)
class HostWork:
    """What the host spends on each batch, float64 (batches,) seconds each, *measured*.

    Attributes
    ----------
    fill
        Images into the DMA's buffer.
    between
        Between two batches of the fabric: the register accesses that find one complete and start the next.
    decide
        Checking and collecting results, entropy, policy, remainder, and what else is overlapped.
    streamed
        Whether the batches were streamed, so that they overlap, or each was a call of its own.
    """

    fill: Seconds
    between: Seconds
    decide: Seconds
    streamed: bool

    def seconds(self, fabric_seconds: float) -> Seconds:
        """Seconds of each batch when the fabric takes ``fabric_seconds`` for one, (batches,).

        Filling the first batch and deciding the last one, with which nothing overlaps, are spread over all.
        """
        if not self.streamed:
            return np.asarray(self.fill + fabric_seconds + self.between + self.decide)
        before, following = np.append(0.0, self.decide[:-1]), np.append(self.fill[1:], 0.0)
        periods = np.maximum(fabric_seconds, before + following) + self.between
        return np.asarray(periods + (self.fill[0] + self.decide[-1]) / len(periods))

    def stages(self, images: int) -> dict[str, float]:
        """Median seconds an image of each kind of work, for batches of ``images``."""
        parts = {"fill": self.fill, "between batches": self.between, "decide and remainder": self.decide}
        return {name: float(np.median(seconds)) / images for name, seconds in parts.items()}


def host_work(network: EarlyExitInference, device: Any, chunks: Chunks, streamed: bool) -> HostWork:
    """Run the driver over chunks of equal size and take its time.

    Parameters
    ----------
    network
        Open on ``device``, on one thread, and with room for a chunk in a transfer.
    device
        A :class:`~pynq_ee.sim.replay.ReplayDevice` for these chunks.
    streamed
        Stream them, or make each a call of its own.
    """
    fill, between, decide = [], [], []
    placed, begin = device.replay_seconds, time.perf_counter()
    for prediction in predictions(network, chunks, streamed):
        replay = device.replay_seconds - placed
        wall = time.perf_counter() - begin - replay
        fill.append(prediction.seconds["input"])
        between.append(prediction.seconds["fabric"] - replay)
        decide.append(max(wall - fill[-1] - between[-1], 0.0))
        placed, begin = device.replay_seconds, time.perf_counter()
    if streamed:  # a prediction's input is that of the batch after it; the first one's holds two
        fill = [fill[0] / min(len(fill), 2)] * min(len(fill), 2) + fill[1:-1]
    return HostWork(np.array(fill), np.array(between), np.array(decide), streamed)


def overhead(model: Model, images: npt.NDArray[np.uint8], batch: int, repetitions: int) -> dict[str, Any]:
    """What the driver costs the host beside entropy and remainder, in microseconds an image (*measured*).

    Parameters
    ----------
    model
        The network.
    images
        uint8 (N, 28, 28), N a multiple of ``batch``.
    batch
        Images of a transfer.
    repetitions
        Passes over the images, of which the median counts, and the least is told.

    Returns
    -------
    By stage, and in ``driver`` the whole but for ``entropy`` and ``remainder``: (median, least).
    """
    from pynq_ee.sim.replay import ReplayDevice

    samples: list[dict[str, float]] = []
    with (
        ReplayDevice(model, images) as device,
        EarlyExitInference(model, device=device, images_per_transfer=batch, threads=1) as network,
    ):
        for _ in range(repetitions + 1):  # the first is a warm-up
            placed, begin = device.replay_seconds, time.perf_counter()
            found = [prediction.seconds for prediction in predictions(network, timing.chunks_of(images, batch), True)]
            wall, replay = time.perf_counter() - begin, device.replay_seconds - placed
            sample = {stage: sum(each[stage] for each in found) for stage in STAGES}
            sample["fabric"] -= replay
            samples.append({**sample, "driver": wall - replay - sample["entropy"] - sample["remainder"]})
    scale = 1e6 / len(images)
    return {
        name: (scale * float(np.median([sample[name] for sample in samples[1:]])),
               scale * min(sample[name] for sample in samples[1:]))
        for name in samples[0]
    }  # fmt: skip


def measured(network: EarlyExitInference, chunks: Chunks, streamed: bool) -> Seconds:
    """Wall seconds of each batch on a board, (batches,): nothing is modelled."""
    seconds = []
    begin = time.perf_counter()
    for _ in predictions(network, chunks, streamed):
        now = time.perf_counter()
        seconds.append(now - begin)
        begin = now
    return np.array(seconds)


def predictions(network: EarlyExitInference, chunks: Chunks, streamed: bool) -> Any:
    """The predictions of the chunks, one each, in order."""
    if streamed:  # the public ways join the predictions, or copy the images first
        return network._predict(iter(chunks))
    return map(network.classify, chunks)


def outcome(found: list[Prediction], truth: npt.NDArray[np.int64], exit_count: int) -> dict[str, Any]:
    """Accuracy and shares of some predictions, for a row."""
    return summary([(each.labels, each.exits) for each in found], truth, exit_count)


def summary(results: list[tuple[Any, Any]], truth: npt.NDArray[np.int64], exit_count: int) -> dict[str, Any]:
    """Accuracy and shares of labels and exits that came in parts."""
    labels, taken = (np.concatenate(parts) for parts in zip(*results))
    return {"accuracy": float(np.mean(labels == truth)), "shares": exits.shares(taken, exit_count).tolist()}
