"""What pynq knows of who programmed the fabric last: in this process, and in every other one on the board.

In a process a device carries the time stamp of its last download. Between processes, pynq on a board writes a file
with each download (``global_pl_state*.json``, in its ``pl_server`` folder). Reading both costs no register access,
which matters: a read where the fabric answers no longer can hang the processor.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


class LoadState:
    """The load state as it was when our overlay had just been loaded.

    Parameters
    ----------
    overlay
        pynq's overlay, downloaded.
    device
        pynq's device that it was downloaded to.
    """

    def __init__(self, overlay: Any, device: Any) -> None:
        self._overlay = overlay
        self._device = device
        self._file = state_file(device)
        self._path = str(self._file)  # os.stat asks a Path for its text each time
        self._signature = self._sign()
        self._content = self._read()

    def other(self) -> str:
        """The bitstream that has been loaded since by somebody else; empty where nobody did.

        One comparison and one ``stat``, unless the file has been written.
        """
        if not self._overlay.is_loaded():
            return f"{self._device.bitfile_name}, by this process"
        if (signature := self._sign()) == self._signature:
            return ""
        content = self._read()
        if content in ("", self._content):  # removed, as at a cold start, or written again without a change
            self._signature = signature
            return ""
        try:
            return f"{json.loads(content)['bitfile_name']}, by another process"
        except (ValueError, KeyError, TypeError):  # it is just being written
            return "another bitstream, by another process"

    def _sign(self) -> tuple[int, int, int] | None:
        if self._file is None:
            return None
        try:
            found = os.stat(self._path)  # noqa: PTH116 - pathlib's takes three times as long
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> str:
        try:
            return self._file.read_text() if self._file else ""
        except FileNotFoundError:
            return ""


def state_file(device: Any) -> Path | None:
    """The file in which downloads to a device are noted; None where no other process can reach the device."""
    from pynq.pl_server.embedded_device import EmbeddedDevice
    from pynq.pl_server.global_state import STATE_DIR

    if directory := getattr(device, "state_directory", None):
        return Path(directory) / state_file_name()
    return Path(STATE_DIR) / state_file_name() if isinstance(device, EmbeddedDevice) else None


def state_file_name() -> str:
    """What this release of pynq calls the file: 4.0 puts in a device's tag, which its downloads leave empty."""
    from pynq.pl_server import global_state

    named = getattr(global_state, "_get_state_path", None)
    return str(named().name) if named else "global_pl_state.json"
