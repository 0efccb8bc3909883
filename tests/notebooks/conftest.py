"""A network on a simulated board for the notebooks' helpers, which need what `pynq_ee[dev]` installs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pynq_ee.inference import EarlyExitInference

NEEDED = ("ipywidgets", "matplotlib")


@pytest.fixture(scope="module")
def network() -> Iterator[EarlyExitInference]:
    for package in NEEDED:
        pytest.importorskip(package, reason="pip install 'pynq_ee[dev]'")
    with EarlyExitInference(device="sim-numpy") as opened:
        yield opened
