"""The overlay in RTL behind the unmodified pynq and driver: bits, clocks, buses, and what memory does to it."""

from __future__ import annotations

import asyncio
import re
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pynq
import pytest

import models
import patience
from pynq_ee import EarlyExitInference
from pynq_ee.bench.circuit import clocks
from pynq_ee.bench.reliability import soak
from pynq_ee.commands import cli
from pynq_ee.data import datasets
from pynq_ee.driver import dma
from pynq_ee.errors import EXIT_FAILURE, DeadlineError, DeviceError, InputError, ToolError
from pynq_ee.network import fabric, spec, weights
from pynq_ee.network.spec import REGISTER_OFFSET, Spec
from pynq_ee.network.weights import Model
from pynq_ee.sim import SimulatedDevice, overlay_faults, overlay_library
from pynq_ee.sim.bus import BusError
from pynq_ee.sim.overlay_library import DECERR, OKAY, SLVERR, Conditions, Overlay
from pynq_ee.sim.overlay_logic import OverlayFabric
from tests.sim.conftest import needs_verilator

pytestmark = needs_verilator

BOARD = spec.DEFAULT_BOARD
IMAGES = 1000

#: What is compiled in seconds.
NARROW = Spec(4, 1, 2, 2, 2)

#: Faults that last until the driver gives up, twice.
SLOW = [name for name, fault in overlay_faults.FAULTS.items() if fault.error is DeadlineError]


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    """A thousand digits: of t10k, where it is here."""
    return datasets.available().images[:IMAGES]


@pytest.fixture
def rtl(shipped_model: Model) -> Iterator[SimulatedDevice]:
    with SimulatedDevice(shipped_model, kernel="rtl") as device:
        yield device


@pytest.fixture
def circuit(shipped_model: Model) -> Iterator[Overlay]:
    """The circuit without pynq, with two pages of memory."""
    overlay = Overlay(overlay_library.library(shipped_model), shipped_model.spec.beat_bytes)
    overlay.attach(np.zeros(8192, np.uint8), 0x1000_0000, [(0x1000_0000, 0x1000_2000)])
    overlay.configure(Conditions())
    yield overlay
    overlay.close()


# Bits and clocks -----------------------------------------------------------------------------------------------------


def test_a_thousand_digits_come_through_the_driver_bit_for_bit(shipped_model: Model, digits: np.ndarray) -> None:
    features, logits = fabric.first_exit(digits, shipped_model)
    with (
        EarlyExitInference(shipped_model, device="sim-rtl", verify="all") as network,
        EarlyExitInference(shipped_model, device="sim-numpy") as definition,
    ):
        assert network.classify(digits) == definition.classify(digits)
        network.threshold = 0.0  # all stay, so that the features of all are sent
        accelerator = network.accelerator
        results = accelerator.finish(_started(accelerator, digits))
        assert results.has_features().all()
        packed = results.features(np.arange(len(digits)), shipped_model.spec)
        np.testing.assert_array_equal(fabric.unpack_features(packed, shipped_model), features)
        np.testing.assert_array_equal(results.logits, logits)
        assert accelerator.counters.retries == 0


def _started(accelerator: Any, images: np.ndarray) -> Any:
    slot = accelerator.fill(images, spec.FEATURES_ALWAYS)
    accelerator.start(slot)
    return slot


def test_its_clocks_are_counted_and_a_prediction_says_so(
    shipped_model: Model, rtl: SimulatedDevice, digits: np.ndarray
) -> None:
    with EarlyExitInference(shipped_model, device=rtl, images_per_transfer=50) as network:
        prediction = network.classify(digits[:100])
        assert prediction.fabric_clocks_are == prediction[:3].fabric_clocks_are == "counted"
        assert prediction.fabric_clocks == rtl.fabric_clocks
        one = network.classify(digits[:1])
        assert rtl.batch_clocks == one.fabric_clocks < spec.batch_clocks(spec.DEFAULT, 1)
        again = network.classify(digits[:1])
        assert again.fabric_clocks == one.fabric_clocks, "a count is the same each time"


