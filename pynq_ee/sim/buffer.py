"""Buffers of the simulated board: pynq's, with memory of which the host and the DMA each have a copy of their own.

But of memory that is not cacheable there is only the DRAM.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import numpy.typing as npt
from pynq.buffer import PynqBuffer

from pynq_ee.errors import DeviceError
from pynq_ee.sim.dram import Dram


class BufferObject:
    """The memory behind one buffer and all views of it: a range of the DRAM, and, if cacheable, the host's copy of it.

    The range is given back when the buffer is freed or the last view of it is gone.
    """

    def __init__(self, memory: Dram, nbytes: int, cacheable: bool) -> None:
        self.address = memory.allocate(nbytes)
        self.memory = memory
        self.host = np.zeros(nbytes, np.uint8) if cacheable else memory.view(self.address, nbytes)
        self._free = weakref.finalize(self, memory.free, self.address)

    def free(self) -> None:
        """Give the memory back. May be called twice."""
        self._free()

    def flush(self, offset: int, size: int) -> None:
        """Copy ``size`` bytes from ``offset`` on from the host to the DRAM."""
        self.memory.write(self.address + offset, self._host_bytes(offset, size))

    def invalidate(self, offset: int, size: int) -> None:
        """Copy ``size`` bytes from ``offset`` on from the DRAM to the host."""
        self._host_bytes(offset, size)[:] = self.memory.read(self.address + offset, size)

    def _host_bytes(self, offset: int, size: int) -> npt.NDArray[np.uint8]:
        if not self._free.alive:
            raise DeviceError("the buffer has been freed; allocate another")
        if not 0 <= offset <= offset + size <= self.host.size:
            raise DeviceError(
                f"bytes {offset} to {offset + size} of a buffer of {self.host.size} bytes: this array is no view of a "
                "buffer but a result computed from one; copy it into a buffer"
            )
        return self.host[offset : offset + size]


class SimulatedBuffer(PynqBuffer):
    """pynq's buffer, with the DRAM given back where pynq unmaps memory on a board."""

    _owner = False

    @classmethod
    def owner(cls, bo: BufferObject, shape: Any, dtype: Any, device: Any) -> SimulatedBuffer:
        """Make the array that owns a buffer's memory; its views do not."""
        array = cls(shape, dtype, buffer=bo.host, bo=bo, device=device, device_address=bo.address, coherent=False)
        array._owner = True
        return array

    def freebuffer(self) -> None:
        """Free the memory, also while views of it exist; a transfer from or to it then is a decode error."""
        if self._owner:
            self.bo.free()
            self.freed = True
