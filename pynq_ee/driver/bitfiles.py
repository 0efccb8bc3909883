"""Which bitstream belongs to which device, and what can be told of one before it is loaded."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import os
import re
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pynq_ee.driver import bit_header, design_rules, hardware_description, packed_overlay
from pynq_ee.errors import DeviceError, IdentityError, InputError, OverlayError
from pynq_ee.network import spec
from pynq_ee.network.spec import BOARDS, DEFAULT_BOARD, Board
from pynq_ee.network.weights import Model

_PACKAGE = Path(__file__).resolve().parent.parent

#: Where overlays lie: in an installed package, or in a checkout.
OVERLAY_FOLDERS = (_PACKAGE / "overlay_files", _PACKAGE.parent / "overlay")

#: Bytes of a manifest that are read; what the build writes has some hundred.
_MANIFEST_LIMIT = 1 << 16

_BUILD = "vivado -mode batch -source hw/build.tcl -tclargs --board"

#: The name that asks for the experimental overlay, and that of its folder.
OPEN = "open"
_BUILD_OPEN = "make -C hw overlay FLOW=open"


#: What else there is for a caller of :func:`this_board` that can use a simulated one.
_OTHERWISE = 'ask for all software, device="software", or for a simulated one, device="sim" (--device software, sim)'


def this_board(otherwise: str = _OTHERWISE) -> Any:
    """pynq's device of the board that this runs on.

    Parameters
    ----------
    otherwise
        What to do on a machine without a board, for the error.

    Raises
    ------
    DeviceError
        No board, or pynq cannot use it.
    """
    hint = f"on a machine without a board, {otherwise}"
    try:
        from pynq.pl_server.device import Device
    except ImportError as error:
        raise DeviceError(f"pynq is not usable here ({error}); pip install pynq") from error
    try:
        with warnings.catch_warnings():  # the error says it too
            warnings.filterwarnings("ignore", "No devices found")
            _set_event_loop()
            device = Device.active_device
    except (RuntimeError, OSError, AttributeError) as error:
        raise DeviceError(f"no board here ({error}); {hint}") from error
    if hasattr(device, "fabric_clocks"):
        raise DeviceError(f"pynq's active device is a simulated board, which must be asked for by name; {hint}")
    return device


def _set_event_loop() -> None:
    """pynq asks for the current event loop when it finds a board: none is in a thread, nor after ``asyncio.run``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            asyncio.get_event_loop()
    except RuntimeError:
        asyncio.set_event_loop(asyncio.new_event_loop())


def board_of(device: Any) -> Board:
    """The board that a pynq device is part of: as a simulated or a remote one says, or as the image's BOARD says.

    Without a word of either it is the default board. DeviceError: one that :data:`~pynq_ee.network.spec.BOARDS` lacks.
    """
    remote = device.name if "REMOTE" in getattr(device, "capabilities", ()) else None
    name = getattr(device, "board", None) or remote or os.environ.get("BOARD") or DEFAULT_BOARD.name
    key = re.sub(r"[^a-z0-9]", "", str(name).lower())
    for board in BOARDS.values():
        if board.name.replace("-", "") == key:
            return board
    raise DeviceError(f"board is {name!r}; an overlay can be built for {', '.join(BOARDS)}")


def choose(bitfile: str | Path | None, device: Any, build_id: int | None = None) -> Path:
    """The checked ``.bit`` that a user asks for.

    Parameters
    ----------
    bitfile
        Its path; None: the one that belongs to the device, see :func:`find`; :data:`OPEN`: the experimental one, see
        :func:`find_open`.
    device
        pynq's device, or a simulated one.
    build_id
        As in :func:`check`.

    Raises
    ------
    DeviceError
        As :func:`board_of`.
    InputError, OverlayError, IdentityError, ToolError
        As :func:`check` and :func:`find_open`.
    """
    if bitfile is None:
        return find(device, build_id)
    board = board_of(device)
    return find_open(board, build_id) if bitfile == OPEN else check(bitfile, board, build_id)


def find(device: Any, build_id: int | None = None) -> Path:
    """The ``.bit`` that belongs to a device: the simulated board's own, or the one that lies in ``overlay/``.

    Raises
    ------
    OverlayError, IdentityError
        None is there, or it cannot be the right one, see :func:`check`; the message says how to build it.
    """
    if hasattr(device, "bitfile"):
        return check(device.bitfile, board_of(device), build_id)
    return find_for(board_of(device), build_id)


def find_for(board: Board, build_id: int | None = None) -> Path:
    """The checked ``.bit`` for a board out of :data:`OVERLAY_FOLDERS`; errors as in :func:`find`.

    The experimental one is never taken for it: the error says that it is there.
    """
    if bitfile := _first_bit(folder / sub for folder in OVERLAY_FOLDERS for sub in (board.name, "")):
        return check(bitfile, board, build_id)
    text = (
        f"no bitstream for {board.name} in {_folders()}; build it on a machine with Vivado: `{_BUILD} {board.name}`, "
        "or name one with bitfile="
    )
    if experimental := open_bitfile(board):
        text += f'. An experimental one is here: bitfile="{OPEN}" (--bitfile {OPEN}). {standing(experimental)}'
    raise OverlayError(text)


