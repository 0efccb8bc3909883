"""Costs add up as the driver's time line has them, and are measured by letting images reach each exit."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import models
from pynq_ee import EarlyExitInference
from pynq_ee.exits import calibration, costs
from pynq_ee.exits.costs import Costs


def test_the_mean_is_the_work_of_those_who_reach_each_exit() -> None:
    assert Costs((1.0, 10.0, 100.0)).mean([0.5, 0.3, 0.2]) == pytest.approx(1 + 0.5 * 10 + 0.2 * 100)


def test_the_larger_of_host_and_fabric_counts() -> None:
    assert Costs((1.0, 10.0), overlapped=5.0).mean([0.9, 0.1]) == 5.0
    assert Costs((1.0, 10.0), overlapped=5.0).mean([0.1, 0.9]) == 10.0


def test_where_nothing_was_measured_each_software_stage_counts_as_one() -> None:
    assert Costs.counted(3).mean([0.5, 0.3, 0.2]) == pytest.approx(0.7)


@pytest.mark.parametrize("network", ["lenet5-2exit", "lenet5-3exit"])
def test_measured_costs_have_one_stage_an_exit_and_leave_the_threshold_alone(network: str, noise: np.ndarray) -> None:
    with EarlyExitInference(models.random_model(network=network), device="sim-numpy", threshold=0.7) as opened:
        found = costs.measure(opened, noise, repetitions=2)
        assert opened.threshold == (0.7,) * (opened.model.exits - 1)
        clocks = opened.accelerator.fabric_clocks(len(noise))
    assert len(found.stages) == opened.model.exits
    assert found.stages[0] > 0 and min(found.stages) >= 0, "differences of times, none below nothing"
    assert found.overlapped == pytest.approx(clocks / 100e6 / len(noise))
    assert "fabric modelled" in found.source
    low, high = found.spread
    assert 0 < low <= 1 <= high and low + high == pytest.approx(2)  # of two repetitions the median is the mean


def test_a_stage_costs_what_a_call_takes_more_that_reaches_it() -> None:
    """By the median of the calls after the first; by nothing where a call takes less."""
    taken = {
        1: [9.0, 1.0, 1.25, 1.5],
        2: [9.0, 3.0, 3.5, 2.75],
        3: [9.0, 2.5, 2.0, 2.25],
    }  # seconds of calls, by last exit

    class Network:
        model, device = SimpleNamespace(exits=3), SimpleNamespace(name="software")
        clock_mhz, threshold = None, (0.5, 0.5)

        def classify(self, images: np.ndarray) -> SimpleNamespace:
            last = 1 + sum(nats == 0 for nats in self.threshold)
            return SimpleNamespace(seconds={"entropy": 0.0, "remainder": taken[last].pop(0) * len(images)})

    network = Network()
    found = costs.measure(network, np.zeros((2, 28, 28), np.uint8), repetitions=3)
    assert found.stages == (1.25, 3.0 - 1.25, 0.0)
    assert found.spread == (2.0 / 2.25, 2.5 / 2.25)
    assert network.threshold == (0.5, 0.5) and not any(taken.values())


def test_in_software_the_first_exit_is_the_hosts_work_and_nothing_is_overlapped(noise: np.ndarray) -> None:
    with EarlyExitInference(models.random_model(), device="software", remainder="numpy") as opened:
        found = costs.measure(opened, noise, repetitions=2)
    assert found.overlapped == 0 and found.source == "all software, measured"
    assert found.stages[0] > 0 and min(found.stages) >= 0, "differences of times, none below nothing"


def test_a_network_is_calibrated_under_a_rate_by_its_measured_costs(noise: np.ndarray) -> None:
    labels = np.arange(len(noise)) % 10
    with EarlyExitInference(models.random_model(), device="sim-numpy") as opened:
        chosen = calibration.calibrate(opened, noise, labels, min_throughput=1.0)
        counted = calibration.calibrate(opened, noise, labels, min_early_share=0.5)
    assert chosen.costs.unit == "seconds" and chosen.mean_cost <= 1.0
    assert counted.costs.unit == "stages" and counted.outcome.early_share >= 0.5
