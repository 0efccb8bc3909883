"""Contiguous memory as XRT gives it out, for ``libxrt_core`` and for ``pyxrt`` alike: buffer objects over the DRAM.

A cacheable buffer has the host's bytes apart from the DRAM's, and a note of what the two last agreed on, from which the
lines are known that the cache would hold unwritten. An uncached buffer is the DRAM itself. What a real board would
punish some day is noted at once in :attr:`Memory.violations`.
"""

from __future__ import annotations

import ctypes
import itertools
import mmap
import os
import shutil
import subprocess
import sys
import types
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_HERE = Path(__file__).resolve().parent

_CACHEABLE = 1 << 24
_TO_DEVICE = 0
_FAILED = 0xFFFFFFFF
_INVALID = 0xFFFFFFEA  # -EINVAL

#: The first buffers get handles from here on, as 0 is none.
_FIRST_HANDLE = 1


class Buffer:
    """One buffer object.

    Attributes
    ----------
    address : int
        Physical, where the DMA finds it.
    pointer : int
        Virtual, where the host finds it. pynq unmaps it before it frees the object.
    host : numpy.ndarray
        The host's bytes.
    """

    def __init__(self, memory: Memory, nbytes: int, cacheable: bool) -> None:
        dram = memory.dram
        self.nbytes = nbytes
        self.cacheable = cacheable
        self.address = dram.allocate(nbytes)
        self.dram = dram
        self._memory = memory
        self.pointer = memory.map(self.address, nbytes, cacheable)
        self.host = np.ctypeslib.as_array((ctypes.c_uint8 * nbytes).from_address(self.pointer))
        self._clean = self.host.copy() if cacheable else None

    def free(self) -> None:
        """Give the range back; the host's mapping is gone already."""
        self.dram.free(self.address)

    def flush(self, offset: int, size: int) -> None:
        """Write the cache's lines back."""
        self._check(offset, size)
        if self._clean is not None:
            part = slice(offset, offset + size)
            self.dram.view(self.address + offset, size)[:] = self.host[part]
            self._clean[part] = self.host[part]

    def invalidate(self, offset: int, size: int) -> None:
        """Drop the cache's lines, so that the next read comes from the DRAM."""
        self._check(offset, size)
        if self._clean is not None:
            if self.dirty(self.address + offset, size):
                self._memory.violations.append("an invalidate drops what the host wrote and has not flushed")
            part = slice(offset, offset + size)
            self.host[part] = self.dram.view(self.address + offset, size)
            self._clean[part] = self.host[part]

    def dirty(self, address: int, size: int) -> bool:
        """Whether the cache holds what the host wrote to these physical addresses and has not flushed."""
        begin, end = max(address - self.address, 0), min(address + size - self.address, self.nbytes)
        if self._clean is None or begin >= end:
            return False
        return not np.array_equal(self.host[begin:end], self._clean[begin:end])

    def _check(self, offset: int, size: int) -> None:
        if not 0 <= offset <= offset + size <= self.nbytes:
            raise ValueError(f"bytes {offset} to {offset + size} of a buffer of {self.nbytes}")


class Memory:
    """The board's contiguous memory: the simulated board's DRAM, with pynq's view of it."""

    def __init__(self, hardware: Any) -> None:
        self.dram = hardware._memory
        self.hardware = hardware
        self.buffers: dict[int, Buffer] = {}
        self.asked: list[bool] = []
        self.violations: list[str] = []
        self._handles = itertools.count(_FIRST_HANDLE)
        self._file = os.memfd_create("dram") if hasattr(os, "memfd_create") else -1
        os.ftruncate(self._file, self.dram.size)
        self.dram._bytes = np.frombuffer(mmap.mmap(self._file, self.dram.size), np.uint8)
        self._watch()

    def allocate(self, nbytes: int, cacheable: bool) -> int:
        """A handle of a new buffer.

        Raises
        ------
        RuntimeError
            No contiguous range is that long.
        """
        self.asked.append(cacheable)
        handle = next(self._handles)
        self.buffers[handle] = Buffer(self, nbytes, cacheable)
        return handle

    def free(self, handle: int) -> None:
        """Give a buffer back."""
        self.buffers.pop(handle).free()

    def sync(self, handle: int, to_device: bool, offset: int, size: int) -> None:
        """Flush or invalidate bytes of a buffer, by way of the simulated board's own, where faults are injected."""
        buffer = self.buffers[handle]
        (self.hardware.flush if to_device else self.hardware.invalidate)(buffer, offset, buffer.pointer, size)

    def map(self, address: int, nbytes: int, cacheable: bool) -> int:
        """Map a range for the host, whole pages: the DRAM's own, or a copy where the cache lies between."""
        shared, private = mmap.MAP_SHARED, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        pages = max(-(-nbytes // mmap.PAGESIZE), 1) * mmap.PAGESIZE
        arguments = (private, -1, 0) if cacheable else (shared, self._file, address - self.dram.base)
        pointer = _LIBC.mmap(None, pages, mmap.PROT_READ | mmap.PROT_WRITE, *arguments)
        if pointer == ctypes.c_void_p(-1).value:
            raise RuntimeError("the host has no room to map a buffer")
        return int(pointer)

    def _watch(self) -> None:
        """Note where the DMA meets what the cache has not written back."""
        read, write = self.dram.read, self.dram.write

        def watched_read(address: int, nbytes: int) -> npt.NDArray[np.uint8]:
            if any(buffer.dirty(address, nbytes) for buffer in self.buffers.values()):
                self.violations.append("the DMA reads what the host wrote and has not flushed")
            return read(address, nbytes)

        def watched_write(address: int, data: npt.NDArray[np.uint8]) -> None:
            if any(buffer.dirty(address, data.size) for buffer in self.buffers.values()):
                self.violations.append("the DMA writes where the cache holds lines that it may write over the results")
            write(address, data)

        self.dram.read, self.dram.write = watched_read, watched_write


def _libc() -> Any:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [
        ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long,
    ]  # fmt: skip
    return libc


_LIBC = _libc()


def install(machine: Any) -> None:
    """Give this process both faces of XRT: the library, where there is a C compiler, and the module."""
    sys.modules["pyxrt"] = _module(machine)
    compiler = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc")
    if compiler is None:
        return
    folder = machine.root / "xrt"
    (folder / "lib").mkdir(parents=True)
    library = folder / "lib" / "libxrt_core.so"
    source = _HERE / "libxrt_core.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source], check=True)
    os.environ["XILINX_XRT"] = str(folder)
    connect(ctypes.CDLL(str(library)), machine)


class _Operations(ctypes.Structure):
    """What the C library calls; see ``libxrt_core.c``."""

    _allocate = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_uint64, ctypes.c_int)
    _free = ctypes.CFUNCTYPE(None, ctypes.c_uint32)
    _sync = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint64, ctypes.c_uint64)
    _query = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint32, ctypes.c_int)
    _fields_ = (("allocate", _allocate), ("free", _free), ("sync", _sync), ("query", _query))


