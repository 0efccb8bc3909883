"""``Prediction``: what became of a batch of images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pynq_ee.trace import STAGES


@dataclass(frozen=True)
class Prediction:
    """What became of a batch of images.

    Attributes
    ----------
    labels
        int64 (N,), 0 to 9.
    exits
        int64 (N,), the exit that each image left at, counted from 1.
    entropy
        float64 (N,), nats, of that exit's softmax.
    logits
        float32 (N, 10), of that exit, in its real scale.
    device
        Name of the device that the first exit ran on; a simulated one says so.
    seconds
        Wall time that the host spent in each stage (*measured*): ``input`` (images into the DMA's buffer),
        ``fabric`` (starting and waiting for it), ``collect`` (results out of the buffer, checked), ``entropy``,
        ``remainder``.
    fabric_clocks
        Clocks of the fabric by the rate rule (*modelled*).
    """

    labels: npt.NDArray[np.int64]
    exits: npt.NDArray[np.int64]
    entropy: npt.NDArray[np.float64]
    logits: npt.NDArray[np.float32]
    device: str
    seconds: dict[str, float]
    fabric_clocks: int

    def __len__(self) -> int:
        return len(self.labels)

    def share(self, exit: int) -> float:
        """Share of the images that left at an exit, 0 to 1."""
        return float(np.mean(self.exits == exit))


def concatenate(predictions: list[Prediction]) -> Prediction:
    """Join the predictions of consecutive batches."""
    if len(predictions) == 1:
        return predictions[0]
    return Prediction(
        np.concatenate([part.labels for part in predictions]),
        np.concatenate([part.exits for part in predictions]),
        np.concatenate([part.entropy for part in predictions]),
        np.concatenate([part.logits for part in predictions]),
        predictions[0].device,
        {stage: sum(part.seconds[stage] for part in predictions) for stage in STAGES},
        sum(part.fabric_clocks for part in predictions),
    )
