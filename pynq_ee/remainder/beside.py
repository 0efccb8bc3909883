"""The remainder of one batch beside the work on the batches after it; and the outcomes in order.

Threads of the native engine compute it, outside of the interpreter, which the driver's thread has for itself meanwhile.
Where that would wait for them, it takes what they have not begun.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from pynq_ee.remainder.native import Workers

Outcome = TypeVar("Outcome")


class Task(Generic[Outcome]):
    """Work of which a part has been handed over; ``finish`` sees to the rest, and returns the outcome."""

    def __init__(self, finish: Callable[[], Outcome]) -> None:
        self.finish = finish


class Beside:
    """Workers, made when they are first needed, and anew in a fork.

    Parameters
    ----------
    threads
        Of them, at least 1.
    """

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads
        self._workers: Workers | None = None
        self._process = 0
        self._closed = False

    @property
    def workers(self) -> Workers:
        """Those of this process."""
        if self._workers is None or self._process != os.getpid():
            from pynq_ee.remainder.native import Workers

            self._workers, self._process = Workers(self._threads), os.getpid()
        return self._workers

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
                    yield late.finish()
                raise
            if late is not None:
                yield late.finish()
            if outcome is None:
                return
            if isinstance(outcome, Task):
                late = outcome
            else:
                late = None
                yield outcome

    def close(self) -> None:
        """Wait for what has been handed over, and end the threads. May be called twice."""
        self._closed = True
        if self._workers is not None:
            self._workers.close()
