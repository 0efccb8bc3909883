"""One driver for one DMA: a lock file that two processes, root's and a user's alike, agree on.

The lock belongs to an open file (``flock``), so the kernel releases it when its process ends, however it ends. The
file itself stays: to remove it would let two processes lock two files of the same name.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import tempfile
import weakref
from pathlib import Path

from pynq_ee.errors import DeviceError

#: Where lock files belong on Debian and Ubuntu, writable by all; where there is none, the temporary directory.
_SYSTEM_DIRECTORY = Path("/run/lock")

#: Another process may create or remove the file between two looks at it.
_ATTEMPTS = 10

_held: weakref.WeakSet[DmaLock] = weakref.WeakSet()


class DmaLock:
    """The right to drive one DMA, held from the construction to :meth:`release`.

    Parameters
    ----------
    device
        pynq's device. Its ``tag`` names it; a device of one process says in ``state_directory`` where its lock lies.
    address
        Physical address of the DMA's registers.

    Attributes
    ----------
    held : bool
        Whether this process may drive the DMA: not after :meth:`release`, and not in a fork of the holder.

    Raises
    ------
    DeviceError
        It is held, by this process or by another one, which is named; or the file cannot be opened.
    """

    def __init__(self, device: object, address: int) -> None:
        directory = getattr(device, "state_directory", None) or _shared_directory()
        tag = re.sub(r"\W+", "-", str(getattr(device, "tag", "device")))
        self.path = Path(directory) / f"pynq_ee-{tag}-{address:x}.lock"
        self.held = False
        self._file = _open(self.path)
        self.held = True
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._file, 32, 0).decode("ascii", "replace").strip()
            self.release()
            who = "this process: close the other" if holder == str(os.getpid()) else f"process {holder}: end its"
            raise DeviceError(
                f"the DMA at 0x{address:x} is driven by {who} EarlyExitInference first (lock file {self.path})"
            ) from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        _held.add(self)

    def __del__(self) -> None:
        self.release()

    def release(self) -> None:
        """Let others have it. May be called twice."""
        if self.held:
            self.held = False
            os.close(self._file)


def _shared_directory() -> Path:
    usable = _SYSTEM_DIRECTORY.is_dir() and os.access(_SYSTEM_DIRECTORY, os.W_OK)
    return _SYSTEM_DIRECTORY if usable else Path(tempfile.gettempdir())


def _open(path: Path) -> int:
    """Open the file for every user.

    It is created only where it is missing: in a sticky directory Linux refuses ``O_CREAT`` on a file of another user
    (``fs.protected_regular``), root's included.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(FileNotFoundError):
                return os.open(path, flags)
            with contextlib.suppress(FileExistsError):
                file = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
                os.fchmod(file, 0o666)  # whatever the umask
                return file
    except OSError as error:
        raise DeviceError(f"the lock file {path} cannot be opened ({error}); make it readable and writable") from error
    raise DeviceError(f"the lock file {path} is created and removed by others all the time; see who does it")


def _forget() -> None:
    """In a fork the parent keeps the lock, and the child must not keep it alive."""
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_forget)