def test_the_rate_is_a_beat_a_clock_behind_a_memory_that_takes_60_clocks(shipped_model: Model) -> None:
    found = clocks.count(shipped_model, datasets.available(), batch=clocks.BATCH)
    assert found["right"] and found["clocks_image"] <= clocks.BARS[8]


def test_a_batch_waits_for_a_slow_memory_and_stays_right(shipped_model: Model, digits: np.ndarray) -> None:
    conditions = Conditions(seed=5, latency=90, jitter=200, words=500, stall=0.3, register_stall=0.3)
    made = partial(OverlayFabric, conditions=conditions, look=(1, 900), bystander=0.02)
    with (
        SimulatedDevice(shipped_model, kernel=made) as device,
        EarlyExitInference(shipped_model, device=device, deadline_seconds=patience.seconds(10)) as network,
        EarlyExitInference(shipped_model, device="sim-numpy") as definition,
    ):
        prediction = network.classify(digits[:80])
        assert prediction == definition.classify(digits[:80])
        assert device.fabric_clocks > 2 * spec.batch_clocks(spec.DEFAULT, 80)


def test_the_interrupt_ends_the_wait(shipped_model: Model, rtl: SimulatedDevice, digits: np.ndarray) -> None:
    with EarlyExitInference(shipped_model, device=rtl) as network:
        assert network.completion == "interrupt"
        assert asyncio.run(network.classify_async(digits[:9])) == network.classify(digits[:9])


def test_pynqs_own_driver_of_the_dma_drives_it(shipped_model: Model, rtl: SimulatedDevice, digits: np.ndarray) -> None:
    overlay = pynq.Overlay(rtl.bitfile, device=rtl)
    sent = pynq.allocate((8, spec.IMAGE_PIXELS), "u1", target=rtl)
    results = pynq.allocate((8, spec.RESULT_BYTES), "u1", target=rtl)
    sent[:] = digits[:8].reshape(8, -1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)  # what the models of a DMA warn of
        for _ in range(3):
            overlay.axi_dma.recvchannel.transfer(results)
            overlay.first_exit.write(REGISTER_OFFSET["num_images"], 8)
            overlay.first_exit.write(REGISTER_OFFSET["CTRL"], spec.CTRL_START)
            overlay.axi_dma.sendchannel.transfer(sent)
            overlay.axi_dma.sendchannel.wait()
            overlay.axi_dma.recvchannel.wait()
            assert overlay.axi_dma.recvchannel.transferred == 8 * spec.RESULT_BYTES
            logits = np.ascontiguousarray(results)[:, : 2 * spec.CLASSES].copy().view("<i2")
            np.testing.assert_array_equal(logits, fabric.first_exit(digits[:8], shipped_model)[1])
            results[:] = 0


# Buses ---------------------------------------------------------------------------------------------------------------


def test_where_nothing_is_the_bus_answers_with_a_decode_error(rtl: SimulatedDevice, circuit: Overlay) -> None:
    for address in (0x4000_0000, BOARD.dma_address + spec.DMA_RANGE, 0x7FFF_FFFC):
        assert circuit.read(address) == (0, DECERR)
        assert circuit.write(address, 1) == DECERR
    pynq.Overlay(rtl.bitfile, device=rtl)
    with pytest.raises(BusError, match="nothing answers at address 0x50000000"):
        pynq.MMIO(0x5000_0000, 4, device=rtl).read(0)