def connect(library: Any, machine: Any) -> None:
    """Let the entry points of the library reach the memory."""

    def allocate(nbytes: int, flags: int) -> int:
        try:
            return int(machine.memory.allocate(nbytes, bool(flags & _CACHEABLE)))
        except RuntimeError:
            return _FAILED

    def free(handle: int) -> None:
        if machine.memory is not None and handle in machine.memory.buffers:  # not those of before a power cycle
            machine.memory.free(handle)

    def sync(handle: int, direction: int, size: int, offset: int) -> int:
        memory = machine.memory
        try:
            memory.sync(handle, direction == _TO_DEVICE, offset, size)
        except (ValueError, KeyError):
            return _INVALID
        except Exception as error:  # an error cannot pass through the C library
            memory.violations.append(repr(error))
            return _INVALID
        return 0

    def query(handle: int, what: int) -> int:
        buffer = machine.memory.buffers.get(handle)
        return int((buffer.pointer, buffer.address, buffer.nbytes)[what]) if buffer else 0

    functions = (allocate, free, sync, query)
    operations = _Operations(*(kind(function) for (_, kind), function in zip(_Operations._fields_, functions)))
    library.box_connect(ctypes.byref(operations))
    machine.operations = operations  # the library calls them as long as the process lives


def _module(machine: Any) -> Any:
    """``pyxrt``, as far as pynq 3.1 and 4.0 go."""
    module = types.ModuleType("pyxrt")

    class device:
        def __init__(self, index: int) -> None:
            if index:
                raise RuntimeError(f"no device {index}")

        def get_info(self, what: str) -> Any:
            return {"name": "edge", "max_clock_frequency_mhz": ""}.get(what, "")

        def load_xclbin(self, path: str) -> str:
            if not Path(path).read_bytes().startswith(b"xclbin2"):
                raise RuntimeError(f"{path} is no xclbin")
            return "uuid"

    class bo:
        class flags:
            normal, cacheable = 0, _CACHEABLE

        def __init__(self, handle: Any, nbytes: int, flags: int, group: int) -> None:
            memory = machine.memory
            self._memory = memory
            self._handle = memory.allocate(nbytes, bool(flags & _CACHEABLE))
            weakref.finalize(self, memory.free, self._handle).atexit = False

        def map(self) -> memoryview:
            buffer = self._memory.buffers[self._handle]
            return memoryview((ctypes.c_uint8 * buffer.nbytes).from_address(buffer.pointer)).cast("B")

        def size(self) -> int:
            return self._memory.buffers[self._handle].nbytes

        def address(self) -> int:
            return self._memory.buffers[self._handle].address

        def sync(self, direction: int) -> None:
            self._memory.sync(self._handle, direction == _TO_DEVICE, 0, self.size())

    names = (
        "bdf dynamic_regions electrical host m2m max_clock_frequency_mhz mechanical memory name pcie_info thermal vmr"
    )
    module.device, module.bo = device, bo  # type: ignore[attr-defined]
    module.xclBOSyncDirection = types.SimpleNamespace(  # type: ignore[attr-defined]
        XCL_BO_SYNC_BO_TO_DEVICE=_TO_DEVICE, XCL_BO_SYNC_BO_FROM_DEVICE=1
    )
    module.xrt_info_device = types.SimpleNamespace(**{name: name for name in names.split()})  # type: ignore[attr-defined]
    return module
