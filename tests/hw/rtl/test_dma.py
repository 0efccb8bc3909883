"""The AXI DMA and the interrupt controller in simulation, with cocotb and the buses of cocotbext-axi.

What is tested stands in ``benches/``; here each test of theirs has its name, and the runs their parameters.
"""

from __future__ import annotations

import pytest

import cocotb_runs

pytestmark = cocotb_runs.needs_cocotb

#: The DMA of the default overlay, behind a memory that takes 60 clocks; and one with narrow streams, wide addresses and
#: lengths that pynq's default has.
CONFIGURATIONS = {
    "64-bit": {"STREAM_BITS": 64, "ADDRESS_BITS": 32, "LENGTH_BITS": 26, "LATENCY": 60},
    "32-bit": {"STREAM_BITS": 32, "ADDRESS_BITS": 40, "LENGTH_BITS": 14, "LATENCY": 0},
}


@pytest.fixture(scope="module", params=CONFIGURATIONS)
def dma(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    parameters = CONFIGURATIONS[request.param]
    return cocotb_runs.run("dma", tmp_path_factory.mktemp("dma"), parameters=parameters)


@pytest.fixture(scope="module")
def interrupt_controller(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return cocotb_runs.run("interrupt_controller", tmp_path_factory.mktemp("interrupt_controller"))


@pytest.mark.slow
@pytest.mark.parametrize("test", cocotb_runs.tests_of("dma"))
def test_dma(dma: dict[str, str], test: str) -> None:
    assert dma[test] == ""


@pytest.mark.parametrize("test", cocotb_runs.tests_of("interrupt_controller"))
def test_interrupt_controller(interrupt_controller: dict[str, str], test: str) -> None:
    assert interrupt_controller[test] == ""
