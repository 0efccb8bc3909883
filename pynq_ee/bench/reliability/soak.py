"""Drive a simulated board for very long while it misbehaves at random, and compare every single result.

    python -m pynq_ee.bench.reliability.soak                         a million images, some ten minutes
    python -m pynq_ee.bench.reliability.soak --seconds 15 --seed 3   as many as go into 15 seconds, with other faults
    python -m pynq_ee.bench.reliability.soak --images 20000 --json   the summary for a program
    python -m pynq_ee.bench.reliability.soak --kernel rtl --images 2000    the circuit itself, clock by clock

Labels, exits and logits of all digits are computed beforehand, all in software. Then they go through the driver in
calls of random length, by classify and by stream, in one session after the other; each has a board and a network of its
own, closed at its end. Into one call in four comes a random fault, at a random transfer: once, and the driver must send
the batch again by itself; or with every attempt, and it must raise, and the images are sent again in another call. Both
checksums are compared, so that no fault is left out.

It fails if a label, an exit or a logit is not the one computed beforehand, if an image is without a prediction, if a
fault is not retried or raised as the table of faults says, if the driver's counters disagree, or if there are more
buffers, file handles, threads or memory at the end than before. It ends in any case: after a row of calls that bring
no image nothing is going to, and it fails.
"""

from __future__ import annotations

import collections
import functools
import gc
import json
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pynq_ee import exits, remainder
from pynq_ee.bench import machine, programs
from pynq_ee.bench.arguments import positive, whole
from pynq_ee.data import datasets
from pynq_ee.errors import DeviceError, IdentityError, PynqEEError, status
from pynq_ee.inference import SIMULATED, EarlyExitInference, Prediction
from pynq_ee.network import fabric, weights
from pynq_ee.network.weights import Model

COMMAND = "python -m pynq_ee.bench.reliability.soak"

#: Images in one transfer, and in one call: up to four transfers, or many more of a stream.
CAPACITY = 256
CALL_IMAGES = 4 * CAPACITY
#: A session ends when so many images have come back.
SESSION_IMAGES = 5000
#: Share of the calls with a fault, and of these with one that comes with every attempt.
FAULT_SHARE, RAISED_SHARE = 0.25, 0.2
DEADLINE_SECONDS = 0.25
RETRIES = 1
#: Sessions until everything that is loaded once is there; memory must not grow by more than the margin after them.
WARM_UP_SESSIONS = 3
MEMORY_MARGIN_BYTES = 32 << 20

#: Calls in a row without an image, after which nothing more is expected. A fault that is raised in its first transfer
#: comes with one call in twenty, so that its own chance is 20 to the power of minus 20.
FRUITLESS_CALLS = 20

_EXHAUSTED = "memory: exhausted"

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Expected:
    """Digits (N, 28, 28), and what the definitions make of each: label, exit, and the logits of that exit (N, 10)."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    exits: npt.NDArray[np.int64]
    logits: npt.NDArray[np.float32]

    def wrong(self, rows: Rows, found: Prediction) -> int:
        """How many predictions are not the ones of these rows, in a label, an exit or a bit of a logit."""
        if len(found) != len(rows):
            return max(len(found), len(rows))
        differs = (found.logits != self.logits[rows]).any(1)
        differs |= (found.labels != self.labels[rows]) | (found.exits != self.exits[rows])
        return int(differs.sum())


def expected(model: Model, images: npt.NDArray[np.uint8]) -> Expected:
    """Compute everything in software: the fabric's part by its definition, the remainder on NumPy."""
    features, first = fabric.first_exit(images, model)
    every, hidden = [first], features
    for stage in remainder.stages("numpy", model):
        hidden, logits = stage(hidden)
        every.append(logits)
    outputs = np.stack(every, axis=1) * np.float32(2.0) ** np.array(model.logit_exponents, np.float32)[:, None]
    taken = exits.exit_of(exits.entropy(outputs), model.thresholds)
    chosen = outputs[np.arange(len(images)), taken - 1]
    return Expected(images, chosen.argmax(1).astype(np.int64), taken, chosen)


