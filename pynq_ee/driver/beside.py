"""Work on one batch in a thread of its own, beside that on the batches after it; and the outcomes in order.

The thread and the driver's compete for the interpreter, so only what computes outside of it, as the native engine does,
uses a second core.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Outcome = TypeVar("Outcome")


class Task(Generic[Outcome]):
    """Work that has been handed over. It may be done twice without harm."""

    def __init__(self, work: Callable[[], Outcome], future: Future[Outcome]) -> None:
        self._work, self._future, self._process = work, future, os.getpid()

    def result(self) -> Outcome:
        """Wait for it: what it returned, or its error. In a fork, where its thread is not, it is done here."""
        return self._future.result() if self._process == os.getpid() else self._work()


class Beside:
    """One thread, started when it is first needed, that does what it is given in order."""

    def __init__(self) -> None:
        self._executor: ThreadPoolExecutor | None = None
        self._process = 0
        self._closed = False

    def submit(self, work: Callable[[], Outcome]) -> Task[Outcome]:
        """Hand work over."""
        if self._executor is None or self._process != os.getpid():
            self._executor, self._process = ThreadPoolExecutor(1, "pynq_ee remainder"), os.getpid()
        return Task(work, self._executor.submit(work))

    def in_order(self, outcomes: Iterator[Outcome | Task[Outcome]]) -> Iterator[Outcome]:
        """The outcomes, those of tasks too: such a one comes when the outcome after it is there, or there is none.

        An error of ``outcomes`` is raised after what came before it, unless this has been closed.
        """
        late: Task[Outcome] | None = None
        while True:
            try:
                outcome = next(outcomes, None)
            except Exception:
                if late is not None and not self._closed:
                    yield late.result()
                raise
            if late is not None:
                yield late.result()
            if outcome is None:
                return
            if isinstance(outcome, Task):
                late = outcome
            else:
                late = None
                yield outcome

    def close(self) -> None:
        """Wait for the work, and end the thread. May be called twice."""
        self._closed = True
        if self._executor is not None and self._process == os.getpid():
            self._executor.shutdown()
