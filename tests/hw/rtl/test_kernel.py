"""The kernel in simulation, with cocotb and the buses of cocotbext-axi, against the NumPy model.

What is tested stands in ``benches/``. The model is the narrowest: how the arithmetic of others is made is the business
of ``test_reference.py``, and a simulator that interprets takes its time.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import cocotb_runs
import models
from pynq_ee.generate import verilog
from pynq_ee.network import weights
from pynq_ee.network.spec import Spec

pytestmark = cocotb_runs.needs_cocotb


def run(pixels_per_beat: int, folder: Path, rtl: Path = cocotb_runs.RTL, **settings: object) -> dict[str, str]:
    """Simulate the kernel of a narrow model, and say what became of each test."""
    folder.mkdir(exist_ok=True)
    model = models.random_model(22, Spec(pixels_per_beat, 1, 2, 2, 2))
    path = weights.save(model, folder / "model.npz")
    generated = folder / "generated.sv"
    generated.write_text(verilog.generated(model))
    simulation = folder / "simulation"
    return cocotb_runs.run(
        "kernel", simulation, rtl=rtl, generated=generated, environment={"MODEL": str(path)}, **settings
    )


@pytest.fixture(scope="module", params=(8, 4), ids="{}-pixels-a-beat".format)
def kernel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return run(request.param, tmp_path_factory.mktemp("kernel"))


@pytest.mark.slow
@pytest.mark.parametrize("test", cocotb_runs.tests_of("kernel"))
def test_kernel(kernel: dict[str, str], test: str) -> None:
    assert kernel[test] == ""