def find_open(board: Board, build_id: int | None = None) -> Path:
    """The checked experimental ``.bit`` for a board: made by open tools, from the RTL, without Vivado.

    One that is packed is unpacked into the cache first.

    Raises
    ------
    OverlayError, IdentityError
        As :func:`find`.
    ToolError
        It is packed, and no cache can be written.
    """
    if bitfile := open_bitfile(board):
        plain = packed_overlay.unpack(bitfile) if bitfile.suffix == packed_overlay.SUFFIX else bitfile
        return check(plain, board, build_id, f"`{_BUILD_OPEN}`")
    raise OverlayError(
        f"no experimental bitstream for {board.name} in folders {OPEN} of {_folders()}; open tools make one for "
        f"{DEFAULT_BOARD.name}: `{_BUILD_OPEN}`"
    )


def open_bitfile(board: Board) -> Path | None:
    """The experimental ``.bit`` for a board, or for one of the same part, as it lies there: packed or not, not checked.

    None: there is none.
    """
    alike = sorted((each for each in BOARDS.values() if each.part == board.part), key=lambda each: each != board)
    folders = (folder / OPEN / each.name for folder in OVERLAY_FOLDERS for each in alike)
    return _first_bit(folders, ("", packed_overlay.SUFFIX))


def as_in_open(model: Model, board: Board) -> Model:
    """A model at the width of streams that the experimental overlay for a board has, as its manifest says.

    The width changes no answer, but it is part of a circuit's identity. An overlay that was asked for by name decides
    it. Without one, or without a manifest that says it, this is the model itself.
    """
    experimental = open_bitfile(board)
    pixels = manifest(experimental).get("pixels_per_beat") if experimental else None
    try:
        return model if pixels is None else replace(model, spec=replace(model.spec, pixels_per_beat=pixels))
    except ValueError:  # no width that there is
        return model


def standing(bitfile: Path) -> str:
    """What its manifest says was proved of an overlay, and what not: sentences for a user who is asked to trust it."""
    built = manifest(bitfile)
    passed = built.get("passed")
    names = [str(each) for each in passed] if isinstance(passed, list) else []
    proved = f"Passed: {', '.join(names)}." if names else "Its manifest does not say what it has passed."
    if built.get("tried_on_board") is True:
        return f"{proved} It was tried on a board."
    return (
        f"{proved} No board has run it yet: a bus access that is never answered freezes a board until it is switched "
        "off and on."
    )


def _first_bit(folders: Iterable[Path], suffixes: tuple[str, ...] = ("",)) -> Path | None:
    bits = (folder / f"{spec.OVERLAY_NAME}.bit{suffix}" for folder in folders for suffix in suffixes)
    return next((bit for bit in bits if bit.exists()), None)


def _folders() -> str:
    return " or ".join(map(str, [folder for folder in OVERLAY_FOLDERS if folder.is_dir()] or OVERLAY_FOLDERS))