def test_bursts_are_answered_word_by_word_under_their_identity(circuit: Overlay) -> None:
    """The harness checks identities and RLAST; DMA's ADDRESS (0x18) and ADDRESS_MSB (0x1C) follow each other."""
    address = BOARD.dma_address + 0x18
    assert circuit.write_burst(address, [0x1234_5678, 0], id=0xABC) == OKAY
    assert circuit.read_burst(address, 2, id=0x123) == ([0x1234_5678, 0], [OKAY, OKAY])
    assert circuit.read_burst(address, 2, burst=0) == ([0x1234_5678] * 2, [OKAY] * 2), "FIXED stays at its address"
    wrapped, _ = circuit.read_burst(address, 4, burst=2)
    assert wrapped[0] == 0x1234_5678 and wrapped[2] == circuit.read(BOARD.dma_address + 0x10)[0], "WRAP comes round"
    assert circuit.write_burst(address, [0, 0xAA << 8], [0, 2], id=1) == OKAY
    behind = BOARD.interrupt_address + spec.INTERRUPT_RANGE
    assert circuit.read_burst(behind, 16) == ([0] * 16, [DECERR] * 16)
    assert circuit.write_burst(behind, [0] * 16) == DECERR


def test_registers_are_as_after_power_up_whatever_the_flip_flops_held(shipped_model: Model) -> None:
    path = overlay_library.library(shipped_model)
    for seed in range(20):
        overlay = Overlay(path, shipped_model.spec.beat_bytes, seed)
        assert [overlay.read(BOARD.dma_address + offset)[0] for offset in (0, 4)] == [0x0001_0002, 0x0001_0001]
        assert overlay.read(BOARD.kernel_address)[0] == spec.CTRL_IDLE
        assert not overlay.interrupt
        overlay.close()


def test_an_access_to_the_kernel_waits_for_the_end_of_its_reset_and_is_not_lost(circuit: Overlay) -> None:
    margin = BOARD.kernel_address + REGISTER_OFFSET["feature_margin"]
    for clocks_between in range(40):
        circuit.write(margin, 7)
        circuit.write(BOARD.dma_address, 1 << 2)
        circuit.run(clocks_between)
        assert circuit.write(margin, 99) == OKAY
        circuit.run(100)
        assert circuit.read(margin) in ((99, OKAY), (0, OKAY))
        circuit.run(100)
    assert circuit.read(margin) == (99, OKAY), "behind the reset it stays"


def test_no_answer_of_the_kernel_is_left_over_by_its_reset_and_taken_for_anothers(circuit: Overlay) -> None:
    """Another program reads registers all the time, and resets fall into such reads."""
    circuit.configure(Conditions(register_stall=0.3))
    kernel = BOARD.kernel_address + REGISTER_OFFSET["num_images"]
    circuit.bystander([kernel, BOARD.dma_address + 0x04, BOARD.interrupt_address], 0.9)
    for _ in range(300):
        circuit.write(kernel, 77)
        circuit.write(BOARD.dma_address, dma.CONTROL_RESET)
        circuit.run(100)
        assert [circuit.read(BOARD.dma_address + offset)[0] for offset in (0x00, 0x04)] == [0x0001_0002, 0x0001_0001]


def test_an_access_to_the_kernel_is_answered_though_its_reset_never_ends(circuit: Overlay) -> None:
    """Memory takes no address any more, the soft reset waits for it, and another program looks at the kernel."""
    circuit.fault(overlay_faults._READ_DEAF)
    for offset, value in ((0x00, 1), (0x18, 0x1000_0000), (0x28, 784), (0x00, dma.CONTROL_RESET)):
        assert circuit.write(BOARD.dma_address + offset, value) == OKAY
    for _ in range(3):
        assert circuit.read(BOARD.kernel_address) == (0, SLVERR)
        assert circuit.write_burst(BOARD.kernel_address + REGISTER_OFFSET["num_images"], [1] * 4) == SLVERR
        control, answer = circuit.read(BOARD.dma_address)
        assert answer == OKAY and control & dma.CONTROL_RESET, "who waits behind that access has his answer"
    circuit.fault(0)
    circuit.rest()
    assert circuit.read(BOARD.kernel_address) == (spec.CTRL_IDLE, OKAY)
    assert circuit.read(BOARD.dma_address) == (0x0001_0002, OKAY)


# What is refused -----------------------------------------------------------------------------------------------------


