"""Where what was fetched or compiled once is kept for the next time."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from pynq_ee.errors import ToolError
from pynq_ee.files import check_folder

_NAME = "pynq_ee"


def folders() -> list[Path]:
    """Where to look, the user's own cache first; absolute, and not made yet.

    The cache is ``PYNQ_EE_CACHE``, where that names one. Else ``pynq_ee`` in ``XDG_CACHE_HOME`` or ``~/.cache``, and,
    for a user without a home that can be written, a folder of this user's in the one of temporary files.

    Raises
    ------
    ToolError
        ``PYNQ_EE_CACHE`` names a home (``~``) that is not known.
    """
    if named := os.environ.get("PYNQ_EE_CACHE"):
        try:
            return [Path(named).expanduser().absolute()]
        except RuntimeError as error:
            raise ToolError(f"PYNQ_EE_CACHE is {named}, and {error}; set it to a writable directory") from error
    base = os.environ.get("XDG_CACHE_HOME", "")
    found = [Path(base) / _NAME] if base.startswith("/") else []  # a relative one is to be ignored, by its definition
    if not found and (home := _home()):
        found.append(home / ".cache" / _NAME)
    try:
        private = Path(tempfile.gettempdir()).absolute() / f"{_NAME}-{os.geteuid()}"
    except FileNotFoundError:  # no folder of temporary files either
        return found
    return [*found, private] if _is_private(private) else found


def _home() -> Path | None:
    try:
        return Path.home().absolute()
    except RuntimeError:  # no HOME, and a user that no list of users has
        return None


def _is_private(folder: Path) -> bool:
    """Whether a folder in a place that all may write to is this user's alone, or not there yet."""
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return True
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


def writable() -> Path:
    """The first of :func:`folders` that can be written; not made yet.

    Raises
    ------
    ToolError
        None can be.
    """
    reasons = []
    for folder in folders():
        try:
            check_folder(folder)
        except OSError as error:
            reasons.append(f"{folder}: {error.strerror}")
        else:
            return folder
    reason = "; ".join(reasons) or "no home, and no folder of temporary files"
    raise ToolError(f"there is no cache that can be written ({reason}); set PYNQ_EE_CACHE to a writable directory")


def make(folder: Path) -> None:
    """Make a folder of the cache, for this user alone where it is not there yet."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
