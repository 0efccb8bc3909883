"""The open tools and their data: where they are, or how each is called and how its project installs it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pynq_ee.errors import ToolError

#: The variables that name the data where no option does: the family's folder in prjxray's format, and the part's chip
#: database of nextpnr-xilinx.
DATABASE, CHIP_DATABASE = "PYNQ_EE_XRAY_DATABASE", "PYNQ_EE_CHIP_DATABASE"

_INSTALLER = "openXC7's toolchain-installer or toolchain-nix (github.com/openXC7) installs it"

#: Each program: what it does, how it is called here, how its project installs it.
PROGRAMS: dict[str, tuple[str, str, str]] = {
    "nextpnr-xilinx": (
        "places and routes",
        "nextpnr-xilinx --chipdb CHIP.bin --json NETLIST.json --fasm OUT.fasm --freq MHZ --seed N",
        f"{_INSTALLER}; or build github.com/openXC7/nextpnr-xilinx with cmake -DARCH=xilinx",
    ),
    "fasm2frames": (
        "turns features into frames",
        "fasm2frames --db-root DATABASE --part PART IN.fasm OUT.frames",
        f"{_INSTALLER}; or put github.com/f4pga/prjxray's utils/fasm2frames.py on the PATH under this name",
    ),
    "xc7frames2bit": (
        "packs frames",
        "xc7frames2bit --part_file PART.yaml --part_name PART --frm_file IN.frames --output_file OUT.bit",
        f"{_INSTALLER}; or build github.com/f4pga/prjxray with cmake",
    ),
}


@dataclass(frozen=True)
class Tools:
    """Everything that is needed besides the netlist: paths of the programs by name, and of both databases."""

    programs: Mapping[str, str]
    database: Path
    chip_database: Path


def find(part: str, database: Path | None, chip_database: Path | None, path: str | None = None) -> Tools:
    """Find the programs on the PATH, and the data for a part.

    Parameters
    ----------
    part
        Such as ``xc7z020clg400-1``.
    database, chip_database
        None: the one that :data:`DATABASE` or :data:`CHIP_DATABASE` names.
    path
        Folders to look in, None: those of PATH.

    Raises
    ------
    ToolError
        Something is missing; the message names everything that is.
    """
    found = {name: shutil.which(name, path=path) for name in PROGRAMS}
    missing = [
        f"no {name} on the PATH, which {does}. It is called `{call}`; {install}"
        for name, (does, call, install) in PROGRAMS.items()
        if not found[name]
    ]
    data = database or _named(DATABASE)
    if data is None or not (data / part / "part.yaml").is_file():
        missing.append(
            f"no {part}/part.yaml in {data or 'a database'}: name the folder of the family in prjxray's format "
            f"(prjxray-db/zynq7) with --database or {DATABASE}; an installation of openXC7 has one"
        )
    chip = chip_database or _named(CHIP_DATABASE)
    if chip is None or not chip.is_file():
        missing.append(
            f"no chip database {chip or ''}".rstrip() + f": name the .bin of {part} with --chip-database or "
            f"{CHIP_DATABASE}; nextpnr-xilinx' xilinx/python/bbaexport.py --device {part} writes a .bba of the same "
            "database, and its bbasm makes the .bin"
        )
    if missing:
        raise ToolError("\n- ".join(["the open flow lacks:", *missing]))
    assert data is not None and chip is not None
    return Tools({name: str(where) for name, where in found.items()}, data, chip)


def _named(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value) if value else None


def run(command: Sequence[str], log: Path, minutes: float, hint: str) -> None:
    """Run a program, its output into a file.

    Parameters
    ----------
    minutes
        After which it is ended.
    hint
        What an error may come from.

    Raises
    ------
    ToolError
        It failed, or took too long; the message has the end of the file.
    """
    with log.open("w") as output:
        try:
            status: int | None = subprocess.run(
                command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=60 * minutes
            ).returncode
        except subprocess.TimeoutExpired:
            status = None
        except OSError as error:
            raise ToolError(f"{command[0]} cannot be run: {error}") from error
    if status != 0:
        ended = f"was ended after {minutes:g} minutes" if status is None else f"ended with status {status}"
        lines = log.read_text(errors="replace").splitlines()[-8:]
        raise ToolError("\n".join([f"{Path(command[0]).name} {ended}; {hint}. The end of {log}:", *lines]))


def version(program: str) -> str:
    """What nextpnr-xilinx says of its version."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True)
    found = re.search(r"Version ([^)\s]+)", done.stdout + done.stderr)
    return found[1] if found else "not told"


def python(*arguments: str) -> list[str]:
    """The command that runs a module of this package."""
    return [sys.executable, "-m", *arguments]


def now() -> str:
    """The date as manifests have it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
