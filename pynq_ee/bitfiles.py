"""Which bitstream belongs to which device, and what can be told of one before it is loaded."""

from __future__ import annotations

import json
import math
import os
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

from pynq_ee import spec
from pynq_ee.errors import DeviceError, OverlayError
from pynq_ee.spec import BOARDS, DEFAULT_BOARD, Board

_PACKAGE = Path(__file__).resolve().parent

#: Where overlays lie: in an installed package, or in a checkout.
OVERLAY_FOLDERS = (_PACKAGE / "overlay_files", _PACKAGE.parent / "overlay")

_BUILD = "vivado -mode batch -source hw/build.tcl -tclargs --board"


def this_board() -> Any:
    """pynq's device of the board that this runs on.

    Raises
    ------
    DeviceError
        No board, or pynq cannot use it; the message says how to ask for the simulated one.
    """
    hint = 'on a machine without a board, ask for the simulated one: EarlyExitInference(device="sim"), or --device sim'
    try:
        from pynq.pl_server.device import Device
    except ImportError as error:
        raise DeviceError(f"pynq is not usable here ({error}); pip install pynq") from error
    try:
        device = Device.active_device
    except (RuntimeError, OSError, AttributeError) as error:
        raise DeviceError(f"no board here ({error}); {hint}") from error
    if hasattr(device, "fabric_clocks"):
        raise DeviceError(f"pynq's active device is a simulated board, which must be asked for by name; {hint}")
    return device


def board_of(device: Any) -> Board:
    """The board that a pynq device is part of: as a simulated one says, or as the PYNQ image's BOARD variable says."""
    name = getattr(device, "board", None) or os.environ.get("BOARD") or DEFAULT_BOARD.name
    key = re.sub(r"[^a-z0-9]", "", str(name).lower())
    for board in BOARDS.values():
        if board.name.replace("-", "") == key:
            return board
    raise DeviceError(f"board is {name!r}; an overlay can be built for {', '.join(BOARDS)}")


def find(device: Any) -> Path:
    """The ``.bit`` that belongs to a device: the simulated board's own, or the one that lies in ``overlay/``.

    Raises
    ------
    OverlayError
        None is there, or it cannot be the right one; the message says how to build it.
    """
    if hasattr(device, "bitfile"):
        return Path(device.bitfile)
    return find_for(board_of(device))


def find_for(board: Board) -> Path:
    """The checked ``.bit`` for a board out of :data:`OVERLAY_FOLDERS`; errors as in :func:`find`."""
    for folder in OVERLAY_FOLDERS:
        for candidate in (folder / board.name, folder):
            if (bitfile := candidate / f"{spec.OVERLAY_NAME}.bit").exists():
                return check(bitfile, board)
    raise OverlayError(
        f"no bitstream for {board.name} in {' or '.join(map(str, OVERLAY_FOLDERS))}; build it on a machine with "
        f"Vivado: `{_BUILD} {board.name}`, or name one with bitfile="
    )


def manifest(bitfile: Path) -> dict[str, Any]:
    """What the build wrote of itself beside a bitstream: ``build_id`` (int), ``clock_mhz`` (float), ..; else nothing.

    A manifest that cannot be read counts as none: the identity is checked in the fabric all the same.
    """
    try:
        content = json.loads(bitfile.with_name("manifest.json").read_text())
        build_id, clock_mhz = int(content["build_id"], 16), float(content["clock_mhz"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    if not 0 < clock_mhz < math.inf:  # deadlines are computed from it
        return {}
    return {**content, "build_id": build_id, "clock_mhz": clock_mhz}


def check(bitfile: str | Path, board: Board) -> Path:
    """Check an overlay's files before anything is programmed.

    Raises
    ------
    OverlayError
        A missing .bit or .hwh; a .hwh older than its .bit; another part than the board's; no DMA, no kernel, or a DMA
        whose length register is too short.
    """
    bit = Path(bitfile)
    hwh = bit.with_suffix(".hwh")
    build = f"`{_BUILD} {board.name}`"
    for path in (bit, hwh):
        if not path.is_file():
            raise OverlayError(f"no {path}; {build} makes .bit and .hwh together")
    if bit.stat().st_mtime > hwh.stat().st_mtime + 1:
        raise OverlayError(f"{hwh} is older than {bit.name}: it describes another build. Copy both, or run {build}")
    try:
        design = ElementTree.parse(hwh).getroot()
    except (ElementTree.ParseError, LookupError, ValueError, OSError) as error:  # the middle two: its encoding
        raise OverlayError(f"{hwh} is damaged ({error}); run {build}") from error
    _check_part(hwh, design, board)
    modules = {module.get("INSTANCE", ""): module for module in design.iter("MODULE")}
    for name, vlnv in ((spec.DMA_NAME, spec.DMA_VLNV), (spec.KERNEL_NAME, spec.KERNEL_VLNV)):
        if name not in modules:
            raise OverlayError(f"{hwh} has no {name}; run {build}")
        if modules[name].get("VLNV") != vlnv:
            raise OverlayError(f"{name} in {hwh} is {modules[name].get('VLNV')}; {vlnv} is needed. Run {build}")
    parameters = {
        parameter.get("NAME", "").lower(): parameter.get("VALUE", "")
        for parameter in modules[spec.DMA_NAME].iter("PARAMETER")
    }
    length_bits = parameters.get("c_sg_length_width", "14")  # the DMA's own default
    if not length_bits.isdecimal() or int(length_bits) < spec.DMA_LENGTH_BITS:
        raise OverlayError(
            f"the DMA in {hwh} has a length register of {length_bits} bit; "
            f"{spec.DMA_LENGTH_BITS} are needed. Run {build}"
        )
    return bit


def _check_part(hwh: Path, design: ElementTree.Element, board: Board) -> None:
    """A .hwh names its part in pieces (DEVICE 7z020, PACKAGE clg400, SPEEDGRADE -1); compare device and package.

    DEVICE is met with the leading ``xc`` and without.
    """
    info = design.find("SYSTEMINFO")
    if info is None:
        raise OverlayError(f"{hwh} does not say its part; it is no hardware description of Vivado")
    device, package = info.get("DEVICE", ""), info.get("PACKAGE", "")
    part = f"xc{device.removeprefix('xc')}{package}"
    if not (device and package and board.part.replace("-", "").startswith(part)):
        raise OverlayError(f"{hwh} is for the part {device}{package}; {board.name} has a {board.part}")
