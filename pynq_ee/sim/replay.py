"""A simulated board whose fabric has answered before it is asked: what remains is the host's own work.

The driver runs on it unmodified, with pynq's register access on plain memory and buffers that need no copy, so that
the wall time of a batch is what the host spends on it, and nothing of it is a simulation's. The results of a known
sequence of images are prepared beforehand; they are placed when a batch is started, and the time of that is kept
apart in ``ReplayDevice.replay_seconds``. Cache maintenance costs nothing here.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee.network import fabric, spec
from pynq_ee.network.weights import Model
from pynq_ee.sim.axi_dma import ADDRESS, CONTROL, LENGTH, RECEIVE_BASE, SEND_BASE, STATUS, STATUS_IDLE
from pynq_ee.sim.bus import WORD_BYTES
from pynq_ee.sim.device import SimulatedDevice


class _Registers(np.ndarray):
    """Words that keep what is written, but for some that keep their value, and some whose writing does something."""

    constant: frozenset[int] = frozenset()
    on_write: Mapping[int, Callable[[], None]] = MappingProxyType({})

    def __setitem__(self, index: Any, value: Any) -> None:
        if index in self.constant:
            return
        super().__setitem__(index, value)
        action = self.on_write.get(index)
        if action:
            action()


class ReplayDevice(SimulatedDevice):
    """A board that gives prepared results at once.

    Parameters
    ----------
    model
        The network.
    images
        uint8 (N, 28, 28): what will be sent, in this order, again and again from the first on.
    features
        Whether the driver asks for the trunk's features.

    Attributes
    ----------
    replay_seconds : float
        Time spent on placing results, to be subtracted from the wall time.
    """

    def __init__(self, model: Model, images: npt.NDArray[np.uint8], features: bool = True) -> None:
        super().__init__(model, kernel="numpy")
        self.name = f"{self.board} whose results are known beforehand"
        self.replay_seconds = 0.0
        self._position = 0
        self._addresses: dict[int, Any] = {}
        self._banks: dict[int, _Registers] = {}
        found, logits = fabric.first_exit(images, model)
        self._images = images
        self._logits = logits
        self._features = features
        self._rows = np.zeros((len(images), model.spec.output_bytes(features)), np.uint8)
        if features:
            self._rows[:, spec.RESULT_BYTES :][:, : model.spec.feature_bytes] = fabric.pack_features(found)
        self._rows[:, : 2 * spec.CLASSES] = logits.astype("<i2").view(np.uint8)

    def allocate(self, shape: Any, dtype: Any = "u4", cacheable: bool = False) -> Any:
        """Allocate a buffer, and remember where it is."""
        buffer = super().allocate(shape, dtype, cacheable)
        self._addresses[buffer.bo.address] = np.asarray(buffer)
        return buffer

    def flush(self, bo: Any, offset: int, ptr: int, size: int) -> None:
        """Nothing: there is one copy of a buffer."""

    def invalidate(self, bo: Any, offset: int, ptr: int, size: int) -> None:
        """Nothing: there is one copy of a buffer."""

    def mmap(self, base_addr: int, length: int) -> Any:
        """Map the kernel's or the DMA's registers as plain memory; everything else as the simulated board does."""
        makers = {self._board.kernel_address: self._kernel_registers, self._board.dma_address: self._dma_registers}
        if base_addr not in makers:
            return super().mmap(base_addr, length)
        if base_addr not in self._banks:
            self._banks[base_addr] = np.zeros(length // WORD_BYTES, np.uint32).view(_Registers)
            makers[base_addr](self._banks[base_addr])
        return self._banks[base_addr]

    def _kernel_registers(self, bank: _Registers) -> None:
        offset = spec.REGISTER_OFFSET
        values = {
            "CTRL": spec.CTRL_DONE | spec.CTRL_IDLE,
            "magic": spec.MAGIC,
            "version": spec.INTERFACE_VERSION,
            "build_id": self._model.build_id,
        }
        for name, value in values.items():
            np.ndarray.__setitem__(bank, offset[name] // WORD_BYTES, value)
        bank.constant = frozenset(offset[name] // WORD_BYTES for name in values)

    def _dma_registers(self, bank: _Registers) -> None:
        for base in (SEND_BASE, RECEIVE_BASE):
            np.ndarray.__setitem__(bank, (base + STATUS) // WORD_BYTES, STATUS_IDLE)
        bank.constant = frozenset(
            (base + register) // WORD_BYTES for base in (SEND_BASE, RECEIVE_BASE) for register in (CONTROL, STATUS)
        )
        bank.on_write = {(SEND_BASE + LENGTH) // WORD_BYTES: lambda: self._place(bank)}

    def _place(self, bank: _Registers) -> None:
        """Put the next images' results where the receive channel would have written them."""
        begin = time.perf_counter()
        target = self._addresses[int(bank[(RECEIVE_BASE + ADDRESS) // WORD_BYTES])].reshape(-1)
        count = int(bank[(RECEIVE_BASE + LENGTH) // WORD_BYTES]) // self._rows.shape[1]
        if self._position == len(self._rows):
            self._position = 0
        chosen = slice(self._position, self._position + count)
        kernel = self._banks[self._board.kernel_address]
        margin = int(kernel[spec.REGISTER_OFFSET["feature_margin"] // WORD_BYTES]) if self._features else 0
        follow = fabric.features_follow(self._logits[chosen], margin)
        rows = self._rows[chosen].copy()
        flags = np.where(follow, spec.RESULT_FEATURES, 0)
        tails = np.stack([np.arange(count), flags], axis=1).astype("<u2")
        rows[:, 2 * spec.CLASSES : spec.RESULT_BYTES] = tails.view(np.uint8)
        sent = np.ones(rows.shape, np.bool_)
        sent[~follow, spec.RESULT_BYTES :] = False
        stream = rows[sent]
        target[: len(stream)] = stream
        np.ndarray.__setitem__(bank, (RECEIVE_BASE + LENGTH) // WORD_BYTES, len(stream))
        for name, bytes_ in (("images_crc", self._images[chosen]), ("results_crc", stream)):
            np.ndarray.__setitem__(
                kernel, spec.REGISTER_OFFSET[name] // WORD_BYTES, zlib.crc32(np.ascontiguousarray(bytes_).data)
            )
        self._position += count
        self.replay_seconds += time.perf_counter() - begin
