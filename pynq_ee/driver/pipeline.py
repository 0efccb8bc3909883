"""The order of things when batches follow each other, and turns for callers that share one accelerator.

A step of a pipeline fills a slot with the next batch while the fabric works on the one before, waits for that, starts
the next, and uses what the finished one brought while the fabric works again::

    host     fill 1 | start 1, fill 2 | wait | start 2 | collect 1, use 1, fill 3 | wait | start 3 | ...
    fabric                    | batch 1 .....|         | batch 2 .......................|         | batch 3

**Turns.** A step holds the lock of its accelerator's :class:`Turns`. Between two steps (a stream's caller works, a
coroutine awaits) the lock is free, and a batch may be in the fabric. Whoever comes then finishes that batch first and
keeps its results for its owner, so nothing is computed twice and nobody has to come back for others to go on. At the
start of a turn the fabric therefore holds a batch of the caller or none: one that an interrupted caller left is ended.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from pynq_ee.driver.interrupts import POLL_SECONDS
from pynq_ee.driver.results import Results
from pynq_ee.errors import PynqEEError
from pynq_ee.network.spec import FEATURES_ALWAYS
from pynq_ee.trace import IN_FLIGHT, Stopwatch

Chunk = npt.NDArray[np.uint8]
Outcome = TypeVar("Outcome")

#: Longest time that a thread gives way to coroutines, should their event loop be busy with other things.
_GIVE_WAY_SECONDS = 0.1

_every: weakref.WeakSet[Turns] = weakref.WeakSet()


class Turns:
    """Whose turn it is on one accelerator."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.current: Pipeline | None = None
        self._waiting: list[asyncio.AbstractEventLoop] = []  # of the coroutines that look for the lock
        self._queues: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = weakref.WeakKeyDictionary()
        _every.add(self)

    def give_way(self) -> None:
        """Let the coroutines of other threads that wait for the lock have it first. For a thread that does not have it.

        They look for it now and then, and threads that take turns would never leave it free for long enough.
        """
        if not self._waiting:
            return
        own = asyncio._get_running_loop()
        give_up = time.monotonic() + _GIVE_WAY_SECONDS
        while any(loop is not own and loop.is_running() for loop in self._waiting) and time.monotonic() < give_up:
            time.sleep(POLL_SECONDS)

    def queue(self) -> asyncio.Lock:
        """Where the coroutines of the running event loop wait for each other, in order."""
        return self._queues.setdefault(asyncio.get_running_loop(), asyncio.Lock())

    async def acquire(self) -> None:
        """Take the lock without blocking the event loop while a thread has it."""
        loop = asyncio.get_running_loop()
        self._waiting.append(loop)
        try:
            while not self.lock.acquire(blocking=False):
                await asyncio.sleep(POLL_SECONDS)
        finally:
            self._waiting.remove(loop)

    def release(self) -> None:
        """Undo :meth:`acquire`, also where an interrupt came before it returned."""
        if self.lock._is_owned():  # type: ignore[attr-defined]
            self.lock.release()


def _renew() -> None:
    """In a fork, whoever held a lock is not there to release it. What the child may do, the accelerator tells it."""
    for turns in list(_every):
        turns.lock = threading.RLock()


os.register_at_fork(after_in_child=_renew)


class Completion(Protocol):
    """What a coroutine awaits between two looks."""

    @property
    def how(self) -> str:
        """What it waits for, in words."""

    async def wait(self, seconds: float) -> None:
        """Return when the batch may be complete, at the latest after ``seconds``."""


class FirstExit(Protocol):
    """What computes the first exit of batches, one after the other, as a pipeline uses it.

    Of a board that is the :class:`~pynq_ee.driver.accelerator.Accelerator`, whose methods say what each of these does.
    Its slots are its own; a pipeline reads of them only ``pixels``, ``started`` and ``completed``.
    """

    @property
    def completion(self) -> Completion: ...
    @property
    def patience(self) -> float: ...

    def check_loaded(self) -> None: ...
    def fill(self, images: Chunk, margin: int) -> Any: ...
    def start(self, slot: Any) -> None: ...
    def advance(self, slot: Any, following: Any = None) -> bool: ...
    def pause(self) -> None: ...
    def collect(self, slot: Any) -> Results | None: ...
    def finish(self, slot: Any) -> Results: ...
    def abandon(self) -> None: ...


class _Sent(NamedTuple):
    """A batch on its way: its number, and its slot, which holds its images."""

    number: int
    slot: Any


class _Kept(NamedTuple):
    """A batch that was finished for its owner: its images and its results, copies both."""

    pixels: Chunk
    results: Results


