"""A model with random weights, and simulated boards that run it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pynq
import pytest

import machine_guard
import models
from pynq_ee.network import spec, weights
from pynq_ee.network.spec import Spec
from pynq_ee.network.weights import LayerWeights, Model, remainder_layers
from pynq_ee.sim import SimulatedDevice

#: Right shifts that spread the outputs of random weights over their ranges.
_SHIFTS = {"trunk": 9, "branch": 2, "classifier": 3}


@pytest.fixture(autouse=True)
def guarded_machine() -> Iterator[None]:
    """No test of a simulated board touches the machine that it runs on."""
    with machine_guard.guarding():
        yield


@pytest.fixture(scope="session")
def random_model() -> Callable[..., Model]:
    """Make a legal model whose weights are random."""

    def make(seed: int, model_spec: Spec = spec.DEFAULT, network: str = spec.DEFAULT_NETWORK) -> Model:
        generator = np.random.default_rng(seed)
        layers = {}
        for layer in model_spec.layers:
            limit = layer.weight_max
            layers[layer.name] = LayerWeights(
                generator.integers(-limit, limit + 1, layer.weight_shape).astype(np.int8),
                generator.integers(-50, 50, layer.out_channels).astype(np.int32),
                np.full(layer.out_channels, _SHIFTS[layer.name], np.uint8),
            )
        remainder = {name: models.remainder_layer(generator, name) for name in remainder_layers(network)}
        thresholds = (0.5,) * (spec.network_exits(network) - 1)
        exponents = (-6,) + (-8,) * len(thresholds)
        return Model(network, model_spec, layers, -3, exponents, remainder, thresholds)

    return make


@pytest.fixture(scope="session")
def model(random_model: Callable[..., Model]) -> Model:
    """One model of the default spec."""
    return random_model(seed=0)


@pytest.fixture
def device(model: Model) -> Iterator[SimulatedDevice]:
    """A simulated board with the NumPy kernel."""
    with SimulatedDevice(model, kernel="numpy") as board:
        yield board


#: Marks a test of the overlay in RTL: it is compiled once, for the model that ships.
needs_verilator = pytest.mark.skipif(shutil.which("verilator") is None, reason="no verilator; apt install verilator")


@pytest.fixture(scope="session")
def shipped_model() -> Model:
    """The model whose overlay in RTL the tests share."""
    return weights.load()


@pytest.fixture(params=["numpy", pytest.param("rtl", marks=needs_verilator)])
def either_device(request: pytest.FixtureRequest, shipped_model: Model) -> Iterator[SimulatedDevice]:
    """A simulated board of functional models, and one of the circuit itself."""
    with SimulatedDevice(shipped_model, kernel=request.param) as board:
        yield board


@pytest.fixture
def overlay(device: SimulatedDevice) -> pynq.Overlay:
    """Its overlay, loaded."""
    return pynq.Overlay(device.bitfile, device=device)


@pytest.fixture
def images() -> Callable[[int], npt.NDArray[np.uint8]]:
    """Make random images (n, 28, 28)."""
    generator = np.random.default_rng(7)
    return lambda count: generator.integers(0, 256, (count, spec.IMAGE_SIDE, spec.IMAGE_SIDE)).astype(np.uint8)