@dataclass
class Tally:
    """What has happened so far; faults are counted by their names."""

    images: int = 0
    calls: int = 0
    sessions: int = 0
    wrong: int = 0
    retries: int = 0
    injected: collections.Counter[str] = field(default_factory=collections.Counter)
    retried: collections.Counter[str] = field(default_factory=collections.Counter)
    raised: collections.Counter[str] = field(default_factory=collections.Counter)
    violations: list[str] = field(default_factory=list)
    resources: list[dict[str, int]] = field(default_factory=list)

    def expect(self, holds: bool, violation: str) -> None:
        """Note a violation, unless something holds."""
        if not holds:
            self.violations.append(f"session {self.sessions}, call {self.calls}: {violation}")

    def growth(self) -> dict[str, int]:
        """By how much more there is of each resource at the end than after the warm-up."""
        after = self.resources[WARM_UP_SESSIONS - 1 :]
        return {name: after[-1][name] - after[0][name] for name in after[0]} if after else {}


class Soak:
    """A run: what it works with, and its tally.

    Parameters
    ----------
    model
        The network.
    images
        uint8 (N, 28, 28), of which random ones are sent.
    kernel
        The simulated board's, ``hls``, ``numpy`` or ``rtl``.
    seed
        All that is random follows from it, but for what the clock decides.
    """

    def __init__(self, model: Model, images: npt.NDArray[np.uint8], kernel: str, seed: int) -> None:
        from pynq_ee.sim import SimulatedDevice

        self.model = model
        self.kernel = kernel
        self.make_fabric, self.faults, self.extent = _fabric(kernel)
        SimulatedDevice(model, kernel=kernel).close()  # compiles the kernel, where that has not been done
        self.verify = "all"
        self.seed = seed
        self.expected = expected(model, images)
        self.drawn = [name for name in self.faults if name != _EXHAUSTED]
        self.tally = Tally()
        self._random = np.random.default_rng(seed)
        self._left: Rows = np.empty(0, np.int64)
        self._fruitless = 0  # calls since the last image

    def run(self, images: int, seconds: float, progress: Any) -> dict[str, Any]:
        """Run sessions until so many images have come back or the time is over, and return the summary."""
        tally, begin = self.tally, time.monotonic()
        while tally.images < images and time.monotonic() - begin < seconds and self._fruitless < FRUITLESS_CALLS:
            self._session(images, begin + seconds, progress)
            tally.resources.append(_resources())
        taken = time.monotonic() - begin
        tally.expect(tally.images > 0, f"no image came back within {taken:.0f} s")
        growth = tally.growth()
        for name, amount in growth.items():
            limit = MEMORY_MARGIN_BYTES if name == "memory_bytes" else 0
            tally.expect(amount <= limit, f"{name} grew by {amount} since the warm-up, {limit} allowed")
        return {
            "machine": machine.describe(),
            "kernel": self.kernel,
            "seed": self.seed,
            "seconds": taken,
            **{name: getattr(tally, name) for name in ("images", "calls", "sessions", "wrong", "retries")},
            "faults": {
                name: {"injected": count, "retried": tally.retried[name], "raised": tally.raised[name]}
                for name, count in sorted(tally.injected.items())
            },
            "resources": tally.resources[-1] if tally.resources else _resources(),
            "growth": growth,
            "violations": tally.violations,
        }

    def _session(self, images: int, give_up: float, progress: Any) -> None:
        """One board and one network, from opening to closing; what it leaves undone is the next one's first call."""
        from pynq_ee.sim import SimulatedDevice

        tally, end = self.tally, self.tally.images + self.extent.session_images
        tally.sessions += 1
        with SimulatedDevice(self.model, kernel=self.make_fabric(self._random)) as device:
            if self._random.random() < FAULT_SHARE:
                self._open_without_memory(device)
            with self._open(device) as network:
                buffers, usable = device.live_buffers, True
                while usable and tally.images < min(end, images) and time.monotonic() < give_up:
                    before = tally.images
                    usable = self._call(network, device)
                    progress.update(tally.images - before)
                    self._fruitless = 0 if tally.images > before else self._fruitless + 1
                    if self._fruitless == FRUITLESS_CALLS:
                        tally.expect(False, f"{FRUITLESS_CALLS} calls in a row brought no image; it ends here")
                        usable = False
                    tally.expect(device.live_buffers == buffers, f"{device.live_buffers} buffers, {buffers} before")
            del network
            gc.collect()  # what only a circle of references holds is no leak
            tally.expect(device.live_buffers == 0, f"{device.live_buffers} buffers after closing")

    def _open(self, device: Any) -> EarlyExitInference:
        options = {
            "images_per_transfer": self.extent.capacity,
            "deadline_seconds": self.extent.deadline_seconds,
            "retries": RETRIES,
        }
        return EarlyExitInference(self.model, device=device, verify=self.verify, **options)  # type: ignore[arg-type]

    def _open_without_memory(self, device: Any) -> None:
        tally = self.tally
        with device.inject(_EXHAUSTED, batch=int(self._random.integers(1, 5))) as shot:
            try:
                self._open(device).close()
            except DeviceError:
                tally.raised[_EXHAUSTED] += 1
        tally.injected[_EXHAUSTED] += shot.hits
        gc.collect()
        tally.expect(tally.raised[_EXHAUSTED] == tally.injected[_EXHAUSTED], "no memory, and no DeviceError")
        tally.expect(device.live_buffers == 0, f"{device.live_buffers} buffers after an opening that failed")

    def _call(self, network: EarlyExitInference, device: Any) -> bool:
        """Classify some digits, with a fault now and then; return whether the network can still be used."""
        tally, random, counters = self.tally, self._random, network.accelerator.counters
        tally.calls += 1
        rows, self._left = self._left, self._left[:0]
        if not len(rows):
            rows = random.integers(len(self.expected.images), size=random.integers(1, self.extent.call_images + 1))
        batch = int(random.integers(1, self.extent.capacity + 1)) if random.random() < 0.5 else None
        sent, retries, images = len(rows), counters.retries, counters.images
        retries_due: int | None = 0
        if random.random() < FAULT_SHARE:
            name, times = str(random.choice(self.drawn)), None if random.random() < RAISED_SHARE else 1
            transfer = int(random.integers(1, -(-len(rows) // (batch or self.extent.capacity)) + 1))
            with device.inject(name, batch=transfer, times=times, seed=int(random.integers(1 << 32))) as shot:
                rows, error = self._predict(network, rows, batch)
            fault = self.faults[name]
            wanted = None if fault.retried and times == 1 else fault.error
            if fault.retried:
                retries_due = RETRIES
            elif fault.error is None:  # a slow fabric on a busy machine, or one that the next batch pays for
                retries_due = None
            tally.injected[name] += 1
            tally.retried[name] += counters.retries > retries
            tally.raised[name] += error is not None
            tally.expect(shot.hits > 0, f"{name!r} did not come")
            tally.expect(error is wanted, f"{name!r} (times {times}) ended with {error}, {wanted} is due")
        else:
            rows, error = self._predict(network, rows, batch)
            tally.expect(error is None, f"{error} without a fault")
        counted = counters.retries - retries
        tally.retries += counted
        tally.expect(retries_due in (None, counted), f"{counted} retries counted, {retries_due} are due")
        if error is None:
            tally.expect(counters.images - images == sent, f"{counters.images - images} images counted of {sent}")
        self._left = rows
        return error is None or not issubclass(error, IdentityError)

    def _predict(
        self, network: EarlyExitInference, rows: Rows, batch: int | None
    ) -> tuple[Rows, type[Exception] | None]:
        """Compare predictions as they come; return the rows that have none, and the error that is why."""
        try:
            for found in self._predictions(network, rows, batch):
                self.tally.wrong += self.expected.wrong(rows[: len(found)], found)
                self.tally.images += len(found)
                rows = rows[len(found) :]
        except PynqEEError as error:
            return rows, type(error)
        self.tally.expect(not len(rows), f"{len(rows)} images came back without a prediction")
        return rows[:0], None

    def _predictions(self, network: EarlyExitInference, rows: Rows, batch: int | None) -> Iterator[Prediction]:
        images = self.expected.images[rows]
        if batch is None:
            yield network.classify(images)
        else:
            yield from network.stream(iter(images), batch=batch)


class Extent(NamedTuple):
    """Images of a transfer, a call and a session, and seconds of a deadline."""

    capacity: int
    call_images: int
    session_images: int
    deadline_seconds: float


#: Where the circuit is simulated clock by clock. A batch takes a tenth of a second of the machine's time. A deadline
#: is of that time too: on a machine with much other work it has to be long.
RTL_EXTENT = Extent(capacity=32, call_images=100, session_images=400, deadline_seconds=10.0)


def _fabric(kernel: str) -> tuple[Callable[[np.random.Generator], Any], Mapping[str, Any], Extent]:
    """What makes a session's fabric, its faults, and how much goes through it.

    The overlay in RTL is simulated more slowly, in other conditions in each session: memory that stalls at random, time
    that passes at random between two looks, and a bystander who reads registers.
    """
    from pynq_ee.sim import faults, overlay_faults
    from pynq_ee.sim.overlay_library import Conditions
    from pynq_ee.sim.overlay_logic import OverlayFabric

    if kernel != "rtl":
        extent = Extent(CAPACITY, CALL_IMAGES, SESSION_IMAGES, DEADLINE_SECONDS)
        return lambda random: kernel, faults.FAULTS, extent

    def overlay(random: np.random.Generator) -> Callable[[Model], OverlayFabric]:
        conditions = Conditions(
            seed=int(random.integers(1 << 62)),
            latency=int(random.integers(100)),
            jitter=int(random.integers(150)),
            words=int(random.choice([0, 0, 400, 1200])),
            stall=float(random.choice([0, 0.1, 0.5])),
            register_stall=float(random.choice([0, 0.1, 0.5])),
        )
        look = None if random.random() < 0.25 else (1, int(random.integers(10, 4000)))
        bystander = float(random.choice([0, 0.001, 0.02]))
        return functools.partial(OverlayFabric, conditions=conditions, look=look, bystander=bystander)

    return overlay, overlay_faults.FAULTS, RTL_EXTENT


def _resources() -> dict[str, int]:
    """What this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "memory_bytes": pages * os.sysconf("SC_PAGE_SIZE"),
        "file_handles": sum(1 for _ in Path("/proc/self/fd").iterdir()),
        "threads": threading.active_count(),
    }


def report(summary: dict[str, Any]) -> str:
    """The summary as text."""
    resources, growth = summary["resources"], summary["growth"]
    kinds = ("injected", "retried", "raised")
    counts = {name: [each[kind] for kind in kinds] for name, each in summary["faults"].items()}
    counts["all"] = [sum(column) for column in zip(*counts.values())] or [0] * len(kinds)
    rows = [["fault", *kinds], *([name, *map(str, each)] for name, each in counts.items())]
    width = max(len(row[0]) for row in rows)
    lines = [f"{name:{width}}" + "".join(f"{cell:>10}" for cell in cells) for name, *cells in rows]
    lines += [
        "",
        f"{summary['images']:,} images in {summary['calls']:,} calls and {summary['sessions']:,} sessions, "
        f"{summary['seconds']:.0f} s, {summary['kernel']} kernel, seed {summary['seed']}",
        f"wrong: {summary['wrong']}; batches sent again: {summary['retries']}",
        f"memory: {resources['memory_bytes'] / 1e6:.0f} MB ({growth.get('memory_bytes', 0) / 1e6:+.1f} since the "
        f"warm-up), file handles: {resources['file_handles']} ({growth.get('file_handles', 0):+d}), "
        f"threads: {resources['threads']} ({growth.get('threads', 0):+d})",
    ]
    lines += [f"VIOLATION {line}" for line in summary["violations"]] or ["every promise is held"]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print the summary, and return 1 if anything was not as promised."""
    parser = programs.parser(COMMAND, __doc__)
    parser.add_argument("--images", type=whole(), default=1_000_000, help="end after so many (default 1000000)")
    parser.add_argument("--seconds", type=positive, default=math.inf, help="end after this time at the latest")
    parser.add_argument("--seed", type=whole(0), default=0, help="what is random follows from it (default 0)")
    parser.add_argument("--kernel", choices=sorted(SIMULATED.values()), default="hls", help="default: hls, compiled")
    parser.add_argument("--model", default=weights.DEFAULT, help="a shipped model's name, or a model file")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    options = parser.parse_args(arguments)
    try:
        from tqdm import tqdm
    except ImportError as error:
        raise SystemExit(f"the soak needs tqdm ({error}): pip install 'pynq_ee[bench]'") from error
    run = Soak(weights.load(options.model), datasets.available().images, options.kernel, options.seed)
    total = options.images if math.isinf(options.seconds) else None
    with tqdm(total=total, unit="images", unit_scale=True, mininterval=1) as progress:
        summary = run.run(options.images, options.seconds, progress)
    print(json.dumps(summary, indent=2) if options.json else report(summary))
    return 1 if summary["wrong"] or summary["violations"] else 0


if __name__ == "__main__":
    sys.exit(status(COMMAND, main))