class Pipeline(Generic[Outcome]):
    """One caller's sequence of batches.

    Parameters
    ----------
    accelerator
        What they go through.
    turns
        The accelerator's.
    use
        Called with each batch's number, images and results, in order, while the next batch is in the fabric. It
        returns what is yielded, never None; what it keeps of images and features must be a copy.
    watch
        Takes the time of each stage.
    margin
        Gives the register ``feature_margin`` of the next batch. None: features of every image.
    """

    def __init__(
        self,
        accelerator: FirstExit,
        turns: Turns,
        use: Callable[[int, Chunk, Results], Outcome],
        watch: Stopwatch,
        margin: Callable[[], int] | None = None,
    ) -> None:
        self._accelerator = accelerator
        self._turns = turns
        self._use = use
        self._watch = watch
        self._margin = margin or (lambda: FEATURES_ALWAYS)
        self._ahead: _Sent | None = None  # in the fabric, or complete
        self._kept: _Kept | PynqEEError | None = None  # what became of it, where another caller saw to that

    def once(self, chunk: Chunk) -> Outcome:
        """What ``use`` makes of one batch, which is all that is sent."""
        accelerator, watch = self._accelerator, self._watch
        with self._turns.lock:
            slot = self._fill(0, chunk)
            begin = time.perf_counter()
            accelerator.start(slot)
            while True:
                while not accelerator.advance(slot):
                    accelerator.pause()
                begin = watch.note("fabric", 0, begin)
                results = accelerator.collect(slot)
                begin = watch.note("collect", 0, begin)
                if results is not None:
                    break
            self._turns.current = None
            if watch.trace:
                watch.trace.add(IN_FLIGHT, "batch", 0, slot.started, slot.completed)
            return self._use(0, slot.pixels, results)

    def run(self, chunks: Iterable[Chunk], first: int = 0) -> Iterator[Outcome]:
        """Send chunks, and yield what ``use`` made of each, in order. ``chunks`` is read without holding the lock.

        Parameters
        ----------
        chunks
            Each is copied into the memory of a slot before the next one is read.
        first
            The number of the first one.
        """
        for number, chunk in enumerate(itertools.chain(chunks, [None]), first):
            with self._turns.lock:
                filled = self._begin(number, chunk)
                outcome = None
                while self._ahead or filled:
                    begin = time.perf_counter()
                    while not self._ready(filled):
                        self._accelerator.pause()
                    self._watch.note("fabric", self._ahead.number if self._ahead else number, begin)
                    done, outcome = self._end(filled)
                    if done:
                        break
                if chunk is None:
                    self._turns.current = None
            if outcome is not None:
                yield outcome

    async def run_async(self, chunks: Iterable[Chunk]) -> AsyncIterator[Outcome]:
        """As :meth:`run`, but the fabric is awaited, with the lock free meanwhile.

        The stage ``fabric`` counts the host's own work only. The caller has its place in :meth:`Turns.queue`.
        """
        for number, chunk in enumerate(itertools.chain(chunks, [None])):
            filled: _Sent | None = None
            outcome, done, begun = None, False, False
            while not done:
                try:
                    await self._turns.acquire()
                    if not begun or self._turns.current is not self:  # what was filled may be another's by now
                        filled, begun = self._begin(number, chunk), True
                    begin = time.perf_counter()
                    ready = self._ready(filled)
                    self._watch.note("fabric", self._ahead.number if self._ahead else number, begin)
                    if ready:
                        done, outcome = self._end(filled)
                    if done and chunk is None:
                        self._turns.current = None
                finally:
                    self._turns.release()
                # A fast fabric must not keep other tasks from running.
                await (asyncio.sleep(0) if done else self._accelerator.completion.wait(self._accelerator.patience))
            if outcome is not None:
                yield outcome

    # One step, with the lock held -------------------------------------------------------------------------------

    def _begin(self, number: int, chunk: Chunk | None) -> _Sent | None:
        """Take the turn, and fill a slot with the chunk, if there is one."""
        if chunk is not None:
            return _Sent(number, self._fill(number, chunk))
        self._take_turn()
        return None

    def _fill(self, number: int, chunk: Chunk) -> Any:
        """Take the turn, and fill a slot."""
        self._take_turn()
        begin = time.perf_counter()
        slot = self._accelerator.fill(chunk, self._margin())
        self._watch.note("input", number, begin)
        return slot

    def _take_turn(self) -> None:
        other = self._turns.current
        if other is not self:
            if other is not None:
                other._keep()
            self._accelerator.abandon()
            self._turns.current = self

    def _ready(self, filled: _Sent | None) -> bool:
        """Whether the batch ahead is complete, or there is none; if so, the filled one has been started."""
        if isinstance(self._kept, PynqEEError):
            raise self._kept
        following = filled.slot if filled else None
        if self._ahead and self._kept is None:
            return self._accelerator.advance(self._ahead.slot, following)
        if following:
            self._accelerator.start(following)
        return True

    def _end(self, filled: _Sent | None) -> tuple[bool, Outcome | None]:
        """Collect the batch ahead and use it. Not done: it was wrong, is in the fabric again, and to be awaited."""
        ahead, kept = self._ahead, self._kept
        if ahead is None:
            self._ahead = filled
            return True, None
        if isinstance(kept, _Kept):
            pixels, results = kept
        else:
            begin = time.perf_counter()
            collected = self._accelerator.collect(ahead.slot)
            self._watch.note("collect", ahead.number, begin)
            if collected is None:
                return False, None
            pixels, results = ahead.slot.pixels, collected
            if self._watch.trace:
                self._watch.trace.add(IN_FLIGHT, "batch", ahead.number, ahead.slot.started, ahead.slot.completed)
        self._ahead, self._kept = filled, None
        return True, self._use(ahead.number, pixels, results)

    def _keep(self) -> None:
        """Finish the batch in the fabric for its owner, because another caller has come."""
        if self._ahead is None or self._kept is not None:
            return
        try:
            self._accelerator.check_loaded()
            results = self._accelerator.finish(self._ahead.slot).kept()
            self._kept = _Kept(self._ahead.slot.pixels.copy(), results)
        except PynqEEError as error:  # raised where its owner comes back
            self._kept = error
