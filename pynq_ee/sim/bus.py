"""The simulated board's address map: which device answers where, and a word array that goes through it."""

from __future__ import annotations

from typing import Any, Protocol, overload

import numpy as np

from pynq_ee.errors import DeviceError

WORD_BYTES = 4


class BusError(DeviceError):
    """An access to an address where nothing answers. A board ends the program with a bus error, or hangs."""


class Target(Protocol):
    """Something with 32-bit registers."""

    def read(self, offset: int) -> int:
        """Value of the register at a byte offset."""

    def write(self, offset: int, value: int) -> None:
        """Write the register at a byte offset."""


class Memory:
    """Registers that keep what is written, with reset values: the parts of the processor that pynq touches."""

    def __init__(self, reset: dict[int, int]) -> None:
        self._words = dict(reset)

    def read(self, offset: int) -> int:
        """Value of the register at a byte offset; 0 until it is written."""
        return self._words.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Write the register at a byte offset."""
        self._words[offset] = value


class Bus:
    """Address decoder; counts the accesses that pass through it."""

    def __init__(self) -> None:
        self._targets: list[tuple[int, int, Target]] = []
        self.reads = 0
        self.writes = 0

    def connect(self, base: int, size: int, target: Target) -> None:
        """Let ``target`` answer at ``base`` to ``base + size - 1``."""
        for other_base, other_size, _ in self._targets:
            if base < other_base + other_size and other_base < base + size:
                raise DeviceError(
                    f"addresses 0x{base:x} to 0x{base + size - 1:x} overlap with 0x{other_base:x} to "
                    f"0x{other_base + other_size - 1:x}; correct the addresses in the .hwh"
                )
        self._targets.append((base, size, target))

    def disconnect(self, target: Target) -> None:
        """Let ``target`` answer nowhere."""
        self._targets = [entry for entry in self._targets if entry[2] is not target]

    def read(self, address: int) -> int:
        """Read the word at a byte address.

        Raises
        ------
        BusError
            Nothing answers there.
        """
        target, offset = self._decode(address)
        self.reads += 1
        return target.read(offset)

    def write(self, address: int, value: int) -> None:
        """Write the word at a byte address.

        Raises
        ------
        BusError
            Nothing answers there.
        """
        target, offset = self._decode(address)
        self.writes += 1
        target.write(offset, value)

    def _decode(self, address: int) -> tuple[Target, int]:
        for base, size, target in self._targets:
            if base <= address < base + size:
                return target, address - base
        known = ", ".join(f"0x{base:x} to 0x{base + size - 1:x}" for base, size, _ in sorted(self._targets, key=_base))
        raise BusError(f"nothing answers at address 0x{address:x}; mapped are {known or 'no addresses'}")


def _base(entry: tuple[int, int, Target]) -> int:
    return entry[0]


class WordArray:
    """What ``mmap`` of a device returns: an array of 32-bit words whose every element access is an access to the bus.

    It behaves as far as pynq's MMIO, Register and RegisterMap need like the NumPy array that a board gives them.
    """

    dtype = np.dtype(np.uint32)
    itemsize = WORD_BYTES

    def __init__(self, device: Any, base: int, words: int) -> None:
        self._device = device
        self._base = base
        self._words = words

    def __len__(self) -> int:
        return self._words

    @property
    def shape(self) -> tuple[int]:
        """One dimension."""
        return (self._words,)

    @property
    def size(self) -> int:
        """Number of words."""
        return self._words

    @property
    def nbytes(self) -> int:
        """Bytes of the mapped range."""
        return self._words * WORD_BYTES

    def view(self, dtype: Any = np.uint32) -> WordArray:
        """Return the same words; any other type of element than 32 bit is refused."""
        if np.dtype(dtype).itemsize != WORD_BYTES:
            raise ValueError(f"registers are {WORD_BYTES} bytes wide; a view as {np.dtype(dtype)} is not")
        return self

    @overload
    def __getitem__(self, key: slice) -> WordArray: ...

    @overload
    def __getitem__(self, key: int) -> np.uint32: ...

    def __getitem__(self, key: int | slice) -> WordArray | np.uint32:
        if isinstance(key, slice):
            start, stop, step = key.indices(self._words)
            if step != 1:
                raise IndexError(f"step is {step}; a slice of registers has step 1")
            return WordArray(self._device, self._base + start * WORD_BYTES, max(stop - start, 0))
        return np.uint32(self._device.read_word(self._address(key)))

    def __setitem__(self, key: int | slice, value: Any) -> None:
        if not isinstance(key, slice):
            self._device.write_word(self._address(key), int(value) & 0xFFFFFFFF)
            return
        window = self[key]
        values = np.broadcast_to(np.asarray(value, np.uint32), (len(window),))
        for index, word in enumerate(values):
            window[index] = word

    def _address(self, index: int) -> int:
        position = index + self._words if index < 0 else index
        if not 0 <= position < self._words:
            raise IndexError(f"index {index} is out of bounds for a range of {self._words} words")
        return self._base + position * WORD_BYTES
