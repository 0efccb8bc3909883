"""The kernel's C++ as a shared library of this machine: built when it first is needed, kept, and loaded.

Libraries are kept as :mod:`pynq_ee.sim.libraries` says, named by the model's build_id and a digest of everything that
they are compiled from, so that none is ever stale.
"""

from __future__ import annotations

import ctypes
import logging
import os
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import ToolError
from pynq_ee.generate import constants
from pynq_ee.network.weights import Model
from pynq_ee.sim import hardware_make, libraries
from pynq_ee.sim.hardware_make import hardware_folder

_LIBRARY = "build/libfirst_exit.so"
_SOURCES = ("Makefile", "hls/**/*")
_WITHOUT = 'kernel="numpy" (device="sim-numpy") needs no compiler'
_KERNEL = libraries.Kind("the compiled kernel", _WITHOUT)

_log = logging.getLogger(__name__)

Array = npt.NDArray[np.uint8]
#: ``(beats, last, images, mode, margin, output, output_last) -> (consumed beats, produced beats, registers)``, None if
#: starved. The output has room for the features of every image.
Function = Callable[[Array, Array, int, int, int, Array, Array], "tuple[int, int, dict[str, int]] | None"]


_REGISTER_NAMES = ("magic", "version", "build_id", "images_done", "error_flags", "images_crc", "results_crc")


class _Registers(ctypes.Structure):
    """``struct first_exit_registers`` of hw/hls/tb/library.h."""

    _fields_ = [(name, ctypes.c_uint32) for name in _REGISTER_NAMES]


_DONE, _STARVED = 0, 1


def function(model: Model) -> Function:
    """The compiled kernel of a model, which is built if it is not in the cache, or cannot be loaded from there.

    Raises
    ------
    ToolError
        As for :func:`library`; or what was just built cannot be loaded.
    """
    path = library(model)
    try:
        return load(path, model.spec.beat_bytes)
    except ToolError as error:  # as of a home that several machines share, one of them with an older C library
        _log.warning("%s", error)
    return load(_build(model, path), model.spec.beat_bytes)


def library(model: Model) -> Path:
    """Path of the shared library of a model's kernel; built if no whole one of this user's is in the cache.

    Raises
    ------
    ToolError
        make, a C++ compiler or the headers of hls4ml are missing, the compiler fails (its output is in the message),
        or the cache cannot be written, or nothing be loaded from it.
    """
    digest = libraries.digest(hardware_folder(), _SOURCES, constants.generated(model))
    path = libraries.place(f"first_exit-{model.build_id:08x}-{digest}.so", _KERNEL)
    return path if libraries.is_whole(path) else _build(model, path)


def load(path: Path, beat_bytes: int) -> Function:
    """Load a library and return its ``first_exit_run``.

    Raises
    ------
    ToolError
        It cannot be loaded, or is for beats of another width.
    """
    loaded = libraries.load(path, _KERNEL)
    if (found := loaded.first_exit_beat_bytes()) != beat_bytes:
        raise ToolError(f"{path} has beats of {found} bytes, the model's have {beat_bytes}; it is another model's")
    run = loaded.first_exit_run
    bytes_in = np.ctypeslib.ndpointer(np.uint8, flags="C_CONTIGUOUS")
    bytes_out = np.ctypeslib.ndpointer(np.uint8, flags=("C_CONTIGUOUS", "WRITEABLE"))
    count = ctypes.POINTER(ctypes.c_uint64)
    run.argtypes = [
        bytes_in, bytes_in, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint16,
        bytes_out, bytes_out, ctypes.c_uint64, count, count, ctypes.POINTER(_Registers),
    ]  # fmt: skip
    run.restype = ctypes.c_int

    def function(
        beats: Array, last: Array, images: int, mode: int, margin: int, output: Array, output_last: Array
    ) -> tuple[int, int, dict[str, int]] | None:
        consumed, produced, registers = ctypes.c_uint64(), ctypes.c_uint64(), _Registers()
        status = run(
            beats, last, len(beats), images, mode, margin, output, output_last, len(output),
            ctypes.byref(consumed), ctypes.byref(produced), ctypes.byref(registers),
        )  # fmt: skip
        if status == _STARVED:
            return None
        if status != _DONE:
            raise ToolError(f"the compiled kernel returned {status} for {images} images; delete {path} and report it")
        return consumed.value, produced.value, {name: getattr(registers, name) for name in _REGISTER_NAMES}

    return function


def _check_tools() -> None:
    named = os.environ.get("CXX", "").strip() or "g++"
    try:
        compiler = shlex.split(named)[0]
    except ValueError as error:
        raise ToolError(f"CXX is {named}, which no shell can read ({error}); give a compiler, as CXX=g++") from error
    missing = [tool for tool in ("make", compiler) if shutil.which(tool) is None]
    if missing:
        raise ToolError(
            f"the compiled kernel needs {' and '.join(missing)}, not found on the PATH"
            f"{' (the variable CXX names it)' if compiler in missing and compiler != 'g++' else ''}; install it "
            f"(on Debian and Ubuntu: sudo apt install make g++). {_WITHOUT}"
        )
    if hardware_make.headers() is None:
        raise ToolError(
            "the compiled kernel needs the arbitrary-precision headers that hls4ml ships; pip install 'pynq_ee[sim]', "
            f"or set AP_TYPES to a directory that has them. {_WITHOUT}"
        )


def _build(model: Model, path: Path) -> Path:
    """Compile in a folder of its own, and put the library where it is to be."""
    _check_tools()
    # A warning, so that it is seen where no logging is set up: a notebook's first cell waits for this.
    _log.warning(
        "compiling the kernel's C++ for build_id 0x%08x, once on this machine: up to a minute; it is kept in %s",
        model.build_id,
        path.parent,
    )

    def compile_in(folder: Path) -> Path:
        constants.generate(model, folder / "generated")
        # What a compiler of another year warns of is no matter of the user's.
        done = hardware_make.make(folder, "lib", WARNINGS="-w")
        if done.returncode or not (folder / _LIBRARY).is_file():
            raise ToolError(
                f"the kernel cannot be compiled: `{' '.join(done.args)}` ended with {done.returncode}. {_WITHOUT}. "
                f"It said:\n{(done.stdout + done.stderr).strip()}"
            )
        return folder / _LIBRARY

    return libraries.build(path, compile_in, _KERNEL)
