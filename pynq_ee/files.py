"""Files that are whole or not there, and the way to them, which is looked at before the work begins."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import secrets
import stat
import sys
from pathlib import Path
from typing import Any

#: What the links of /dev/stdout, /dev/fd/3 and the like lead to. The link behind it names no path, or not the one
#: that a write must go to.
_DESCRIPTOR = re.compile(r"/proc/(\d+)(?:/task/\d+)?/fd/(\d+)")

#: As many links as Linux follows.
_LINKS = 40


def write_atomically(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write a file under a temporary name beside it, then rename it: a reader never sees half of one.

    Missing folders are made. A link is followed, and what it leads to is written. A new file has the permissions that
    the umask gives it; one that is replaced keeps its own. What cannot be replaced is written in place: a device, a
    pipe, an open descriptor (``/dev/stdout``), a file with several names or in a folder that is closed to this user.

    Raises
    ------
    OSError
        It cannot be written. :func:`check_way_out` raises the same before there is anything to write.
    """
    target = _followed(path)
    if (descriptor := _own_descriptor(target)) is not None:
        sys.stdout.flush()  # what was printed before comes before
        _write_all(os.dup(descriptor), content)
        return Path(path)
    found = _examined(target)
    if found is not None and not _replaceable(target, found):
        _write_all(os.open(target, os.O_WRONLY | (os.O_TRUNC if stat.S_ISREG(found.st_mode) else 0)), content)
        return Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary, handle = _create_in(target.parent)
    try:
        if found is not None:
            with contextlib.suppress(PermissionError):  # only root may give a file away
                os.fchown(handle, found.st_uid, found.st_gid)
            os.fchmod(handle, stat.S_IMODE(found.st_mode))
        _write_all(handle, content)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return Path(path)


def read_json(path: str | os.PathLike[str]) -> Any:
    """What a file of JSON says, of whatever origin.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It is no JSON in UTF-8, or one nested deeper than Python reads.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def check_way_out(path: str | os.PathLike[str]) -> None:
    """Find out, before the work begins, whether :func:`write_atomically` could write a file.

    Nothing is left behind; missing folders are not made yet. A full disk is not found out so.

    Raises
    ------
    OSError
        It could not: a folder, a socket or a block device of that name, a loop of links, no permission, a read-only
        file system.
    """
    target = _followed(path)
    if (descriptor := _own_descriptor(target)) is not None:
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise _error(errno.EBADF, path)
        return
    found = _examined(target)
    if found is None or _replaceable(target, found):
        check_folder(target.parent)


def check_folder(path: str | os.PathLike[str]) -> None:
    """Find out whether files could be written in a folder, which need not be there yet.

    Raises
    ------
    OSError
        They could not.
    """
    folder = _followed(path)
    while not folder.exists():
        folder = folder.parent
    # Tried, not asked for: of root every folder seems to be writable.
    temporary, handle = _create_in(folder)
    os.close(handle)
    temporary.unlink()


def _followed(path: str | os.PathLike[str]) -> Path:
    """Where the links of a path lead."""
    current = Path(path).absolute()
    for _ in range(_LINKS):
        current = Path(os.path.realpath(current.parent)) / current.name
        if not current.is_symlink() or _DESCRIPTOR.fullmatch(str(current)):
            return current
        current = current.parent / current.readlink()
    raise _error(errno.ELOOP, path)


def _own_descriptor(target: Path) -> int | None:
    """The number of this process's open descriptor that a path names."""
    found = _DESCRIPTOR.fullmatch(str(target))
    return int(found[2]) if found and int(found[1]) == os.getpid() else None


def _examined(target: Path) -> os.stat_result | None:
    """What is there now, which may be written or replaced; None: nothing."""
    try:
        found = target.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        raise _error(errno.EISDIR, target)
    if stat.S_ISSOCK(found.st_mode) or stat.S_ISBLK(found.st_mode):
        kind = "socket" if stat.S_ISSOCK(found.st_mode) else "block device"
        raise OSError(errno.EINVAL, f"Is a {kind}", str(target))
    if not _writable(target):
        raise _error(errno.EACCES, target)
    return found


def _replaceable(target: Path, found: os.stat_result) -> bool:
    """Whether a new file may take the place of this one, rather than its content."""
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and _writable(target.parent)


def _writable(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _create_in(folder: Path) -> tuple[Path, int]:
    """A new file in a folder, of the permissions that the umask gives, and its descriptor."""
    path = folder / f".{secrets.token_hex(8)}.tmp"
    try:
        return path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from error


def _write_all(handle: int, content: bytes) -> None:
    with os.fdopen(handle, "wb") as file:
        file.write(content)


def _error(number: int, path: str | os.PathLike[str]) -> OSError:
    return OSError(number, os.strerror(number), os.fspath(path))
