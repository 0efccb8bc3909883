"""One board of a cluster: the actor that holds it on its worker, and what the host knows of it."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import pynq_ee
from pynq_ee.errors import DeadlineError, DeviceError, PynqEEError
from pynq_ee.inference import EarlyExitInference
from pynq_ee.network import weights
from pynq_ee.prediction import Prediction


class BoardActor:
    """What lives on a worker: its board.

    Parameters
    ----------
    version
        pynq_ee's on the host.
    model
        Content of the model file.
    device
        As for :class:`~pynq_ee.inference.EarlyExitInference`; or a function of the model that makes a pynq device.
    options
        The other arguments of :class:`~pynq_ee.inference.EarlyExitInference`.
    """

    def __init__(self, version: str, model: bytes, device: Any, options: dict[str, Any]) -> None:
        if version != pynq_ee.__version__:
            raise DeviceError(f"the host has pynq_ee {version}, this board {pynq_ee.__version__}; install the same")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.npz"
            path.write_bytes(model)
            loaded = weights.load(path)
        self._network = EarlyExitInference(loaded, device=device(loaded) if callable(device) else device, **options)

    def name(self) -> str:
        """Name of the device."""
        return str(self._network.device.name)

    def classify(self, images: npt.NDArray[np.uint8]) -> tuple[Prediction, float]:
        """The prediction, and the seconds that it took here."""
        begin = time.perf_counter()
        prediction = self._network.classify(images)
        return prediction, time.perf_counter() - begin

    def close(self) -> None:
        """Free the board."""
        self._network.close()


@dataclass
class Board:
    """What the host knows of a board.

    Attributes
    ----------
    address
        Of its worker.
    name
        Of its device; a simulated one says so.
    images, seconds
        Images that it classified, and the time that it took for them, *measured* on the board.
    lost
        Why it is used no more; empty as long as it is.
    """

    address: str
    name: str = ""
    images: int = 0
    seconds: float = 0.0
    lost: str = ""
    _actor: Any = field(default=None, repr=False)
    _created: Any = field(default=None, repr=False)  # dask keeps an actor as long as the future that made it is kept

    @property
    def images_per_second(self) -> float:
        """Measured rate; 0 before the first batch."""
        return self.images / self.seconds if self.seconds else 0.0

    @property
    def live(self) -> bool:
        """Whether it is open and takes work."""
        return self._actor is not None

    def lose(self, error: BaseException) -> None:
        """Use it no more, and let dask end its actor."""
        self.lost = self.lost or f"{type(error).__name__}: {error}"
        self._actor = self._created = None

    async def open(self, client: Any, arguments: tuple[Any, ...], seconds: float) -> None:
        """Make the actor on the worker; the board is live or lost after it."""
        try:
            self._created = client.submit(BoardActor, *arguments, actor=True, workers=[self.address], pure=False)
            with client.as_current():  # an actor belongs to the client that is current when it arrives
                actor = await _within(seconds, self._created, "its device was not open")
            self.name = await _within(seconds, actor.name(), "its device did not say its name")
            self._actor = actor
        except Exception as error:  # whatever the worker, the network or dask have raised: the other boards go on
            self.lose(error)

    async def classify(self, images: npt.NDArray[np.uint8], seconds: float) -> tuple[Prediction, float]:
        """What :meth:`BoardActor.classify` returns.

        Raises
        ------
        DeadlineError
            It does not return in time.
        Exception
            Whatever else has failed: the driver, the worker, the network.
        """
        found: tuple[Prediction, float] = await _within(seconds, self._actor.classify(images), "no prediction")
        return found

    async def close(self) -> None:
        """Free the board."""
        await self._actor.close()


async def _within(seconds: float, work: Awaitable[Any], otherwise: str) -> Any:
    try:
        return await asyncio.wait_for(work, seconds)
    except PynqEEError:  # a deadline of the driver's is a TimeoutError too
        raise
    except asyncio.TimeoutError:
        raise DeadlineError(f"{otherwise} within {seconds:g} s") from None
