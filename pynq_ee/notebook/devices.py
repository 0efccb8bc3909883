"""Which device a notebook runs on: a board, or a simulated one that its first cell names."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from pynq_ee.inference import SIMULATED

#: Linux has it where it can program a fabric; pynq looks for a board there too.
_FPGA_MANAGER = Path("/sys/class/fpga_manager")


def choose(board: Any, elsewhere: str) -> Any:
    """One of two devices, by what this machine is, and say which.

    A machine counts as a board by its image (``BOARD``) or its FPGA manager, whether or not pynq can use it: a board
    that does not work is an error later, and no simulated one takes its place.

    Parameters
    ----------
    board
        On a board: None, the board itself, or a pynq device.
    elsewhere
        On any other machine: the name of a simulated board, or ``"software"``.
    """
    name = os.environ.get("BOARD") or (_FPGA_MANAGER.is_dir() and any(_FPGA_MANAGER.iterdir()) and "of unknown name")
    if name:
        print(f"a board ({name}): DEVICE is {board!r}")
        return board
    print(f"no board: DEVICE is {elsewhere!r}{', a simulated one' if elsewhere in SIMULATED else ''}")
    return elsewhere


def simulated(name: str) -> str:
    """A simulated board by its name; where its kernel cannot be compiled, the one that needs no compiler.

    What it computes is the same, bit for bit.
    """
    missing = tools_missing() if SIMULATED.get(name) == "hls" else ""
    if not missing:
        return name
    print(f"not here: the compiled kernel of {name!r} ({missing}); 'sim-numpy' takes its place")
    return "sim-numpy"


def tools_missing() -> str:
    """What the kernel's C++ needs and this machine lacks: make, a compiler or the headers. Empty: nothing."""
    from pynq_ee.sim import hardware_make

    if shutil.which("make") is None:
        return "no make: sudo apt install make g++"
    with tempfile.TemporaryDirectory() as folder:
        completed = hardware_make.make(Path(folder), "ap_types")
    if not completed.returncode:
        return ""
    return next(iter(completed.stderr.splitlines()), f"make fails with status {completed.returncode}")
