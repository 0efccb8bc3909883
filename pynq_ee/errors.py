"""The exceptions that pynq_ee raises on purpose, one small hierarchy.

Every message names the value, the limit and what to do next. Whatever else escapes from this package is a
defect of the package. A command tells them by :func:`status`.
"""

from __future__ import annotations

import math
import numbers
import operator
import os
import sys
from collections.abc import Callable
from typing import Any

#: Exit statuses of a command that has failed, wholly or in part, and of one that was interrupted.
EXIT_FAILURE, EXIT_INTERRUPTED = 1, 130


class PynqEEError(Exception):
    """Base of every error that pynq_ee raises on purpose."""


class InputError(PynqEEError, ValueError):
    """An argument that cannot be worked with: shape, type, range, an unreadable image."""


class InputWarning(UserWarning):
    """An image that does not look like one digit of white ink on black; the message says what was seen."""


class ExperimentalOverlayWarning(UserWarning):
    """An overlay that was asked for by name and that no board has run; the message says what was proved of it."""


class ModelFileError(PynqEEError):
    """A model file that is missing, damaged, or of another format version."""


class DataError(PynqEEError):
    """A data set that is missing, incomplete, or not the one whose digest is known."""


class ToolError(PynqEEError):
    """A tool or an optional package that the requested work needs and that is not installed, or failed."""


class OverlayError(PynqEEError):
    """An overlay that cannot be used: missing or stale files, a wrong part, a missing DMA, another identity."""


class IdentityError(OverlayError):
    """A programmed fabric whose magic, interface version or build_id is not the one of the model in use."""


class DeviceError(PynqEEError):
    """No usable board: none present, busy, closed, or not permitted to this user."""


class TransferError(PynqEEError):
    """A batch that the DMA or the fabric did not complete; the channels have been reset when this is raised.

    Attributes
    ----------
    stage : str
        What did not go well: ``sending images``, ``receiving results``, ``the kernel`` or ``checking results``. Empty
        where it concerns no batch.
    images_done : int or None
        Whole images of the batch, by the kernel's count or the results that were checked; None where it was not asked.
    bytes_moved : int or None
        Bytes of results that the DMA wrote; None where it does not tell, as of a transfer that has not ended.
    registers : dict of str to int
        Those of the kernel and the status of both channels, as they stood before the reset.
    """

    def __init__(
        self,
        message: str,
        *,
        stage: str = "",
        images_done: int | None = None,
        bytes_moved: int | None = None,
        registers: dict[str, int] | None = None,
    ) -> None:
        super().__init__(message)
        self.stage = stage
        self.images_done = images_done
        self.bytes_moved = bytes_moved
        self.registers = registers or {}


class DeadlineError(TransferError, TimeoutError):
    """A batch that did not complete before its deadline; the channels have been reset when this is raised."""


def whole_number(name: str, value: Any, least: int, most: int | None = None) -> int:
    """An argument that counts something, as an ``int``: of NumPy's numbers, or of ``True``, too.

    Raises
    ------
    InputError
        It is no whole number, less than ``least``, or more than ``most``.
    """
    try:
        number = int(operator.index(value))
    except TypeError:
        number = least - 1
    if number < least or (most is not None and number > most):
        limit = f"{least} or more" if most is None else f"{least} to {most}"
        raise InputError(f"{name} is {value!r}; it must be a whole number, {limit}")
    return number


def finite_seconds(name: str, value: Any) -> float:
    """A time in seconds: deadlines are computed from it, and one of NaN would never come.

    Raises
    ------
    InputError
        It is no number, less than 0, or not finite.
    """
    if not isinstance(value, numbers.Real) or not 0 <= float(value) < math.inf:
        raise InputError(f"{name} is {value!r}; it must be a finite number of seconds, 0 or more")
    return float(value)


def status(command: str, run: Callable[[], int]) -> int:
    """Run a command, and return its exit status.

    Errors raised on purpose, and the system's, become one line on standard error and :data:`EXIT_FAILURE`.
    """
    try:
        returned = run()
        if sys.stdout is not None:  # as where it was closed before the start
            sys.stdout.flush()
        return returned
    except BrokenPipeError:  # the reader of a pipe (head, less) has seen enough
        _write_no_more()
        return 0
    except (PynqEEError, OSError) as error:
        print(f"{command}: {error}", file=sys.stderr)
        try:
            if sys.stdout is not None:
                sys.stdout.flush()
        except OSError:  # as of a full disk, which has been told
            _write_no_more()
        return EXIT_FAILURE
    except KeyboardInterrupt:
        print(f"{command}: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


def _write_no_more() -> None:
    """Let what is still to be written to standard output go nowhere: it must not fail again at the exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
