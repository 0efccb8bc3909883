"""The exceptions that pynq_ee raises on purpose, one small hierarchy.

Every message names the value, the limit and what to do next. Whatever else escapes from this package is a
defect of the package.
"""

from __future__ import annotations


class PynqEEError(Exception):
    """Base of every error that pynq_ee raises on purpose."""


class InputError(PynqEEError, ValueError):
    """An argument that cannot be worked with: shape, type, range, an unreadable image."""


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
    """A batch that the DMA or the fabric did not complete; the channels have been reset when this is raised."""


class DeadlineError(TransferError, TimeoutError):
    """A batch that did not complete before its deadline; the channels have been reset when this is raised."""
