"""A trained network as a model file: the integers of the circuit, the folded floats of the remainder."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from pynq_ee.errors import ModelFileError
from pynq_ee.network.spec import network_exits
from pynq_ee.network.weights import LayerWeights, Model, RemainderWeights
from pynq_ee.train.network import PIXEL_EXPONENT, EarlyExitNetwork, RemainderModule


def to_model(network: EarlyExitNetwork, metadata: dict[str, Any]) -> Model:
    """Export a network.

    Parameters
    ----------
    network
        Trained, or not.
    metadata
        How it was made.

    Returns
    -------
    Model with thresholds of 0: until they are calibrated, every image goes to the last exit.

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
        name: RemainderWeights(*(np.ascontiguousarray(part.detach().numpy()) for part in module.folded()))
        for name, module in network.remainder.items()
        if isinstance(module, RemainderModule)
    }
    trunk_exponent, _, logit_exponent = exponents
    thresholds = (0.0,) * (network_exits(network.network) - 1)
    return Model(network.network, network.spec, fabric, trunk_exponent, logit_exponent, remainder, thresholds, metadata)


def _integers(name: str, values: torch.Tensor, dtype: type[np.integer[Any]]) -> Any:
    """Whole numbers in an integer type, which must hold them: a cast alone would wrap them to legal ones."""
    exact = values.numpy().astype(np.int64)
    limits = np.iinfo(dtype)
    if exact.min() < limits.min or exact.max() > limits.max:
        raise ModelFileError(f"{name} is {exact.min()} to {exact.max()}; {limits.min} to {limits.max} can be built")
    return exact.astype(dtype)
