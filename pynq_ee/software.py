"""The first exit in software: what takes the accelerator's place where no board is to have a part.

``EarlyExitInference(device="software")`` is the whole network on this machine's processor: by the native engine, or by
NumPy where that was not compiled. There is no pynq in it, no simulation and nothing modelled.

A batch is computed where its owner waits for it: in the caller's own thread, or, for a coroutine, in a thread of the
event loop's pool.
"""

from __future__ import annotations

import asyncio
import math
import os
import threading
import time
import weakref
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pynq_ee import remainder
from pynq_ee.data.images import SHAPE
from pynq_ee.driver.pipeline import Completion
from pynq_ee.driver.results import Results
from pynq_ee.driver.slots import IN_FLIGHT, lendable
from pynq_ee.errors import DeviceError, InputError, TransferError, whole_number
from pynq_ee.network.spec import FEATURES_ALWAYS
from pynq_ee.network.weights import Model

#: The device's name.
DEVICE = "software"

#: Images that are computed at once where nothing else is asked for, as many as one transfer to a board carries.
IMAGES_AT_ONCE = 1024

#: Options of EarlyExitInference that say something of a board, and why they say nothing here.
NO_BOARD = {
    "bitfile": "no bitstream is loaded",
    "features": "the features are there without a transfer",
    "deadline_seconds": "nothing is waited for that might not come",
    "retries": "nothing is sent that might fail",
    "verify": "nothing is sent that could be verified",
}


class Device(NamedTuple):
    """This machine's processor, with what a user is told of it."""

    name: str


class Batch:
    """A batch: its images ``pixels``, its results once they are computed, and when that was (``time.perf_counter``)."""

    def __init__(self, pixels: npt.NDArray[np.uint8]) -> None:
        self.pixels = pixels
        self.results: Results | None = None
        self.started = self.completed = 0.0


