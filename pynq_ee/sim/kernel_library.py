"""The kernel's C++ as a shared library of this machine: built when it first is needed, kept, and loaded.

Libraries lie in the user's cache (``PYNQ_EE_CACHE``, or ``pynq_ee`` in ``XDG_CACHE_HOME`` or ``~/.cache``), named by
the model's build_id and a digest of everything that they are compiled from, so that none is ever stale. They are
built in a directory of their own and renamed: two processes that build the same one do not meet.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import logging
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import ToolError
from pynq_ee.generate import constants
from pynq_ee.network.weights import Model

_PACKAGE = Path(__file__).resolve().parent.parent
_LIBRARY = "libfirst_exit.so"
_SOURCES = ("Makefile", "hls/**/*")
#: Variables by which a make that runs this program would pass its flags on to the one that it starts.
MAKE_FLAGS = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
_WITHOUT = 'kernel="numpy" (device="sim-numpy") needs no compiler'

_log = logging.getLogger(__name__)

Array = npt.NDArray[np.uint8]
#: ``(beats, last, images, mode, output, output_last) -> (consumed beats, produced beats, registers)``, None if starved.
Function = Callable[[Array, Array, int, int, Array, Array], "tuple[int, int, dict[str, int]] | None"]


_REGISTER_NAMES = ("magic", "version", "build_id", "images_done", "error_flags")


class _Registers(ctypes.Structure):
    """``struct first_exit_registers`` of hw/hls/tb/library.h."""

    _fields_ = [(name, ctypes.c_uint32) for name in _REGISTER_NAMES]


_DONE, _STARVED = 0, 1


def library(model: Model) -> Path:
    """Path of the shared library of a model's kernel; built if it is not in the cache.

    Raises
    ------
    ToolError
        make, a C++ compiler or the headers of hls4ml are missing, the compiler fails (its output is in the message),
        or the cache cannot be written.
    """
    hardware = hardware_folder()
    generated = constants.generated(model)
    path = _cache() / f"first_exit-{model.build_id:08x}-{_digest(hardware, generated)}.so"
    if path.exists():
        return path
    _check_tools()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".building-", dir=path.parent) as directory:
            _build(hardware, model, Path(directory)).replace(path)
    except OSError as error:
        raise ToolError(
            f"the compiled kernel cannot be kept in {path.parent} ({error}); set PYNQ_EE_CACHE to a writable directory"
        ) from error
    return path


def load(path: Path, beat_bytes: int) -> Function:
    """Load a library and return its ``first_exit_run``.

    Raises
    ------
    ToolError
        It cannot be loaded, or is for beats of another width.
    """
    try:
        loaded = ctypes.CDLL(str(path))
    except OSError as error:
        raise ToolError(f"{path} cannot be loaded ({error}); delete it, it is built again then") from error
    if (found := loaded.first_exit_beat_bytes()) != beat_bytes:
        raise ToolError(f"{path} has beats of {found} bytes, the model's have {beat_bytes}; delete it, it is stale")
    run = loaded.first_exit_run
    bytes_in = np.ctypeslib.ndpointer(np.uint8, flags="C_CONTIGUOUS")
    bytes_out = np.ctypeslib.ndpointer(np.uint8, flags=("C_CONTIGUOUS", "WRITEABLE"))
    count = ctypes.POINTER(ctypes.c_uint64)
    run.argtypes = [
        bytes_in, bytes_in, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_uint32,
        bytes_out, bytes_out, ctypes.c_uint64, count, count, ctypes.POINTER(_Registers),
    ]  # fmt: skip
    run.restype = ctypes.c_int

    def function(
        beats: Array, last: Array, images: int, mode: int, output: Array, output_last: Array
    ) -> tuple[int, int, dict[str, int]] | None:
        consumed, produced, registers = ctypes.c_uint64(), ctypes.c_uint64(), _Registers()
        status = run(
            beats, last, len(beats), images, mode, output, output_last, len(output),
            ctypes.byref(consumed), ctypes.byref(produced), ctypes.byref(registers),
        )  # fmt: skip
        if status == _STARVED:
            return None
        if status != _DONE:
            raise ToolError(f"the compiled kernel returned {status} for {images} images; delete {path} and report it")
        return consumed.value, produced.value, {name: getattr(registers, name) for name in _REGISTER_NAMES}

    return function


def hardware_folder() -> Path:
    """Where the C++ lies: in an installed package, or in a checkout."""
    candidates = (_PACKAGE / "hw", _PACKAGE.parent / "hw")
    for directory in candidates:
        if (directory / "Makefile").is_file() and (directory / "hls").is_dir():
            return directory
    raise ToolError(
        f"no C++ of the kernel in {' or '.join(map(str, candidates))}; install the package again, or work in a "
        f"checkout. {_WITHOUT}"
    )


def _cache() -> Path:
    if chosen := os.environ.get("PYNQ_EE_CACHE"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "pynq_ee"


def _digest(hardware: Path, generated: Mapping[str, str]) -> str:
    """Digest of the sources, the generated files and the machine that a library is built from and for."""
    digest = hashlib.sha256(f"{sys.platform} {platform.machine()}".encode())
    paths = sorted({path for pattern in _SOURCES for path in hardware.glob(pattern) if path.is_file()})
    contents = {str(path.relative_to(hardware)): path.read_bytes() for path in paths}
    contents |= {f"generated/{name}": text.encode() for name, text in generated.items()}
    for name, content in contents.items():
        digest.update(f"\n{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def _check_tools() -> None:
    compiler = os.environ.get("CXX", "g++").split()[0]
    missing = [tool for tool in ("make", compiler) if shutil.which(tool) is None]
    if missing:
        raise ToolError(
            f"the compiled kernel needs {' and '.join(missing)}, not found on the PATH; install it "
            f"(on Debian and Ubuntu: sudo apt install make g++). {_WITHOUT}"
        )
    if "AP_TYPES" not in os.environ and importlib.util.find_spec("hls4ml") is None:
        raise ToolError(
            "the compiled kernel needs the arbitrary-precision headers that hls4ml ships; pip install 'pynq_ee[sim]', "
            f"or set AP_TYPES to a directory that has them. {_WITHOUT}"
        )


def _build(hardware: Path, model: Model, directory: Path) -> Path:
    """Compile in a directory that is empty, and return the library's path in it."""
    generated, build = directory / "generated", directory / "build"
    constants.generate(model, generated)
    variables = [f"GENERATED={generated}", f"BUILD={build}", f"PYTHON={sys.executable}"]
    command = ["make", "-C", str(hardware), "lib", *variables]
    environment = {name: value for name, value in os.environ.items() if name not in MAKE_FLAGS}
    # A warning, so that it is seen where no logging is set up: a notebook's first cell waits for this.
    _log.warning("compiling the kernel's C++ for build_id 0x%08x, once on this machine: up to a minute", model.build_id)
    completed = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if completed.returncode or not (build / _LIBRARY).is_file():
        output = (completed.stdout + completed.stderr).strip()
        raise ToolError(
            f"the kernel cannot be compiled: `{' '.join(command)}` ended with {completed.returncode}. {_WITHOUT}. "
            f"It said:\n{output}"
        )
    return build / _LIBRARY
