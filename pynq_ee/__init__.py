"""Early-exit neural-network inference on a PYNQ board, part circuit, part Python.

>>> from pynq_ee import EarlyExitInference
"""

from pynq_ee.errors import (
    DataError,
    DeadlineError,
    DeviceError,
    ExperimentalOverlayWarning,
    IdentityError,
    InputError,
    InputWarning,
    ModelFileError,
    OverlayError,
    PynqEEError,
    ToolError,
    TransferError,
)
from pynq_ee.inference import EarlyExitInference, Prediction
from pynq_ee.network.weights import Model, load, save

__version__ = "0.1.0"

__all__ = [
    "DataError",
    "DeadlineError",
    "DeviceError",
    "EarlyExitInference",
    "ExperimentalOverlayWarning",
    "IdentityError",
    "InputError",
    "InputWarning",
    "Model",
    "ModelFileError",
    "OverlayError",
    "Prediction",
    "PynqEEError",
    "ToolError",
    "TransferError",
    "load",
    "save",
]
