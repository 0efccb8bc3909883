"""The software exits compute the network of the spec, the same on every engine."""

from __future__ import annotations

import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import models
from pynq_ee import remainder
from pynq_ee.errors import InputError, ToolError
from pynq_ee.network import fabric
from pynq_ee.network.spec import NETWORKS
from pynq_ee.network.weights import Model


def engine_stages(engine: str, model: Model) -> list[remainder.Stage]:
    """The stages of an engine; a test is skipped where its package is not installed."""
    try:
        return remainder.stages(engine, model)
    except ToolError as error:
        pytest.skip(str(error))


def run(stages: list[remainder.Stage], features: np.ndarray) -> list[np.ndarray]:
    """Logits of every software exit, all images going through all of them."""
    hidden, outputs = features, []
    for stage in stages:
        hidden, logits = stage(hidden)
        outputs.append(logits)
    return outputs


def slowly(model: Model, features: np.ndarray) -> list[np.ndarray]:
    """One image through the remainder by plain loops in whole numbers, each step as the spec words it."""

    def requantized(name: str, sums: np.ndarray) -> np.ndarray:
        shift = model.remainder[name].shift.astype(int).reshape(-1, *[1] * (sums.ndim - 1))
        rounded = (sums + (1 << shift >> 1)) >> shift
        low, high = (-32768, 32767) if name in ("exit2", "fc3") else (0, 127)
        return np.clip(rounded, low, high)

    def apply(name: str, values: np.ndarray) -> np.ndarray:
        weight, bias = model.remainder[name].weight.astype(int), model.remainder[name].bias.astype(int)
        if weight.ndim == 2:
            return requantized(name, weight @ values + bias)
        side = values.shape[1] - weight.shape[2] + 1
        result = np.zeros((len(weight), side, side), int)
        for row in range(side):
            for column in range(side):
                window = values[:, row : row + weight.shape[2], column : column + weight.shape[3]]
                result[:, row, column] = (weight * window).sum((1, 2, 3)) + bias
        return requantized(name, result).reshape(len(weight), side // 2, 2, side // 2, 2).max((2, 4)).ravel()

    hidden, outputs = features.astype(int), []
    for stage in NETWORKS[model.network]:
        for name in stage.body:
            hidden = apply(name, hidden)
        logits = hidden
        for name in stage.head:
            logits = apply(name, logits)
        outputs.append(logits)
    return outputs


@pytest.fixture
def features(noise: np.ndarray) -> np.ndarray:
    """Features as the fabric makes them."""
    return fabric.trunk(noise, models.random_model())


@pytest.mark.parametrize("network", NETWORKS)
def test_numpy_computes_what_the_spec_words(network: str, features: np.ndarray) -> None:
    model = models.random_model(1, network=network)
    outputs = run(remainder.stages("numpy", model), features)
    assert len(outputs) == model.exits - 1
    for row in (0, 1, 5, 30):
        for found, expected in zip(outputs, slowly(model, features[row])):
            assert found.dtype == np.int16 and np.array_equal(found[row], expected)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("engine", [name for name in remainder.ENGINES if name != "numpy"])
@settings(max_examples=15)
@given(st.integers(0, 1000), st.integers(0, 40))
def test_every_engine_equals_numpy_to_the_bit(engine: str, network: str, seed: int, count: int) -> None:
    model = models.random_model(seed, network=network)
    features = np.random.default_rng(seed).integers(0, 16, (count, 6, 14, 14)).astype(np.uint8)
    expected = run(remainder.stages("numpy", model), features)
    for found, reference in zip(run(engine_stages(engine, model), features), expected):
        assert found.shape == (count, 10) and found.dtype == np.int16
        assert np.array_equal(found, reference)


@pytest.mark.parametrize("network", NETWORKS)
def test_numpy_takes_no_more_memory_at_a_time_for_many_images(network: str) -> None:
    """Unrolled at once, these would take 57 MB for the second convolution alone."""
    stages = remainder.stages("numpy", models.random_model(1, network=network))
    features = np.random.default_rng(0).integers(0, 16, (1000, 6, 14, 14)).astype(np.uint8)
    tracemalloc.start()
    try:
        whole = run(stages, features)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 30e6
    for rows in (slice(0, 1), slice(255, 257), slice(990, 1000)):
        for found, expected in zip(run(stages, features[rows]), whole):
            assert np.array_equal(found, expected[rows])


@pytest.mark.parametrize("engine", remainder.ENGINES)
def test_the_next_stage_takes_any_part_of_the_hidden_state(engine: str, features: np.ndarray) -> None:
    stages = engine_stages(engine, models.random_model(2, network="lenet5-3exit"))
    hidden, _ = stages[0](features)
    _, whole = stages[1](hidden)
    for rows in (np.array([3]), np.array([7, 0, 39]), np.arange(40) % 2 == 0):
        _, part = stages[1](hidden[rows])
        assert np.array_equal(part, whole[rows])


@pytest.mark.parametrize("engine", remainder.ENGINES)
def test_the_callers_arrays_are_not_changed(engine: str, features: np.ndarray) -> None:
    stages = engine_stages(engine, models.random_model(2, network="lenet5-3exit"))
    before = features.copy()
    hidden, _ = stages[0](features)
    kept = np.array(hidden)
    stages[1](hidden)
    assert np.array_equal(features, before) and np.array_equal(hidden, kept)


@pytest.mark.parametrize("engine", remainder.ENGINES)
@pytest.mark.filterwarnings("error")
def test_views_and_read_only_features_are_taken(engine: str, features: np.ndarray) -> None:
    """The driver hands in slices of a DMA buffer."""
    stages = engine_stages(engine, models.random_model(2))
    view = features[::2]
    locked = view.copy()
    locked.setflags(write=False)
    assert np.array_equal(run(stages, view)[0], run(stages, view.copy())[0])
    assert np.array_equal(run(stages, locked)[0], run(stages, view)[0])


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(InputError, match=r"remainder is 'cuda'; there are numpy"):
        remainder.stages("cuda", models.random_model())


def test_an_engine_that_is_not_installed_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "pynq_ee.remainder.torch", raising=False)
    with pytest.raises(ToolError, match=r"torch remainder cannot be used here .*pip install 'pynq_ee\[train\]'"):
        remainder.stages("torch", models.random_model())
