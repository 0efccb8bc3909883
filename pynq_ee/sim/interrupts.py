"""The simulated board's interrupt to the processor, where pynq keeps its UIO devices.

pynq's interrupt controller driver asks a UIO device, by the number of the interrupt line, for a call when the line is
high; on a board that is a file of ``/dev`` in the event loop. This stands in its place, under a line number that no
board has, and different for each simulated one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from pynq.interrupt import _InterruptController

#: Beyond the lines of any board.
_FIRST_LINE = 1 << 20


class SimulatedUio:
    """One interrupt line, as far as pynq's ``UioController`` goes.

    Parameters
    ----------
    number
        Of the board, for a line of its own.
    look
        Called when somebody waits: it is to call :meth:`update`.
    """

    def __init__(self, number: int, look: Callable[[], None]) -> None:
        self.line = _FIRST_LINE + number
        self._look = look
        self._events: list[Any] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        _InterruptController._uio_devices[self.line] = self

    def add_event(self, event: Any, number: int) -> None:
        """Set ``event`` once, in the running event loop, when the line is high; what pynq calls."""
        self._events.append(event)
        self._loop = asyncio.get_running_loop()
        self._look()

    def update(self, level: Callable[[], bool]) -> None:
        """See whether the line is high; from any thread. A high line that was waited for is masked, as on a board."""
        if self._loop is not None and level():
            loop, self._loop = self._loop, None
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        events, self._events = self._events, []
        for event in events:
            event.set()

    def close(self) -> None:
        """Take the line away from pynq."""
        _InterruptController._uio_devices.pop(self.line, None)