def test_the_fabric_of_another_family_is_refused(shipped_model: Model) -> None:
    with pytest.raises(DeviceError, match=r"zcu104 has a zynqmp; .* pynq-z2, pynq-z1\. Take such a board"):
        SimulatedDevice(shipped_model, kernel="rtl", board="zcu104")


def test_it_has_no_pace(shipped_model: Model) -> None:
    with pytest.raises(InputError, match="it has no pace"):
        SimulatedDevice(shipped_model, kernel="rtl", pace=1.0)


def test_without_verilator_the_error_says_how_to_get_it(
    shipped_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYNQ_EE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ToolError, match=r'verilator.*sudo apt install verilator make g\+\+.*device="sim" simulates'):
        EarlyExitInference(shipped_model, device="sim-rtl")
    assert cli.main(["demo", "--device", "sim-rtl", "--images", "10", "--no-picture"]) == EXIT_FAILURE
    assert "sudo apt install verilator" in capsys.readouterr().err


def test_a_waveform_is_refused_of_another_device(capsys: pytest.CaptureFixture[str]) -> None:
    line = ["demo", "--device", "sim-numpy", "--images", "10", "--no-picture", "--vcd", "x.vcd"]
    assert cli.main(line) == EXIT_FAILURE
    assert "--vcd is of --device sim-rtl" in capsys.readouterr().err


# Faults --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in overlay_faults.FAULTS if name != "memory: exhausted"])
def test_a_fault_is_noticed_and_the_batch_comes_right(
    shipped_model: Model, rtl: SimulatedDevice, digits: np.ndarray, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = overlay_faults.FAULTS[name]
    deadline = patience.seconds(0.2 if name in SLOW else 5)
    monkeypatch.setattr(dma, "RESET_SECONDS", patience.seconds(0.2))
    with EarlyExitInference(
        shipped_model, device=rtl, verify="all", deadline_seconds=deadline, images_per_transfer=32
    ) as network:
        right, others = network.classify(digits[:32]), network.classify(digits[32:64])  # whose results lie there first
        for seed in range(2):
            before = network.accelerator.counters.retries
            with rtl.inject(name, seed=seed) as shot:
                if fault.error is None or fault.retried:
                    assert network.classify(digits[:32]) == right
                else:
                    with pytest.raises(fault.error):
                        network.classify(digits[:32])
            assert shot.hits == 1
            assert network.accelerator.counters.retries - before == (fault.error is not None and fault.retried)
            assert network.classify(digits[32:64]) == others, "the next one is right whatever became of that one"


@pytest.mark.slow
def test_nothing_is_wrong_under_random_stalls_accesses_and_faults(
    shipped_model: Model, digits: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dma, "RESET_SECONDS", patience.seconds(0.2))
    run = soak.Soak(shipped_model, digits, "rtl", seed=1)
    run.drawn = [name for name in run.drawn if name not in SLOW]
    progress = type("Progress", (), {"update": lambda self, count: None})()
    summary = run.run(600, float("inf"), progress)  # make soak-rtl-short: more
    assert (summary["wrong"], summary["violations"]) == (0, [])
    assert sum(fault["injected"] for fault in summary["faults"].values()) > 0


# Waveforms -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_waveform_has_the_signals_of_the_overlay(tmp_path: Path) -> None:
    """Of a narrow model: what writes waveforms is compiled beside what does not, and the signals are those of each."""
    path, model = tmp_path / "wave.vcd", weights.save(models.random_model(22, NARROW), tmp_path / "model.npz")
    line = ["demo", "--model", str(model), "--device", "sim-rtl", "--images", "10", "--no-picture", "--vcd", str(path)]
    assert cli.main(line) == 0
    head, end, changes = path.read_text().partition("$enddefinitions")
    assert end and "s_axi_gp0_awvalid" in head and "m_axi_hp0_rdata" in head
    code = re.search(r"\$var wire +1 (\S+) s_axi_gp0_awvalid \$end", head)
    assert code and {f"0{code[1]}", f"1{code[1]}"} <= set(changes.split("\n")), "the registers were written"
