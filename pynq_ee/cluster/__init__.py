"""Several boards as one: a thin layer on ``dask.distributed``, one actor a board.

On the host, start a scheduler; on each board, one worker with one thread::

    dask scheduler                                                      # on the host
    dask worker tcp://host:8786 --nworkers 1 --nthreads 1 --memory-limit 0 --no-dashboard   # on each board, as root

Then, on the host::

    from pynq_ee.cluster import Cluster

    with Cluster("tcp://host:8786") as cluster:
        prediction = cluster.classify(images)  # uint8 (N, 28, 28): the same Prediction as of one board
        for prediction in cluster.stream(camera, batch=256):  # in order
            ...

A number instead of an address starts that many workers on this machine, for trying it out without boards (in a
script, below ``if __name__ == "__main__":``, since the workers are new processes that import it)::

    with Cluster(2, device="sim-numpy") as cluster:
        print(cluster.classify(images).device)

How batches are shared out: a board is given its next batch when it has returned one, and holds ``in_flight`` of them
at most. So each gets batches in proportion to the rate at which it returns them, and no rate need be estimated.

How none is lost: a batch belongs to the host until its prediction is there. When a board fails (its worker is killed,
its network is gone, its driver raises, its deadline passes), it gets no more work, and what it held goes to the others
first. A worker that joins later, or starts again, is a new board, and is used from then on.

The workers of the scheduler are taken to be boards, all of them. Host and boards need the same versions of Python (its
minor version), dask and pynq_ee; pynq and NumPy may differ, since no object of theirs but plain arrays travels. Whoever
reaches the scheduler can run any code on every worker: keep it in a network of its own, or give ``dask scheduler`` and
``dask worker`` a certificate (``--tls-ca-file``, ``--tls-cert``, ``--tls-key``), and the cluster a
``distributed.security.Security`` with the same.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import tempfile
import time
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import pynq_ee
from pynq_ee.cluster.board import Board
from pynq_ee.cluster.sharing import LOOK_SECONDS, Future, Images, Sharing
from pynq_ee.cluster.workers import connect
from pynq_ee.data import batches
from pynq_ee.data.images import in_parts, to_images
from pynq_ee.errors import DeviceError, finite_seconds, whole_number
from pynq_ee.network import weights
from pynq_ee.network.weights import Model
from pynq_ee.prediction import Prediction, concatenate

__all__ = ["Board", "Cluster"]

#: How long the boards are given to free their buffers, all together.
_CLOSE_SECONDS = 10.0


class Cluster:
    """Boards that share the work.

    Parameters
    ----------
    boards
        Address of a dask scheduler; a ``distributed.Client``, which stays open afterwards; or a number of workers to
        start on this machine.
    model
        As for :class:`~pynq_ee.inference.EarlyExitInference`. It is read here and sent to the boards.
    device
        What each worker opens. None: the board that it runs on. ``"sim"``, ``"sim-numpy"``: a simulated one of its
        own. Or a function of the model, called on the worker, that makes a pynq device.
    in_flight
        Batches at a board, at most: one that it works on, and others so that it need not wait for the network.
    deadline_seconds
        Longest time from sending a batch to its prediction, the batches before it at the same board included. A board
        that takes longer is used no more.
    start_seconds
        Longest time for the first worker to join, and for the boards to open their devices.
    security
        ``distributed.security.Security``, for a scheduler with TLS.
    options
        Other arguments of :class:`~pynq_ee.inference.EarlyExitInference`: ``threshold``, ``remainder``, ..

    Raises
    ------
    DeviceError
        No scheduler, no worker, or no board that could be opened; the message says why for each.
    ToolError
        ``distributed`` is not installed.
    InputError
        ``boards`` is none of these, or ``in_flight`` no whole number, 1 or more, or a time not finite.
    """

    def __init__(
        self,
        boards: Any,
        *,
        model: str | Path | Model = weights.DEFAULT,
        device: Any = None,
        in_flight: int = 2,
        deadline_seconds: float = 60.0,
        start_seconds: float = 120.0,
        security: Any = None,
        **options: Any,
    ) -> None:
        self.in_flight = whole_number("in_flight", in_flight, least=1)
        self.deadline_seconds = finite_seconds("deadline_seconds", deadline_seconds)
        self.start_seconds = finite_seconds("start_seconds", start_seconds)
        self._arguments = (pynq_ee.__version__, _content(model), device, options)
        self._boards: dict[str, Board] = {}
        self._opening: list[Future[None]] = []
        self._looked = 0.0
        self._closed = False
        self._owned = ExitStack()
        try:
            self._client = connect(boards, security, self.start_seconds, self._owned)
            _, opening = self._look()
            concurrent.futures.wait(opening)
            if not self._live():
                raise DeviceError(f"no board could be opened. {self._reasons()}")
        except BaseException:
            self.close()
            raise

    @property
    def boards(self) -> list[Board]:
        """The boards so far, those that are lost included."""
        return [board for board in self._boards.values() if board.live or board.lost]

    def classify(self, images: Any, *, batch: int = 256, **reading: Any) -> Prediction:
        """Classify one image or many; parameters and errors are those of :meth:`stream`.

        ``device`` of the result names every board that had a part in it; ``seconds`` sums their times, which overlap.
        """
        parts = list(self.stream([to_images(images, **reading)], batch=batch))
        return concatenate(parts).computed_on(", ".join(sorted({part.device for part in parts})))

    def stream(self, images: Iterable[Any], *, batch: int = 256, **reading: Any) -> Iterator[Prediction]:
        """Classify images as they come, in order, with bounded memory.

        Parameters
        ----------
        images
            Any iterable of what :func:`~pynq_ee.data.images.to_images` takes. No more than ``2 * in_flight`` batches
            for each board are read ahead of what has been yielded: a slow board holds up the others only when they are
            that far ahead of it.
        batch
            Images that are sent at once.
        reading
            ``unit_floats``, ``fit`` and ``invert``, as for :func:`~pynq_ee.data.images.to_images`.

        Yields
        ------
        Prediction
            One for each batch; ``device`` names the board.

        Raises
        ------
        DeviceError
            No board is left; the message names the images whose prediction has not been yielded, and why each board
            failed.
        InputError
            Images that cannot be taken.
        """
        return (prediction for _, prediction in self._run(images, batch, reading, ordered=True))

    def as_completed(
        self, images: Iterable[Any], *, batch: int = 256, **reading: Any
    ) -> Iterator[tuple[range, Prediction]]:
        """As :meth:`stream`, but each batch as soon as it is there, with its images' positions in the input."""
        return self._run(images, batch, reading, ordered=False)

    def close(self) -> None:
        """Free the boards, and end what was started here. May be called twice."""
        if self._closed:
            return
        self._closed = True
        with self._owned:
            concurrent.futures.wait([self._submit(board.close()) for board in self._live()], timeout=_CLOSE_SECONDS)
            self._boards.clear()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(
        self, images: Iterable[Any], batch: int, reading: dict[str, Any], ordered: bool
    ) -> Iterator[tuple[range, Prediction]]:
        """Refuse what can be refused at once, and leave the rest to :class:`Sharing`."""
        if self._closed:
            raise DeviceError("this Cluster is closed; make another one")
        whole_number("batch", batch, least=1)
        source = batches.gather((to_images(item, **reading) for item in in_parts(images, batch)), batch)
        return Sharing(self._look, self._send, self._reasons, self.in_flight).run(source, ordered)

    def _look(self) -> tuple[list[Board], list[Future[None]]]:
        """The live boards, and those that are being opened: workers that have joined since the last look among them."""
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            try:
                workers = self._client.nthreads()
            except OSError as error:
                raise DeviceError(f"the scheduler does not answer any more ({error}); start it again") from error
            for address in workers.keys() - self._boards.keys():
                board = self._boards[address] = Board(address)
                self._opening.append(self._submit(board.open(self._client, self._arguments, self.start_seconds)))
            self._looked = time.monotonic()
        self._opening = [future for future in self._opening if not future.done()]
        return self._live(), self._opening

    def _live(self) -> list[Board]:
        return [board for board in self._boards.values() if board.live]

    def _send(self, board: Board, images: Images) -> Future[tuple[Prediction, float]]:
        return self._submit(board.classify(images, self.deadline_seconds))

    def _submit(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Run a coroutine in the loop of the client."""
        return asyncio.run_coroutine_threadsafe(work, self._client.loop.asyncio_loop)

    def _reasons(self) -> str:
        return "Lost: " + "; ".join(f"{board.address}: {board.lost}" for board in self.boards if board.lost)


def _content(model: str | Path | Model) -> bytes:
    """The model's file."""
    with tempfile.TemporaryDirectory() as folder:
        loaded = model if isinstance(model, Model) else weights.load(model)
        return weights.save(loaded, Path(folder) / "model.npz").read_bytes()
