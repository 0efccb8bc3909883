"""The simulated board's contiguous memory: what the DMA reads and writes, apart from the host's copy of each buffer.

A flush copies the host's bytes into it, an invalidate copies its bytes to the host; nothing else moves between the
two, so a forgotten flush or invalidate shows on every run, not only when a cache line happens to be evicted.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

PAGE_BYTES = 4096


class MemoryLimitError(RuntimeError, MemoryError):
    """No contiguous range is left. pynq raises RuntimeError on a board whose CMA memory is used up; so does this."""


class Dram:
    """Contiguous memory with a first-fit allocator.

    Parameters
    ----------
    base
        Physical address of the first byte, a multiple of the page size.
    size
        Bytes, rounded down to whole pages.

    Raises
    ------
    ValueError
        A base that is not page-aligned, or less than one page.
    """

    def __init__(self, base: int, size: int) -> None:
        if base % PAGE_BYTES:
            raise ValueError(f"base is 0x{base:x}; it must be a multiple of {PAGE_BYTES} bytes")
        if size < PAGE_BYTES:
            raise ValueError(f"size is {size} bytes; at least one page of {PAGE_BYTES} is needed")
        self.base = base
        self.size = size // PAGE_BYTES * PAGE_BYTES
        self._bytes = np.zeros(self.size, np.uint8)
        self._used: dict[int, int] = {}

    @property
    def allocated_bytes(self) -> int:
        """Bytes that allocations take, each rounded up to whole pages."""
        return sum(self._used.values())

    @property
    def allocations(self) -> int:
        """Number of live allocations."""
        return len(self._used)

    @property
    def bytes(self) -> npt.NDArray[np.uint8]:
        """All bytes, the first at ``base``: for a simulation that accesses them by itself, in :attr:`ranges`."""
        return self._bytes

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """Live allocations in order, as (first address, first address behind)."""
        return sorted((address, address + length) for address, length in self._used.items())

    def allocate(self, nbytes: int) -> int:
        """Take the first free range that is long enough, zeroed as CMA memory is, and return its address.

        Raises
        ------
        MemoryLimitError
            No free range is that long.
        """
        length = max(-(-nbytes // PAGE_BYTES), 1) * PAGE_BYTES
        address, largest = self.base, 0
        for used, used_length in [*sorted(self._used.items()), (self.base + self.size, 0)]:
            if used - address >= length:
                self._used[address] = length
                self.view(address, length)[:] = 0
                return address
            largest = max(largest, used - address)
            address = used + used_length
        raise MemoryLimitError(
            f"Allocate failed: {nbytes} bytes of contiguous memory asked for, the longest free range has {largest} "
            f"of {self.size} bytes ({self.allocated_bytes} in use)"
        )

    def free(self, address: int) -> None:
        """Give an allocation back; ranges that touch become one."""
        del self._used[address]

    def release(self) -> None:
        """Give the memory back to the machine, for good; nothing can be allocated afterwards."""
        self._bytes = np.zeros(0, np.uint8)
        self._used.clear()
        self.size = 0

    def accessible(self, address: int, nbytes: int) -> int:
        """Bytes, up to ``nbytes``, that lie in the same allocation as ``address``, from it on. 0: no allocation."""
        for used, length in self._used.items():
            if used <= address < used + length:
                return min(nbytes, used + length - address)
        return 0

    def read(self, address: int, nbytes: int) -> npt.NDArray[np.uint8]:
        """View of allocated bytes; the caller has asked :meth:`accessible`."""
        view = self.view(address, nbytes)
        view.flags.writeable = False
        return view

    def write(self, address: int, data: npt.NDArray[np.uint8]) -> None:
        """Overwrite allocated bytes; the caller has asked :meth:`accessible`."""
        self.view(address, data.size)[:] = data

    def view(self, address: int, nbytes: int) -> npt.NDArray[np.uint8]:
        """Allocated bytes themselves, to be read and written."""
        return self._bytes[address - self.base : address - self.base + nbytes]
