"""The exit policy, applied to a batch: who leaves at the first exit, and the software exits for those who stay."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pynq_ee import remainder
from pynq_ee.driver.results import Results
from pynq_ee.network import fabric
from pynq_ee.network.spec import CLASSES
from pynq_ee.network.weights import Model
from pynq_ee.remainder.beside import Beside

Images = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.intp]
#: What a stage makes of images: the hidden state for the next one, and logits int16 (n, 10).
Hidden = tuple[Any, npt.NDArray[np.int16]]

_NONE = np.empty(0, np.intp)


class Answers(NamedTuple):
    """What is known of a batch of n images.

    ``labels``, ``exits`` int64 (n,); ``entropy`` float64 (n,), nats; ``logits`` int16 (n, 10), each image's in units of
    the exit that it left at. Of images that stay they are those of the last exit that has been computed.
    """

    labels: npt.NDArray[np.int64]
    exits: npt.NDArray[np.int64]
    entropy: npt.NDArray[np.float64]
    logits: npt.NDArray[np.int16]


class Policy:
    """The exits of a network on an engine.

    Parameters
    ----------
    model
        The network.
    engine
        A name in :data:`pynq_ee.remainder.ENGINES`.
    threads
        That share a batch in the software exits.

    Attributes
    ----------
    exits : int
        Of the network, the first one included.
    """

    def __init__(self, model: Model, engine: str, threads: int = 1) -> None:
        self._model = model
        self.exits = model.exits
        self._stages = remainder.stages(engine, model, threads)
        self._takes_packed = engine in remainder.TAKES_PACKED
        self._scales = np.float32(2.0) ** np.array(model.logit_exponents, np.float32)
        self._deciders = [remainder.decider(engine, exponent) for exponent in model.logit_exponents]

    def first(self, logits: npt.NDArray[np.int16], threshold: float) -> tuple[Answers, Rows]:
        """Decide who leaves at the first exit, by its logits (n, 10), which become part of the answers.

        Returns
        -------
        The answers, and the numbers of the images that stay.
        """
        labels, entropy, leaves = self._deciders[0](logits, threshold)
        exits = np.empty(len(labels), np.int64)
        exits.fill(1)
        every = np.count_nonzero(leaves) == len(leaves)  # the quickest look, and mostly the only one of a small batch
        return Answers(labels, exits, entropy, logits), _NONE if every else (~leaves).nonzero()[0]

    def features(self, results: Results, pixels: Images, rows: Rows) -> npt.NDArray[np.uint8]:
        """Features of some images of a batch, a copy: those that the fabric returned, else computed here."""
        sent = results.places[rows] >= 0
        if not sent.any():
            return fabric.trunk(pixels[rows], self._model)
        packed = results.features(rows[sent], self._model.spec)
        if len(packed) < len(rows):  # the threshold has been lowered since the batch was sent
            every = np.empty((len(rows), packed.shape[1]), np.uint8)
            every[sent] = packed
            every[~sent] = fabric.pack_features(fabric.trunk(pixels[rows[~sent]], self._model))
            packed = every
        return packed if self._takes_packed else fabric.unpack_features(packed, self._model)

    def second(self, features: npt.NDArray) -> Hidden:
        """Hidden state and logits of images at the first software exit, by their features."""
        return self._stages[0](features)

    def hand_over(self, beside: Beside, features: npt.NDArray) -> Callable[[], tuple[Any, Any, float, float]]:
        """As :meth:`second`, but beside; see :meth:`pynq_ee.remainder.native.Stage.hand_over`."""
        handed: Callable[[], tuple[Any, Any, float, float]] = self._stages[0].hand_over(  # type: ignore[attr-defined]
            beside.workers, features
        )
        return handed

    def rest(self, answers: Answers, rows: Rows, second: Hidden, thresholds: tuple[float, ...]) -> None:
        """Send images on through the software exits, each of which sees only what the one before it did not let go.

        Parameters
        ----------
        answers
            Of the batch, completed in place.
        rows, second
            The images that stay at the first exit, and what the first software exit makes of them.
        thresholds
            Nats, one for each exit but the last.
        """
        hidden, logits = second
        for exit_number in range(2, self.exits + 1):
            last = exit_number == self.exits
            labels, entropy, leaves = self._deciders[exit_number - 1](
                logits, math.inf if last else thresholds[exit_number - 1]
            )
            answers.exits[rows] = exit_number
            answers.logits[rows], answers.labels[rows], answers.entropy[rows] = logits, labels, entropy
            if last or leaves.all():
                return
            rows = rows[~leaves]
            hidden, logits = self._stages[exit_number - 1](hidden[~leaves])

    def real(self, answers: Answers) -> npt.NDArray[np.float32]:
        """The logits of a batch in their real scale, float32 (n, 10)."""
        return answers.logits * self._scales[answers.exits - 1, None]

    def every(self, logits: npt.NDArray[np.int16], features: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Logits of every exit in their real scale, float32 (n, exits, 10), from the first one's and features."""
        outputs = np.empty((len(logits), self.exits, CLASSES), np.float32)
        outputs[:, 0] = logits * self._scales[0]
        hidden = features
        for number, stage in enumerate(self._stages, start=1):
            hidden, logits = stage(hidden)
            outputs[:, number] = logits * self._scales[number]
        return outputs
