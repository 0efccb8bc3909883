"""Warnings that point at the caller's own line."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from pynq_ee.errors import InputWarning

_PACKAGE = str(Path(__file__).resolve().parents[1])


def warn(message: str, category: type[Warning] = InputWarning) -> None:
    """Warn, of an image if nothing else is said, at the line outside of this package that caused it."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
