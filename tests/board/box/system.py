"""The system calls by which pynq reaches a board, led elsewhere: files, device files, mapped registers.

The smallest seam under pynq is Python's own: its classes open, look at and map files by ``open``, ``os`` and ``mmap``.
A path that belongs to a board leads to a file in the machine's folder; a mapping of ``/dev/mem`` to an array of which
every access to an element is one to the simulated bus. Nothing of pynq is replaced, and nothing depends on the
processor or on an emulator, as a trap of loads and stores would.
"""

from __future__ import annotations

import builtins
import io
import mmap
import os
import pathlib
import re
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: What belongs to a board; and, by another rule, what pynq writes beside its own modules or into the working directory.
_BOARD = re.compile(
    r"/sys/class/(fpga_manager|uio)(/|$)|/lib/firmware(/|$)|/dev/(mem|uio\d*)$|/proc/interrupts$|/proc/meminfo$|/proc/device-tree(/|$)|"
    r"/run/lock(/|$)"
)
_NOTES = re.compile(r"(?:.*/pl_server/|^)(global_pl_state\w*\.json|_current_metadata\.pkl|loaded\.xclbin)$")

_LINE_BYTES = 4


class InterruptLine:
    """The interrupt of the fabric, as Linux' UIO driver offers it.

    A write of 1 to the device file unmasks it; a high line is masked again and makes the file readable. ``interrupts``
    counts them.
    """

    def __init__(self, level: Callable[[], bool]) -> None:
        self._level = level
        self._enabled = False
        self.interrupts = 0
        self._files: list[UioFile] = []

    def open(self) -> UioFile:
        """Open the device file."""
        self._files = [file for file in self._files if not file.closed]
        self._files.append(UioFile(self))
        return self._files[-1]

    def enable(self) -> None:
        """Unmask the interrupt."""
        self._enabled = True
        self.update(self._level)

    def update(self, level: Callable[[], bool]) -> None:
        """See whether the line is high; from any thread."""
        if self._enabled and level():
            self._enabled = False
            self.interrupts += 1
            for file in self._files:
                file.raise_count(self.interrupts)

    def close(self) -> None:
        """The hardware goes; the device file stays."""
        self._enabled = False


class UioFile(io.FileIO):
    """``/dev/uio0``: read to learn that an interrupt came, written to unmask it."""

    def __init__(self, line: InterruptLine) -> None:
        self._line = line
        self._kernel, end = socket.socketpair()
        super().__init__(end.detach(), "r+b")

    def write(self, data: Any) -> int:
        (value,) = struct.unpack("=I", bytes(data))
        if value:
            self._line.enable()
        return _LINE_BYTES

    def raise_count(self, count: int) -> None:
        """Make the file readable."""
        if not self.closed:
            self._kernel.send(struct.pack("=I", count))

    def close(self) -> None:
        super().close()
        self._kernel.close()


class FirmwareAttribute(io.RawIOBase):
    """``firmware`` of the FPGA manager: what is written is the name of the file to program the fabric with."""

    def __init__(self, program: Callable[[str], None]) -> None:
        super().__init__()
        self._program = program

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._program(bytes(data).decode().strip())
        return len(data)


class Registers:
    """A mapping of ``/dev/mem``, before an array has been made of it."""

    def __init__(self, base: int, length: int) -> None:
        self.base = base
        self.length = length


def install(machine: Any) -> None:
    """Lead this process's calls elsewhere, until it ends."""
    import numpy as np

    root = machine.root
    real_open, real_os_open, real_map, real_frombuffer = io.open, os.open, mmap.mmap, np.frombuffer

    def lead(path: Any) -> Any:
        if not isinstance(path, (str, os.PathLike)):
            return path
        text = os.fspath(path)
        if isinstance(text, str):
            if _BOARD.match(text):
                return f"{root}{text}"
            if note := _NOTES.match(text):
                return str(root / "notes" / note[1])
        return path

    def led(function: Callable[..., Any], arguments: int = 1) -> Callable[..., Any]:
        def call(*paths: Any, **options: Any) -> Any:
            return function(*map(lead, paths[:arguments]), *paths[arguments:], **options)

        return call

    def open_file(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        path = lead(file)
        if path != file:
            if str(path) == f"{root}/dev/uio0":
                return machine.line.open()
            if str(path).endswith("/fpga0/firmware") and "w" in mode:
                attribute = FirmwareAttribute(machine.program)
                return io.TextIOWrapper(io.BufferedWriter(attribute), write_through=False)
        return real_open(path, mode, *arguments, **options)

    def open_descriptor(path: Any, *arguments: Any, **options: Any) -> int:
        return real_os_open(lead(path), *arguments, **options)

    memory_file = os.stat(root / "dev/mem")  # noqa: PTH116

    class Mapping(real_map):  # type: ignore[misc, valid-type]
        """``mmap.mmap``, and of ``/dev/mem`` the registers that lie there."""

        def __new__(cls, fileno: int, length: int, *arguments: Any, **options: Any) -> Any:
            if fileno >= 0 and os.path.samestat(os.fstat(fileno), memory_file):
                return Registers(options["offset"], length)
            return super().__new__(cls, fileno, length, *arguments, **options)

    def frombuffer(buffer: Any, dtype: Any = float, count: int = -1, offset: int = 0, **options: Any) -> Any:
        if isinstance(buffer, Registers):
            return machine.hardware.mmap(buffer.base + offset, count * np.dtype(dtype).itemsize)
        return real_frombuffer(buffer, dtype, count, offset, **options)

    builtins.open = io.open = open_file
    os.open = open_descriptor
    mmap.mmap = Mapping  # type: ignore[misc]
    np.frombuffer = frombuffer
    os.geteuid = lambda: 0
    for name in ("stat", "listdir", "scandir", "access", "unlink", "remove", "rename"):
        setattr(os, name, led(getattr(os, name), 2 if name == "rename" else 1))
    accessor = getattr(pathlib, "_NormalAccessor", None)  # Python 3.10 keeps the functions that it found
    if accessor is not None:
        for name in ("stat", "open", "listdir", "scandir", "unlink", "rename"):
            setattr(accessor, name, staticmethod(io.open if name == "open" else getattr(os, name)))
    assert Path("/dev/mem").exists()
