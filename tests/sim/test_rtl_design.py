"""The overlay of hw/rtl, as its description tells it, driven by this driver and by pynq's own."""

from __future__ import annotations

import asyncio
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pynq
import pynq.lib.dma
import pytest
from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser
from pynqmetadata.frontends import Metadata

from pynq_ee import EarlyExitInference
from pynq_ee.generate import rtl_design
from pynq_ee.network import fabric, spec
from pynq_ee.network.spec import REGISTER_OFFSET
from pynq_ee.network.weights import Model
from pynq_ee.sim import SimulatedDevice, recorded_designs

IMAGES = np.random.default_rng(11).integers(0, 256, (12, 28, 28)).astype(np.uint8)
ZYNQ7 = [board for board in spec.BOARDS.values() if board.processor == "zynq7"]


@pytest.fixture
def device(model: Model) -> Iterator[SimulatedDevice]:
    design = rtl_design.describe(spec.DEFAULT_BOARD, model.spec.beat_bits)
    with SimulatedDevice(model, kernel="numpy", design=design, pace=500) as found:
        yield found


def test_the_driver_runs_on_it_and_waits_for_its_interrupt(model: Model, device: SimulatedDevice) -> None:
    with EarlyExitInference(model, device="sim-numpy", threshold=1.0) as network:
        expected = network.classify(IMAGES).logits
    with EarlyExitInference(model, device=device, threshold=1.0, images_per_transfer=4) as network:
        np.testing.assert_array_equal(network.classify(IMAGES).logits, expected)
        np.testing.assert_array_equal(asyncio.run(network.classify_async(IMAGES)).logits, expected)
        assert network.completion == "interrupt"


def test_pynqs_own_driver_of_the_dma_is_bound_to_ours(model: Model, device: SimulatedDevice) -> None:
    point = '"pynq.lib": ["pynq_ee = pynq_ee.driver.pynq_drivers"]'
    assert point in (Path(__file__).parents[2] / "setup.py").read_text()
    importlib.import_module("pynq_ee.driver.pynq_drivers")  # which pynq does where the package is installed as it is
    overlay = pynq.Overlay(device.bitfile, device=device)
    assert isinstance(overlay.axi_dma, pynq.lib.dma.DMA)
    sent = pynq.allocate(IMAGES.size, "u1", target=device)
    results = pynq.allocate((len(IMAGES), spec.RESULT_BYTES), "u1", target=device)
    sent[:] = IMAGES.reshape(-1)
    overlay.axi_dma.recvchannel.transfer(results)
    overlay.first_exit.write(REGISTER_OFFSET["num_images"], len(IMAGES))
    overlay.first_exit.write(REGISTER_OFFSET["CTRL"], spec.CTRL_START)
    overlay.axi_dma.sendchannel.transfer(sent)
    overlay.axi_dma.sendchannel.wait()
    overlay.axi_dma.recvchannel.wait()
    logits = np.ascontiguousarray(results)[:, : 2 * spec.CLASSES].copy().view("<i2")
    np.testing.assert_array_equal(logits, fabric.first_exit(IMAGES, model)[1])


@pytest.mark.parametrize("board", ZYNQ7, ids=lambda board: board.name)
@pytest.mark.parametrize("beat_bits", [32, 64])
def test_to_software_it_is_the_block_design_with_cells_of_our_own(board: spec.Board, beat_bits: int) -> None:
    ours, vivados = rtl_design.describe(board, beat_bits), recorded_designs.load(board.name, beat_bits)
    assert ours["addresses"] == vivados["addresses"]
    assert sorted(ours["interfaces"]) == sorted(vivados["interfaces"])
    assert ours["cells"][spec.DMA_NAME]["config"] == vivados["cells"][spec.DMA_NAME]["config"]
    processor = ours["cells"]["processing_system"]["config"]
    assert processor.items() <= vivados["cells"]["processing_system"]["config"].items()
    interrupts = [net for net in ours["nets"] if re.search("introut|interrupt$|irq$|dout", net[0])]
    assert len(interrupts) == 5 and all(net in vivados["nets"] for net in interrupts)
    assert {name for name, cell in ours["cells"].items() if not cell["vlnv"].startswith("pynq_ee:rtl:")} == {
        "processing_system"
    }


def test_its_clock_is_the_one_that_it_was_built_for(model: Model) -> None:
    design = rtl_design.describe(spec.DEFAULT_BOARD, model.spec.beat_bits, clock_mhz=62.5)
    with SimulatedDevice(model, kernel="numpy", design=design) as device:
        described = Path(device.bitfile).with_suffix(".hwh")
        clock = RuntimeMetadataParser(Metadata(input=str(described))).clock_dict[0]
        assert 1000 / (clock["divisor0"] * clock["divisor1"]) == 62.5


def test_a_board_with_another_processor_is_refused_with_those_that_it_is_for() -> None:
    with pytest.raises(ValueError, match=r"kv260 has a zynqmp; .* boards with a zynq7: pynq-z2, pynq-z1"):
        rtl_design.describe(spec.BOARDS["kv260"], 64)
