"""The first time on a board, step by step, from the overlay's files to a million images with every result compared.

Each step is told before it is done: a register access that the fabric never answers stops the whole board, and the last
line then says where. What was found becomes a record, whole or not: a step that fails ends it, and is part of it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee.bench import energy
from pynq_ee.bench.machine import describe
from pynq_ee.data.datasets import Digits
from pynq_ee.driver import bitfiles
from pynq_ee.errors import PynqEEError, TransferError
from pynq_ee.inference import EarlyExitInference
from pynq_ee.network import fabric, spec
from pynq_ee.prediction import Prediction
from pynq_ee.trace import STAGES

Record = dict[str, Any]

#: Batches whose rate is measured, in images.
BATCHES = (1, 64, 1024)

#: Seconds for which each rate is measured, at least.
RATE_SECONDS = 1.0

#: Calls of one image of which latencies are medians.
CALLS = 100

#: Images of the reference that are computed between two lines of progress.
_REFERENCE_IMAGES = 1000


@dataclass
class Bringup:
    """What the steps share.

    Parameters
    ----------
    open_network
        Opens the network on the device that is to be tried.
    digits
        The sample that is compared with NumPy.
    long_run
        Images of the long run.
    say
        Called with each line, before what it tells of is done.
    """

    open_network: Callable[[], EarlyExitInference]
    digits: Digits
    long_run: int
    say: Callable[[str], None]
    record: Record = field(default_factory=dict)

    def run(self) -> Record:
        """Take every step, and return the record; its ``failed`` is None, or names the step and the error.

        An interrupt is recorded like an error.
        """
        self.record = {"machine": describe(), "sample": self.digits.source, "steps": [], "failed": None}
        driver, handler = logging.getLogger("pynq_ee.driver"), _Lines(self.say)
        level = driver.level
        driver.addHandler(handler)
        driver.setLevel(logging.DEBUG)
        step = OPENING
        try:
            self.say(step)
            with closing(self._opened()) as network:
                for step, action in STEPS:
                    self.say(step)
                    begin = time.perf_counter()
                    action(self, network)
                    self.record["steps"].append({"step": step, "seconds": time.perf_counter() - begin})
        except (PynqEEError, OSError, KeyboardInterrupt) as error:
            self.record["failed"] = {"step": step, "error": f"{type(error).__name__}: {error}"}
        finally:
            driver.removeHandler(handler)
            driver.setLevel(level)
        return self.record

    def _opened(self) -> EarlyExitInference:
        begin = time.perf_counter()
        network = self.open_network()
        self.record["steps"].append({"step": OPENING, "seconds": time.perf_counter() - begin})
        board = bitfiles.board_of(network.device)
        self.record["device"] = str(network.device.name)
        self.record["board"] = board.name
        self.record["simulated"] = hasattr(network.device, "bitfile")
        self.record["model"] = network.model.network
        self.record["build_id"] = f"{network.model.build_id:08x}"
        self.record["pixels_per_beat"] = network.model.spec.pixels_per_beat
        self.record["clock_mhz"] = network.accelerator.clock_mhz
        self.record["images_per_transfer"] = network.accelerator.slots[0].capacity
        self.record["remainder"] = network.remainder
        self.record["completion"] = network.completion
        return network

    # Right or wrong ---------------------------------------------------------------------------------------------

    def one_image(self, network: EarlyExitInference) -> None:
        """A batch of one."""
        self._compare(network, self.digits.images[:1])

    def hundred_images(self, network: EarlyExitInference) -> None:
        """A batch of a hundred."""
        self._compare(network, self.digits.images[:100])

    def whole_sample(self, network: EarlyExitInference) -> None:
        """Features and logits of every image of the sample, bit for bit as NumPy computes them."""
        images = self.digits.images
        for start in range(0, len(images), _REFERENCE_IMAGES):
            part = images[start : start + _REFERENCE_IMAGES]
            self.say(f"  images {start} to {start + len(part) - 1} of {len(images)}")
            self._compare(network, part)
        found = network.classify(images)
        self.record["compared"] = len(images)
        self.record["accuracy"] = float(np.mean(found.labels == self.digits.labels))
        self.record["shares"] = [found.share(number) for number in range(1, network.model.exits + 1)]

    def _compare(self, network: EarlyExitInference, images: npt.NDArray[np.uint8]) -> None:
        """Send images through the driver alone, and see that its results are NumPy's.

        Raises
        ------
        TransferError
            They are not; the message names the first image and both results.
        """
        features, logits = fabric.first_exit(images, network.model)
        accelerator = network.accelerator
        for start in range(0, len(images), accelerator.slots[0].capacity):
            rows = slice(start, start + accelerator.slots[0].capacity)
            slot = accelerator.fill(images[rows])
            accelerator.start(slot)
            results = accelerator.finish(slot)
            self._same(start, "logits", results.logits, logits[rows])
            if accelerator.features:
                found = results.features(np.arange(slot.count), network.model.spec)
                self._same(start, "features", found, fabric.pack_features(features[rows]))

    def _same(self, start: int, what: str, found: npt.NDArray[Any], due: npt.NDArray[Any]) -> None:
        wrong = (found != due).any(axis=1)
        if wrong.any():
            first = int(np.argmax(wrong))
            raise TransferError(
                f"{what} of image {start + first} are {found[first].tolist()}, NumPy computes {due[first].tolist()} "
                f"({int(wrong.sum())} of {len(wrong)} images differ); report it with `pynq-ee bringup --share`",
                stage="comparing with NumPy",
                images_done=start + first,
            )

    def long_stream(self, network: EarlyExitInference) -> None:
        """Many images, each result compared with that of the first time."""
        images = self.digits.images
        due = network.classify(images)
        done, wrong, begin = 0, 0, time.perf_counter()
        told = begin
        while done < self.long_run:
            count = min(len(images), self.long_run - done)
            found = network.classify(images[:count])
            other = (found.labels != due.labels[:count]) | (found.exits != due.exits[:count])
            other |= (found.logits != due.logits[:count]).any(axis=1)
            wrong += int(other.sum())
            done += count
            if time.perf_counter() - told > 10:
                told = time.perf_counter()
                self.say(f"  {done} of {self.long_run} images, {wrong} wrong")
        counters = network.accelerator.counters
        self.record["long_run"] = {
            "images": done,
            "wrong": wrong,
            "retries": counters.retries,
            "recoveries": counters.recoveries,
            "seconds": time.perf_counter() - begin,
        }
        if wrong:
            raise TransferError(f"{wrong} of {done} images came out otherwise than the first time", stage="long run")

    # How fast ---------------------------------------------------------------------------------------------------

    def rates(self, network: EarlyExitInference) -> None:
        """Images a second, and where the time goes, for several sizes of batch."""
        capacity = network.accelerator.slots[0].capacity
        self.record["rates"] = []
        for batch in sorted({min(batch, capacity, len(self.digits.images)) for batch in BATCHES}):
            self.say(f"  batches of {batch}")
            self.record["rates"].append(self._rate(network, batch))

    def _rate(self, network: EarlyExitInference, batch: int) -> Record:
        images = self.digits.images[: len(self.digits.images) // batch * batch]
        streamed = batch > 1

        def batches() -> Any:
            if streamed:
                return network.stream(images, batch=batch)
            return (network.classify(image) for image in images[:CALLS])

        flush, invalidate = self._cache_maintenance(network, batch)
        seconds, count, stages = 0.0, 0, dict.fromkeys(STAGES, 0.0)
        list(batches())  # a warm-up
        while seconds < RATE_SECONDS:
            begin = time.perf_counter()
            found: list[Prediction] = list(batches())
            seconds += time.perf_counter() - begin
            count += sum(map(len, found))
            for each in found:
                for stage in STAGES:
                    stages[stage] += each.seconds[stage]
        micro = {stage: 1e6 * spent / count for stage, spent in stages.items()}
        slot = max(network.accelerator.slots, key=lambda each: each.completed)
        clocks = (slot.completed - slot.started) * 1e6 * network.accelerator.clock_mhz / batch
        return {
            "batch": batch,
            "images": count,
            "images_a_second": count / seconds,
            "microseconds_an_image": 1e6 * seconds / count,
            "stages": {
                "fill": max(micro["input"] - flush, 0.0),
                "flush": flush,
                "start and wait": micro["fabric"],
                "invalidate": invalidate,
                "collect": max(micro["collect"] - invalidate, 0.0),
                "decide": micro["entropy"],
                "remainder": micro["remainder"],
            },
            "clocks_an_image_in_flight": clocks,
            "clocks_an_image_by_the_rate_rule": spec.batch_clocks(network.model.spec, batch) / batch,
        }

    def _cache_maintenance(self, network: EarlyExitInference, batch: int) -> tuple[float, float]:
        """Microseconds an image to flush the images of a batch, and to invalidate its results; medians."""
        accelerator = network.accelerator
        slot = accelerator.fill(self.digits.images[:batch])
        accelerator.start(slot)
        accelerator.finish(slot)
        medians = []
        for action in (slot.images.flush, slot.results.invalidate):
            samples = []
            for _ in range(21):
                begin = time.perf_counter()
                action()
                samples.append(time.perf_counter() - begin)
            medians.append(1e6 * float(np.median(samples)) / batch)
        return medians[0], medians[1]

    def interrupts(self, network: EarlyExitInference) -> None:
        """Latency of one image, awaited over the interrupt and waited for."""
        image = self.digits.images[0]

        async def calls() -> list[float]:
            samples = []
            for _ in range(CALLS):
                begin = time.perf_counter()
                await network.classify_async(image)
                samples.append(time.perf_counter() - begin)
            return samples

        waited = []
        for _ in range(CALLS):
            begin = time.perf_counter()
            network.classify(image)
            waited.append(time.perf_counter() - begin)
        self.record["latency_microseconds"] = {
            "completion": network.completion,
            "awaited": 1e6 * float(np.median(asyncio.run(calls()))),
            "waited for": 1e6 * float(np.median(waited)),
        }

    def energy_of_the_rail(self, network: EarlyExitInference) -> None:
        """Energy an image where a rail can be read."""
        meter = None if self.record["simulated"] else energy.meter(_rails())
        if meter is None:
            self.record["energy"] = {"left_out": "no rail can be read here"}
            return
        count, begin = 0, time.perf_counter()
        with meter() as measured:
            while time.perf_counter() - begin < RATE_SECONDS:
                count += len(network.classify(self.digits.images))
        self.record["energy"] = {"source": measured.source, "microjoules_an_image": 1e6 * measured.joules / count}


#: What opening does, each step of which the driver tells.
OPENING = "files and identity, programming, clock, magic, reset"

#: What comes after it.
STEPS: tuple[tuple[str, Callable[[Bringup, EarlyExitInference], None]], ...] = (
    ("one image", Bringup.one_image),
    ("a hundred images", Bringup.hundred_images),
    ("the whole sample, bit for bit against NumPy", Bringup.whole_sample),
    ("rates", Bringup.rates),
    ("interrupts", Bringup.interrupts),
    ("the long run, results compared", Bringup.long_stream),
    ("energy", Bringup.energy_of_the_rail),
)


class _Lines(logging.Handler):
    """The driver's own steps, as lines."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.DEBUG)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        self._say(f"  {record.getMessage()}")


def _rails() -> dict[str, Any]:
    """The board's power rails; none where pynq or the board has no sensors."""
    try:
        from pynq import get_rails
    except ImportError:
        return {}
    return dict(get_rails())


def table(record: Record) -> list[tuple[str, ...]]:
    """Rows of a record's rates: batch, images a second, microseconds an image in all and by stage."""
    return [
        (
            str(rate["batch"]),
            f"{rate['images_a_second']:,.0f}",
            f"{rate['microseconds_an_image']:.2f}",
            *(f"{spent:.2f}" for spent in rate["stages"].values()),
            f"{rate['clocks_an_image_in_flight']:.1f}",
        )
        for rate in record.get("rates", [])
    ]


def header(record: Record) -> tuple[str, ...]:
    """The header of :func:`table`."""
    stages = [stage for rate in record.get("rates", [])[:1] for stage in rate["stages"]]
    return ("batch", "images/s", "us an image", *stages, "clocks an image")


def measured_on(record: Record) -> str:
    """What the figures of a record are, in words."""
    device = record.get("device", "no device")
    kind = "times of a simulation, not of a board" if record.get("simulated") else "measured"
    return f"{kind} on {device}, {record['machine']['processor']}, {record['machine']['time']}"