def manifest(bitfile: Path) -> dict[str, Any]:
    """What the build wrote of itself beside a bitstream: ``build_id`` (int), ``clock_mhz`` (float), ..; else nothing.

    A manifest that cannot be read counts as none: the identity is checked in the fabric all the same.
    """
    try:
        with bitfile.with_name("manifest.json").open("rb") as file:
            content = json.loads(file.read(_MANIFEST_LIMIT))
        build_id, clock_mhz = int(content["build_id"], 16), float(content["clock_mhz"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return {}
    if not 0 < clock_mhz < math.inf:  # deadlines are computed from it
        return {}
    return {**content, "build_id": build_id, "clock_mhz": clock_mhz}


def clock_mhz(bitfile: Path, board: Board) -> float:
    """The clock, MHz, that a checked ``.bit`` was built for: by its manifest, else its .hwh, else as the board has it.

    Files that are copied to a board by hand are often ``.bit`` and ``.hwh`` alone, as pynq needs no more.
    """
    said: float | None = manifest(bitfile).get("clock_mhz")
    if said is None:
        said = hardware_description.clock_mhz(hardware_description.read(bitfile.with_suffix(".hwh")))
    return board.clock_mhz if said is None else said


def build_id_of(bitfile: Path) -> int | None:
    """The ``build_id`` of a ``.bit``, told without loading it: its header's, else its manifest's, else None.

    Raises
    ------
    OverlayError
        No ``.bit``.
    """
    user_id = bit_header.read(bitfile).user_id
    build_id: int | None = manifest(bitfile).get("build_id")
    return build_id if user_id is None else user_id


def _interface_of(bitfile: Path) -> int | None:
    """The version of the interface that the manifest beside a ``.bit`` says; None where it says none."""
    version = manifest(bitfile).get("interface_version")
    return version if isinstance(version, int) else None


def check(bitfile: str | Path, board: Board, build_id: int | None = None, build: str = "") -> Path:
    """Check an overlay's files before anything is programmed.

    Parameters
    ----------
    bitfile
        The ``.bit``; its ``.hwh`` lies beside it.
    board
        Whose part it must be for.
    build_id
        That of the model which the overlay is wanted for; None accepts any.
    build
        The command that makes such files, for errors; empty: that of Vivado's.

    Raises
    ------
    InputError
        ``bitfile`` is neither text nor a path.
    IdentityError
        A .bit of another version of the interface, as its manifest says, or of another model, see
        :func:`build_id_of`. One that tells none is judged when it is loaded.
    OverlayError
        A missing or damaged .bit or .hwh; files of two builds; another part than the board's; no DMA, no kernel, or a
        DMA that cannot do what is needed (:mod:`pynq_ee.driver.design_rules`).
    """
    if not isinstance(bitfile, (str, os.PathLike)):
        raise InputError(f"an overlay is named by the path of its .bit, not by {type(bitfile).__name__}")
    bit = Path(bitfile)
    build = build or f"`{_BUILD} {board.name}`"
    if bit.is_dir():
        raise OverlayError(f"{bit} is a folder; name the .bit in it")
    if bit.suffix == packed_overlay.SUFFIX:
        raise OverlayError(
            f'{bit} is compressed; bitfile="{OPEN}" takes the experimental overlay as it is, and any other is named by '
            "its .bit, unpacked, with its .hwh beside it"
        )
    hwh = bit.with_suffix(".hwh")
    for path in (bit, hwh):
        if not path.is_file():
            raise OverlayError(f"no {path}; {build} makes .bit and .hwh together")
    header = bit_header.read(bit)
    if not _is_part(header.part, board):
        raise OverlayError(f"{bit} is for the part {header.part}; {board.name} has a {board.part}. Run {build}")
    if (interface := _interface_of(bit)) not in (None, spec.INTERFACE_VERSION):
        raise IdentityError(
            f"{bit} speaks version {interface} of the interface, this driver version {spec.INTERFACE_VERSION}: their "
            f"registers and streams differ. Rebuild it: `pynq-ee export`, then {build}"
        )
    found = build_id_of(bit)
    if None not in (build_id, found) and build_id != found:
        raise IdentityError(
            f"{bit} is the bitstream of another model: build_id 0x{found:08x} (needed 0x{build_id:08x}). Name "
            f"the one that was built for this model with bitfile=, or rebuild: `pynq-ee export`, then {build}"
        )
    _check_one_build(bit, hwh, header.user_id, build)
    try:
        design = hardware_description.read(hwh)
    except OverlayError as error:
        raise OverlayError(f"{error}; {build} builds it") from error
    _check_part(hwh, design, board)
    for violation in design_rules.violations(design):
        raise OverlayError(f"{hwh} does not serve: {violation}. Run {build}")
    return bit


def _check_one_build(bit: Path, hwh: Path, user_id: int | None, build: str) -> None:
    """See that .bit and .hwh are of one build.

    The manifest of a build has their digests. Their times say nothing after a clone or an installation, so they are
    looked at only where there is no digest.
    """
    built = manifest(bit)
    digests = built.get("sha256")
    if isinstance(digests, dict) and {bit.name, hwh.name} <= digests.keys():
        for path in (bit, hwh):
            if hashlib.sha256(path.read_bytes()).hexdigest() != digests[path.name]:
                raise OverlayError(
                    f"{path} is not the file that {bit.with_name('manifest.json')} was written with: copy "
                    f"{bit.name}, {hwh.name} and manifest.json of one build together, or run {build}"
                )
    elif bit.stat().st_mtime > hwh.stat().st_mtime + 1:
        raise OverlayError(f"{hwh} is older than {bit.name}: it describes another build. Copy both, or run {build}")
    if None not in (user_id, built.get("build_id")) and user_id != built["build_id"]:
        raise OverlayError(
            f"{bit} has build_id 0x{user_id:08x}, manifest.json beside it 0x{built['build_id']:08x}: they are of two "
            f"builds. Copy the files of one build together, or run {build}"
        )


def _is_part(part: str, board: Board) -> bool:
    """Whether a part is the board's: with the leading ``xc`` or without, with a speed grade or without."""
    return bool(part) and board.part.replace("-", "").startswith(f"xc{part.removeprefix('xc').replace('-', '')}")


def _check_part(hwh: Path, design: ElementTree.Element, board: Board) -> None:
    """A .hwh names its part in pieces (DEVICE 7z020, PACKAGE clg400, SPEEDGRADE -1); compare device and package.

    DEVICE is met with the leading ``xc`` and without.
    """
    info = design.find("SYSTEMINFO")
    if info is None:
        raise OverlayError(f"{hwh} does not say its part; it is no hardware description of Vivado")
    device, package = info.get("DEVICE", ""), info.get("PACKAGE", "")
    if not (device and package and _is_part(f"{device}{package}", board)):
        raise OverlayError(f"{hwh} is for the part {device}{package}; {board.name} has a {board.part}")
