"""Arrays in an ``.npz``: out of one of unknown origin, nothing is unpickled, and no size is taken on trust.

A file is read once, at most :data:`FILE_LIMIT` bytes of it, so that what was checked is what is used. A member's type
and shape are compared before its content is unpacked, and no more is unpacked than that shape holds.
"""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import ModelFileError

#: Bytes of a file at most. The largest network with the longest header has 1.3 MB, not packed.
FILE_LIMIT = 2 << 20

#: Bytes of the description in a member at most: NumPy evaluates it as Python literals, and writes some 120.
DESCRIPTION_LIMIT = 1024

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_archive(path: Path) -> zipfile.ZipFile:
    """The archive in a file, its content not yet looked at.

    Raises
    ------
    ModelFileError
        Too large a file, two members of one name, a packing that NumPy does not write.
    OSError, zipfile.BadZipFile
        No file (a folder, a device, ..), or no archive.
    """
    if path.exists() and not path.is_file():  # opening a named pipe would wait for ever
        raise OSError("not a regular file")
    with path.open("rb") as file:
        content = file.read(FILE_LIMIT + 1)
    if len(content) > FILE_LIMIT:
        raise ModelFileError(f"it has more than {FILE_LIMIT} bytes, which no model needs; export it again")
    archive = zipfile.ZipFile(io.BytesIO(content))
    for entry in archive.infolist():
        if entry.compress_type not in _METHODS:  # those of lzma take memory as the file says
            raise ModelFileError(
                f"{entry.filename} is packed by method {entry.compress_type}; stored and deflate are read"
            )
    twice = [name for name, count in Counter(member_names(archive)).items() if count > 1]
    if twice:
        raise ModelFileError(f"it has several members named {', '.join(sorted(twice))}; export it again")
    return archive


def pack(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """An archive of plain arrays, as ``numpy.savez_compressed`` writes one.

    That function's own bytes depend on Python's version: its zipfile does not know a member's size beforehand.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy")  # of the year 1980, not of now
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, member.getvalue())
    return content.getvalue()


def member_names(archive: zipfile.ZipFile) -> list[str]:
    """Names of the arrays in an archive."""
    return [name.removesuffix(".npy") for name in archive.namelist()]


def describe(archive: zipfile.ZipFile, name: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Type and shape that a member claims to have, without reading, allocating or unpickling its content.

    Raises
    ------
    ModelFileError
        A version of the format that a model is not written in, or a description too long for one.
    Exception
        A damaged member: zipfile, zlib and NumPy each have errors of their own.
    """
    with archive.open(f"{name}.npy") as member:
        version = np.lib.format.read_magic(member)
        if version != (1, 0):
            raise ModelFileError(f"{name} is a .npy of version {version}; 1.0 is read")
        length = int.from_bytes(member.peek(2)[:2], "little")  # type: ignore[attr-defined]
        if length > DESCRIPTION_LIMIT:
            raise ModelFileError(f"{name} has a description of {length} bytes; at most {DESCRIPTION_LIMIT}")
        shape, _, dtype = np.lib.format.read_array_header_1_0(member)
    return dtype, shape


def read_array(archive: zipfile.ZipFile, name: str, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> Any:
    """Read an array that describes itself as expected; its content is touched only then. Errors as in ``describe``."""
    check_description(name, *describe(archive, name), dtype, shape)
    with archive.open(f"{name}.npy") as member:
        array = np.lib.format.read_array(member, allow_pickle=False)
        if member.read(1):  # and at the end, which this read reaches, zipfile has compared the checksum
            raise ModelFileError(f"{name} has bytes behind its array")
    return array


def check_description(
    name: str, found_dtype: np.dtype[Any], found_shape: tuple[int, ...], dtype: npt.DTypeLike, shape: tuple[int, ...]
) -> None:
    """Compare the type and shape of an array with those that it must have; ModelFileError where they differ."""
    if found_dtype != np.dtype(dtype) or found_shape != shape:
        raise ModelFileError(f"{name} is {found_dtype} {found_shape}; it must be {np.dtype(dtype)} {shape}")