class FirstExit:
    """The first exit of a network in software, as a :class:`~pynq_ee.driver.pipeline.Pipeline` uses it.

    Parameters
    ----------
    model
        The network.
    engine
        A name in :data:`pynq_ee.remainder.ENGINES`; the first exit is on it if it has one, else on the default engine.
    threads
        That share a batch, at least 1.
    images_at_once
        Images of a batch, at most. None: :data:`IMAGES_AT_ONCE`.

    Raises
    ------
    InputError
        A number that cannot be.
    ToolError
        An engine that is not installed.
    """

    def __init__(self, model: Model, engine: str, threads: int = 1, images_at_once: int | None = None) -> None:
        used = engine if remainder.ENGINES[engine].first_exit else remainder.default()
        self._compute = remainder.first_exit(used, model, threads if remainder.ENGINES[used].threads else 1)
        self.device = Device(f"{DEVICE} ({described(used)})")
        self.capacity = (
            IMAGES_AT_ONCE if images_at_once is None else whole_number("images_per_transfer", images_at_once, least=1)
        )
        self._running: Batch | None = None
        self._buffers = [np.empty((0, *SHAPE), np.uint8)] * 2  # of the batch that is computed, and of the next one
        self._lent: set[int] = set()  # where those begin that users write to
        self._closed = False
        self._lock = threading.Lock()  # a thread of the pool goes on with a batch that its coroutine has left
        _every.add(self)

    @property
    def completion(self) -> Completion:
        """What a coroutine awaits: a thread computes meanwhile."""
        return _Thread(self)

    @property
    def patience(self) -> float:
        """Seconds until the deadline: there is none."""
        return math.inf

    def check_loaded(self) -> None:
        """See that it is open.

        Raises
        ------
        DeviceError
            It is not.
        """
        if self._closed:
            raise DeviceError("this EarlyExitInference is closed; make another one")

    def fill(self, images: npt.NDArray[np.uint8], margin: int = FEATURES_ALWAYS) -> Batch:
        """A batch of images uint8 (n, 28, 28), 1 to ``capacity`` of them. The features of all of them come with it.

        They are copied, but for those in a slot.

        Raises
        ------
        InputError
            Too many images, or none; or a slot whose images are still to be computed.
        """
        self.check_loaded()
        if not 1 <= len(images) <= self.capacity:
            raise InputError(f"{len(images)} images for a batch of 1 to {self.capacity}")
        if self._lent and images.flags.c_contiguous and images.ctypes.data in self._lent:
            if self._running and self._running.pixels.ctypes.data == images.ctypes.data:
                raise InputError(IN_FLIGHT)
            return Batch(images)
        free = 1 if self._running and self._running.pixels.base is self._buffers[0] else 0
        if len(self._buffers[free]) < len(images):
            self._buffers[free] = np.empty((len(images), *SHAPE), np.uint8)
        pixels = self._buffers[free][: len(images)]
        pixels[:] = images
        return Batch(pixels)

    def lend(self, images: int, cacheable: bool = True) -> Batch:
        """Memory for 1 to ``capacity`` images, to be written to and given to :meth:`fill`; it always is cacheable.

        Raises
        ------
        InputError
            Another number of images.
        DeviceError
            It is closed.
        """
        self.check_loaded()
        batch = Batch(np.empty((lendable(images, self.capacity), *SHAPE), np.uint8))
        self._lent.add(batch.pixels.ctypes.data)
        return batch

    def take_back(self, batch: Batch) -> None:
        """End a loan. What is computed of its images goes on."""
        self._lent.discard(batch.pixels.ctypes.data)

    def start(self, batch: Batch) -> None:
        """Let a batch be the one that is computed next."""
        self._running = batch

    def advance(self, batch: Batch, following: Batch | None = None) -> bool:
        """See whether a started batch is computed; if it is, start the one that follows it.

        Raises
        ------
        TransferError
            The batch is not the one that was started last.
        """
        if self._running is not batch:
            raise TransferError("the batch was given up: another call came between, or closed the object")
        if batch.results is None:
            return False
        self._running = following
        return True

    def collect(self, batch: Batch) -> Results | None:
        """The results of a batch."""
        return batch.results

    def finish(self, batch: Batch) -> Results:
        """Compute a started batch, and return its results."""
        self._run(batch)
        self._running = None
        assert batch.results is not None
        return batch.results

    def pause(self) -> None:
        """Compute the batch that is started."""
        if (batch := self._running) is not None:
            self._run(batch)

    def abandon(self) -> None:
        """Give up the batch that is started."""
        self._running = None

    def fabric_clocks(self, images: int) -> int | None:
        """Clocks of a batch in the fabric: None, for there is no fabric."""
        return None

    def close(self) -> None:
        """Take no more images. May be called twice."""
        self.abandon()
        self._closed = True

    def _run(self, batch: Batch) -> None:
        with self._lock:
            if batch.results is not None:
                return
            batch.started = time.perf_counter()
            features, logits = self._compute(batch.pixels)
            batch.completed = time.perf_counter()
            places = np.arange(len(features), dtype=np.intp) * features.shape[1]
            batch.results = Results(logits, features.reshape(-1), places)


class _Thread:
    """Computes in a thread of the event loop's pool, while other tasks run."""

    how = "a thread of the event loop's pool, no fabric"

    def __init__(self, first_exit: FirstExit) -> None:
        self._first_exit = first_exit

    async def wait(self, seconds: float) -> None:
        """Return when the batch is computed."""
        await asyncio.get_running_loop().run_in_executor(None, self._first_exit.pause)


_every: weakref.WeakSet[FirstExit] = weakref.WeakSet()


def _renew() -> None:
    """In a fork, the thread that held a lock is not there to release it."""
    for first_exit in list(_every):
        first_exit._lock = threading.Lock()


os.register_at_fork(after_in_child=_renew)


def refuse(options: dict[str, Any], defaults: dict[str, Any]) -> None:
    """Refuse options that only a board has.

    Raises
    ------
    InputError
        One of them is not its default.
    """
    for name, reason in NO_BOARD.items():
        if options[name] != defaults[name]:
            raise InputError(f"{name} is {options[name]!r}, but device is {DEVICE!r}, where {reason}; leave {name} out")


def described(engine: str) -> str:
    """An engine as users are told of it."""
    if engine != "native":
        return "NumPy"
    from pynq_ee.remainder import native

    return f"native engine, {native.INSTRUCTION_SETS[0]}"
