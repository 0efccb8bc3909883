"""How batches are shared out among boards, and kept until their predictions are there."""

from __future__ import annotations

import concurrent.futures
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee.cluster.board import Board
from pynq_ee.errors import DeviceError, InputError
from pynq_ee.prediction import Prediction

#: How long the host waits for an answer before it looks for workers that have joined.
LOOK_SECONDS = 0.5

Images = npt.NDArray[np.uint8]
Future = concurrent.futures.Future


@dataclass
class Batch:
    """Images whose prediction has not been yielded, from position ``first`` of the input on."""

    first: int
    images: Images
    prediction: Prediction | None = None

    @property
    def rows(self) -> range:
        """Positions in the input."""
        return range(self.first, self.first + len(self.images))


@dataclass
class Sharing:
    """One input on its way through the boards.

    Attributes
    ----------
    look
        Called again and again: the boards that are live now, and the futures of those that are being opened.
    send
        Give a batch's images to a board; the future has the prediction and its seconds.
    reasons
        Why each board that is lost is so, for the error of the last.
    in_flight
        Batches at a board, at most.
    """

    look: Callable[[], tuple[list[Board], list[Future[None]]]]
    send: Callable[[Board, Images], Future[tuple[Prediction, float]]]
    reasons: Callable[[], str]
    in_flight: int

    def __post_init__(self) -> None:
        self._held: list[Batch] = []  # all that have not been yielded, in the order of the input
        self._unsent: list[Batch] = []
        self._sent: dict[Future[tuple[Prediction, float]], tuple[Board, Batch]] = {}
        self._position = 0

    def run(self, source: Iterator[Images], ordered: bool) -> Iterator[tuple[range, Prediction]]:
        """Positions and predictions of the batches of ``source``, in its order or as they are done.

        Raises
        ------
        DeviceError
            No board is left.
        """
        more, opening, idle = True, list[Any](), False
        try:
            while self._held or more:
                self._collect(opening, LOOK_SECONDS if idle else 0)
                while done := next((batch for batch in self._held[: 1 if ordered else None] if batch.prediction), None):
                    self._held.remove(done)
                    yield done.rows, done.prediction  # type: ignore[misc]
                live, opening = self.look()
                if not live and not opening and (more or self._held):
                    raise DeviceError(
                        f"no board is left. Without a prediction are {spans(self._held)}the input from image "
                        f"{self._position} on. {self.reasons()}"
                    )
                board = self._least_busy(live)
                if board and more and not self._unsent and len(self._held) < 2 * self.in_flight * len(live):
                    more = self._read(source)
                idle = not (board and self._unsent)
                if board and self._unsent:
                    batch = self._unsent.pop(0)
                    self._sent[self.send(board, batch.images)] = board, batch
        finally:
            for future in self._sent:
                future.cancel()

    def _read(self, source: Iterator[Images]) -> bool:
        """Read the next batch, and say whether there was one."""
        images = next(source, None)
        if images is None:
            return False
        batch = Batch(self._position, images)
        self._held.append(batch)
        self._unsent.append(batch)
        self._position += len(images)
        return True

    def _least_busy(self, live: list[Board]) -> Board | None:
        """The board that holds the fewest batches, if that is fewer than it may."""
        holds = Counter(board.address for board, _ in self._sent.values())
        board = min(live, key=lambda board: holds[board.address], default=None)
        return board if board and holds[board.address] < self.in_flight else None

    def _collect(self, opening: list[Future[None]], seconds: float) -> None:
        """Wait for something to happen, take what has come, and take back what lost boards hold."""
        waiting: list[Future[Any]] = [*self._sent, *opening]
        done, _ = concurrent.futures.wait(waiting, seconds, concurrent.futures.FIRST_COMPLETED)
        for future in done & self._sent.keys():
            board, batch = self._sent[future]
            error = future.exception()
            if error is None:
                prediction, spent = future.result()
                batch.prediction = prediction.computed_on(f"{board.name} at {board.address}")
                board.images += len(batch.images)
                board.seconds += spent
                del self._sent[future]
            elif isinstance(error, InputError):
                raise error
            else:
                board.lose(error)
        for future in [future for future, (board, _) in self._sent.items() if board.lost]:
            future.cancel()
            self._unsent.append(self._sent.pop(future)[1])
        self._unsent.sort(key=lambda batch: batch.first)


def spans(batches: list[Batch]) -> str:
    """Positions of batches in words, neighbours joined: ``images 0 to 511, 768 to 1023, and``; nothing for none."""
    joined: list[range] = []
    for batch in batches:
        rows = batch.rows
        if joined and joined[-1].stop == rows.start:
            rows = range(joined.pop().start, rows.stop)
        joined.append(rows)
    return f"images {', '.join(f'{rows.start} to {rows.stop - 1}' for rows in joined)}, and " if joined else ""
