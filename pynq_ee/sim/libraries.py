"""Shared libraries that are compiled on this machine when they first are needed, and kept.

They lie in the user's cache (:mod:`pynq_ee.cache`), under names that have a digest of all that they are compiled from.
Each ends with a digest of its own content: one that is not whole is built again, as is another user's, whose code is
not run. They are built in a folder of their own, and two processes that build the same one do not meet.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from pynq_ee import cache
from pynq_ee.errors import ToolError
from pynq_ee.files import check_folder

_ELSEWHERE = "set PYNQ_EE_CACHE to a writable directory, on a file system from which programs may run"


class Kind(NamedTuple):
    """What a library is, for messages: what it is called, and what does without it."""

    what: str
    without: str


def digest(hardware: Path, patterns: Iterable[str], generated: Mapping[str, str]) -> str:
    """Digest of the sources, the generated files and the machine that a library is built from and for.

    Parameters
    ----------
    hardware
        The folder of the sources.
    patterns
        Of the files in it.
    generated
        Text by name.
    """
    found = hashlib.sha256(f"{sys.platform} {platform.machine()} {ctypes.sizeof(ctypes.c_void_p)}".encode())
    paths = sorted({path for pattern in patterns for path in hardware.glob(pattern) if path.is_file()})
    contents = {str(path.relative_to(hardware)): path.read_bytes() for path in paths}
    contents |= {f"generated/{name}": text.encode() for name, text in generated.items()}
    for name, content in contents.items():
        found.update(f"\n{name} {len(content)}\n".encode() + content)
    return found.hexdigest()[:16]


def place(name: str, kind: Kind) -> Path:
    """Where a library is, whole and this user's; else where it is to be.

    Raises
    ------
    ToolError
        None of the cache's folders can be written and loaded from.
    """
    folders = cache.folders()
    for folder in folders:
        if is_whole(folder / name):
            return folder / name
    reasons = []
    for folder in folders:
        try:
            check_folder(folder)
            if not _forbids_programs(folder):
                return folder / name
            reasons.append(f"{folder}: mounted noexec")
        except OSError as error:
            reasons.append(f"{folder}: {error.strerror}")
    reason = "; ".join(reasons) or "no home and no folder of temporary files"
    raise ToolError(f"{kind.what} cannot be kept ({reason}); {_ELSEWHERE}. {kind.without}")


def is_whole(path: Path) -> bool:
    """Whether a library is there, this user's or the system's, and as it was built."""
    try:
        with path.open("rb") as file:
            owner, content = os.fstat(file.fileno()).st_uid, file.read()
    except OSError:  # not there, or another user's
        return False
    size = hashlib.sha256().digest_size
    whole = hashlib.sha256(content[:-size]).digest() == content[-size:]
    return owner in (0, os.geteuid()) and whole and not _forbids_programs(path)


def build(path: Path, compile_in: Callable[[Path], Path], kind: Kind) -> Path:
    """Build a library in a folder of its own, and put it where it is to be.

    Parameters
    ----------
    path
        From :func:`place`.
    compile_in
        Compiles in a folder that it is given, and says which file it became.
    kind
        For the message.

    Raises
    ------
    ToolError
        The cache cannot be written; and what ``compile_in`` raises.
    """
    try:
        cache.make(path.parent)
        with tempfile.TemporaryDirectory(prefix=".building-", dir=path.parent) as name:
            folder = Path(name)
            content = compile_in(folder).read_bytes()
            (folder / path.name).write_bytes(content + hashlib.sha256(content).digest())
            return (folder / path.name).replace(path)  # and not the content of what is there: it may be another user's
    except OSError as error:
        raise ToolError(f"{kind.what} cannot be kept in {path.parent} ({error}); {_ELSEWHERE}") from error


def load(path: Path, kind: Kind) -> ctypes.CDLL:
    """Load a library.

    Raises
    ------
    ToolError
        It cannot be loaded.
    """
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        remedy = f"it is mounted noexec: {_ELSEWHERE}" if _forbids_programs(path) else "it was built for another system"
        raise ToolError(f"{path} cannot be loaded ({error}); {remedy}. {kind.without}") from error


def _forbids_programs(path: Path) -> bool:
    """Whether a file system is mounted noexec, so that no library can be loaded from it."""
    while not path.exists():
        path = path.parent
    return bool(os.statvfs(path).f_flag & os.ST_NOEXEC)
