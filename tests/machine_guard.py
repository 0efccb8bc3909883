"""A watch over what a simulated board must never touch: the machine that it runs on.

``sys.addaudithook`` sees every file that Python opens, lists, renames or removes in this process and its forks. A hook
cannot be taken back, so there is one, which refuses and notes while it is armed.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pynq

#: Registers, interrupts and programming of a real board, and what pynq notes of it in its own folder for every process.
FORBIDDEN = re.compile(
    r"/dev/mem$|/dev/uio|/sys/class/uio|/sys/class/fpga_manager|/lib/firmware|"
    + re.escape(f"{Path(pynq.__file__).resolve().parent}/pl_server/")
    + r"(global_pl_state\w*\.json|_current_metadata\.pkl)$"
)

_EVENTS = {"open", "os.listdir", "os.scandir", "os.remove", "os.rename", "os.mkdir", "os.truncate"}

#: What has been refused since it was last looked at.
refused: list[str] = []

_armed = 0


class TouchedMachine(BaseException):
    """Not an Exception, so that nothing takes it for a board that is not there."""


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _armed or event not in _EVENTS:
        return
    for path in arguments[: 2 if event == "os.rename" else 1]:
        if not isinstance(path, (str, bytes, os.PathLike)):  # a descriptor
            continue
        if FORBIDDEN.match(text := os.fsdecode(path)):
            refused.append(f"{event} of {text}")
            raise TouchedMachine(f"a simulated board touched the machine: {refused[-1]}")


sys.addaudithook(_audit)


@contextmanager
def guarding() -> Iterator[None]:
    """Refuse, within the block, what is forbidden, and fail afterwards even where the refusal was swallowed."""
    global _armed
    _armed += 1
    refused.clear()
    try:
        yield
    finally:
        _armed -= 1
    assert not refused, f"a simulated board touched the machine: {', '.join(refused)}"
