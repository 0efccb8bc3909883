"""A trained network without PyTorch: the integers of the circuit, the folded floats of the remainder."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from pynq_ee.errors import ModelFileError
from pynq_ee.network.float_model import FloatLayer, FloatModel
from pynq_ee.network.weights import LayerWeights
from pynq_ee.train.network import PIXEL_EXPONENT, EarlyExitNetwork, RemainderModule


def to_float_model(network: EarlyExitNetwork, metadata: dict[str, Any]) -> FloatModel:
    """Export a network.

    Parameters
    ----------
    network
        Trained, or not.
    metadata
        How it was made.

    Returns
    -------
    FloatModel; :func:`pynq_ee.network.post_training.quantize` puts its remainder in integers.

    Raises
    ------
    ModelFileError
        Weights that the circuit cannot hold, or that are not finite: training has diverged.
    """
    for name, value in network.state_dict().items():
        if not torch.isfinite(value).all():
            raise ModelFileError(f"{name} is not finite: the training has diverged; lower the learning rate")
    network.eval()
    fabric = {}
    exponent, exponents = PIXEL_EXPONENT, []
    for layer in network.spec.layers:
        weight, bias, shift, exponent = getattr(network.first_exit, layer.name).integers(exponent)
        exponents.append(exponent)
        fabric[layer.name] = LayerWeights(
            _integers(f"{layer.name}.weight", weight, np.int8),
            _integers(f"{layer.name}.bias", bias, np.int32),
            _integers(f"{layer.name}.shift", shift, np.uint8),
        )
    remainder = {
        name: FloatLayer(*(np.ascontiguousarray(part.detach().numpy()) for part in module.folded()))
        for name, module in network.remainder.items()
        if isinstance(module, RemainderModule)
    }
    trunk_exponent, _, logit_exponent = exponents
    return FloatModel(network.network, network.spec, fabric, trunk_exponent, logit_exponent, remainder, metadata)


def _integers(name: str, values: torch.Tensor, dtype: type[np.integer[Any]]) -> Any:
    """Whole numbers in an integer type, which must hold them: a cast alone would wrap them to legal ones."""
    exact = values.numpy().astype(np.int64)
    limits = np.iinfo(dtype)
    if exact.min() < limits.min or exact.max() > limits.max:
        raise ModelFileError(f"{name} is {exact.min()} to {exact.max()}; {limits.min} to {limits.max} can be built")
    return exact.astype(dtype)
