"""What files of unknown origin are given to: one function ``bytes -> None`` for each kind of file.

A target may raise the package's own exceptions, and says by its result whether the file was accepted. Whatever else it
raises is a defect, as is a hang or memory out of proportion.
"""

from __future__ import annotations

import gzip
import io
import os
import random
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pynq_ee.data import datasets
from pynq_ee.data.images import SHAPE, to_images
from pynq_ee.driver import bit_header, bitfiles
from pynq_ee.errors import PynqEEError
from pynq_ee.network import spec, weights

CORPUS = Path(__file__).with_name("corpus")

Change = Callable[[bytes], bytes]


class Target(NamedTuple):
    """A reader of files, and how to change a file such that the change is met behind its checksums."""

    read: Callable[[bytes], Any]
    change: Callable[[bytes, Change, random.Random], bytes] = lambda content, change, _: change(content)


def accepts(name: str, content: bytes) -> bool:
    """Give a file to a target: whether it was read, or refused as it should be."""
    try:
        TARGETS[name].read(content)
    except PynqEEError as error:
        assert str(error), "an error says what was wrong"
        return False
    return True


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="pynq_ee_fuzz_")


def _write(name: str, content: bytes) -> Path:
    path = Path(_folder().name) / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


# Model file ----------------------------------------------------------------------------------------------------------


def _read_model(content: bytes) -> None:
    weights.load(_write("model.npz", content))


def _change_member(content: bytes, change: Change, choice: random.Random) -> bytes:
    """Change one member under a right checksum; now and then the archive itself."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {entry.filename: archive.read(entry) for entry in archive.infolist() if entry.file_size < 1 << 20}
    except Exception:  # what is no archive is changed as it is
        members = {}
    if not members or choice.random() < 0.3:
        return change(content)
    name = choice.choice(sorted(members))
    members[name] = change(members[name])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in members.items():
            archive.writestr(zipfile.ZipInfo(name), member, zipfile.ZIP_DEFLATED, 1)
    return packed.getvalue()


# Overlay -------------------------------------------------------------------------------------------------------------


@cache
def _seed(name: str) -> bytes:
    return (CORPUS / name / "accepted-pynq-z2").read_bytes()


def _read_description(content: bytes) -> None:
    bit = _write("checked/first_exit.bit", _seed("bitstream"))
    _write("checked/first_exit.hwh", content)
    bitfiles.check(bit, spec.DEFAULT_BOARD)


def _read_manifest(content: bytes) -> None:
    """A manifest that cannot be read counts as none; one that can must be that of the files beside it."""
    bit = _write("manifest/first_exit.bit", _seed("bitstream"))
    _write("manifest/first_exit.hwh", _seed("description"))
    _write("manifest/manifest.json", content)
    if not bitfiles.manifest(bit):
        raise PynqEEError("it counts as none")
    bitfiles.check(bit, spec.DEFAULT_BOARD)


def _program_simulated(content: bytes) -> None:
    from pynq_ee.sim.bus import Bus
    from pynq_ee.sim.dram import Dram
    from pynq_ee.sim.programmable_logic import ProgrammableLogic

    logic = ProgrammableLogic(
        _write("simulated.hwh", content),
        Dram(0, 1 << 16),
        lambda *_: None,
        spec.DEFAULT.beat_bytes,
        lambda images, mode: None,
    )
    bus = Bus()
    logic.connect(bus)
    logic.settle()
    logic.disconnect(bus)


def _read_bitstream(content: bytes) -> None:
    bit_header.read(_write("read.bit", content))


# Picture -------------------------------------------------------------------------------------------------------------

_PNG = b"\x89PNG\r\n\x1a\n"


def _read_picture(content: bytes) -> None:
    path = _write("picture", content)
    result = to_images(path, fit=True)
    assert result.shape == (1, *SHAPE) and result.dtype == "uint8"


def _change_picture(content: bytes, change: Change, choice: random.Random) -> bytes:
    """Change a picture, and mostly make the checksums of a PNG right again."""
    content = change(content)
    return _checksummed(content) if content.startswith(_PNG) and choice.random() < 0.8 else content


def _checksummed(content: bytes) -> bytes:
    fixed, at = bytearray(content), len(_PNG)
    while at + 12 <= len(fixed):
        (length,) = struct.unpack_from(">I", fixed, at)
        end = at + 8 + length
        if end + 4 > len(fixed):
            break
        struct.pack_into(">I", fixed, end, zlib.crc32(fixed[at + 4 : end]))
        at = end + 4
    return bytes(fixed)


# Data set ------------------------------------------------------------------------------------------------------------


def _read_dataset(content: bytes) -> None:
    """A copy of MNIST with this file in the place of its test images."""
    before = os.environ.get("PYNQ_EE_MNIST")
    for name in datasets.FILES:
        path = _write(f"mnist/{name}", content if name == "t10k-images-idx3-ubyte" else b"")
    os.environ["PYNQ_EE_MNIST"] = str(path.parent)
    try:
        datasets.load("test")
    finally:
        os.environ.pop("PYNQ_EE_MNIST")
        if before is not None:
            os.environ["PYNQ_EE_MNIST"] = before


def _change_packed(content: bytes, change: Change, choice: random.Random) -> bytes:
    try:
        with gzip.open(io.BytesIO(content)) as file:
            unpacked = file.read(1 << 16)
    except (OSError, EOFError, zlib.error):
        return change(content)
    return change(content) if choice.random() < 0.5 else gzip.compress(change(unpacked), 1, mtime=0)


TARGETS = {
    "model": Target(_read_model, _change_member),
    "description": Target(_read_description),
    "simulated": Target(_program_simulated),
    "manifest": Target(_read_manifest),
    "bitstream": Target(_read_bitstream),
    "picture": Target(_read_picture, _change_picture),
    "dataset": Target(_read_dataset, _change_packed),
}
