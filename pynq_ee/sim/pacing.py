"""A fabric with time of its own: a thread in which it works while the host goes on.

Without it, everything in the simulated fabric happens within the register access that makes it possible. With it, a
batch is complete when it has been computed *and* the time has passed that its modelled clocks take, stretched by a
factor: the *pace*. Compiled kernels compute with Python's lock released, so that host and fabric really overlap.

That time is the least that a batch takes. The simulation adds its own: it copies, compares and computes, and its thread
waits for its turn. The larger the pace, the less of the whole is that.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pynq_ee.network.weights import Model
from pynq_ee.sim.kernel import Kernel, Run


class RunLostError(Exception):
    """The circuit was reset, replaced or switched off while it worked; nothing of the run remains."""


class Worker:
    """The thread.

    Parameters
    ----------
    name
        Of the thread.
    settle
        Lets everything happen in the fabric that can happen. Called with the lock held; it may give the lock up
        meanwhile, by :meth:`paced`.
    """

    def __init__(self, name: str, settle: Callable[[], None]) -> None:
        self.lock = threading.RLock()  # itself, and not the condition, whose release an interrupt can come before
        self._changed = threading.Condition(self.lock)
        self.on_batch: Callable[[float, float, int], None] | None = None
        self._settle = settle
        self._failure: BaseException | None = None
        self._woken = 0.0
        self._stopped = False
        self._process = os.getpid()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def start(self) -> None:
        """Switch the fabric on, if it is not."""
        if not self._thread.is_alive():
            self._thread.start()

    def wake(self) -> None:
        """Let the fabric look at what has changed; with the lock held."""
        self._woken = time.perf_counter()
        self._changed.notify_all()

    def check(self) -> None:
        """Raise what went wrong in the fabric, if anything did; with the lock held."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def stop(self) -> None:
        """Switch the fabric off, and wait until its thread has ended. May be called twice.

        A fork has no such thread, and its copy of the lock may never come free.
        """
        if os.getpid() != self._process:
            return
        with self.lock:
            self._stopped = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        with self.lock:
            while not self._stopped:
                try:
                    self._settle()
                except RunLostError:
                    continue  # what there is now is to be looked at
                except Exception as error:  # a kernel's: raised where the host touches a register next
                    self._failure = error
                if not self._stopped:
                    self._changed.wait()

    def paced(self, kernel: Kernel, seconds: Callable[[int, int], float], state: Callable[[], object]) -> Kernel:
        """A kernel that takes its time, with the lock free meanwhile.

        Parameters
        ----------
        kernel
            What computes. It is given copies, since a buffer may be freed meanwhile.
        seconds
            Wall time of a run by its images and mode.
        state
            What differs, once the circuit has been reset or replaced.
        """

        def run(
            beats: npt.NDArray[np.uint8], last: npt.NDArray[np.uint8], images: int, mode: int, margin: int
        ) -> Run | None:
            before, begin = state(), self._woken  # a circuit does not wait for a thread to be scheduled
            beats, last = beats.copy(), last.copy()
            self.lock.release()
            try:
                result = kernel(beats, last, images, mode, margin)
            finally:
                self.lock.acquire()
            end = begin + seconds(images, mode) if result and images else begin  # an empty run only publishes
            while not self._stopped and state() == before and (left := end - time.perf_counter()) > 0:
                self._changed.wait(left)
            if self._stopped or state() != before:
                raise RunLostError
            if result and images and self.on_batch:
                self.on_batch(begin, time.perf_counter(), images)
            return result

        return run


def remembering(make: Callable[[Model], Kernel]) -> Callable[[Model], Kernel]:
    """A kernel that computes a batch once, and has its results at once when the same batch comes again.

    What then remains of a paced batch is the modelled time alone, also where to compute it would take longer.

    Parameters
    ----------
    make
        Makes the kernel that computes.
    """

    def remembered(model: Model) -> Kernel:
        kernel = make(model)
        known: list[tuple[npt.NDArray[np.uint8], tuple[int, int, int], Run]] = []

        def run(
            beats: npt.NDArray[np.uint8], last: npt.NDArray[np.uint8], images: int, mode: int, margin: int
        ) -> Run | None:
            for earlier, registers, result in known:
                if registers == (images, mode, margin) and np.array_equal(earlier, beats):
                    return result
            found = kernel(beats, last, images, mode, margin)
            if found is not None:
                known.append((beats.copy(), (images, mode, margin), found))
            return found

        return run

    remembered.__name__ = f"remembered {make.__name__.removesuffix('_kernel')}"
    return remembered
