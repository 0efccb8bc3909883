"""The reference circuit gives the NumPy model's bits at a beat a clock, whatever the stalls, and can be synthesized."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import models
from pynq_ee.data.datasets import Digits
from pynq_ee.generate import constants
from pynq_ee.network import spec, weights
from pynq_ee.network.spec import Spec
from pynq_ee.network.weights import LayerWeights, Model
from pynq_ee.sim import vectors

#: Where little is asked of the arithmetic: two weights for each output, so that tools take seconds.
THIN = Spec(8, 1, 2, 2, 2)

Make = Callable[..., "subprocess.CompletedProcess[str]"]

needs_verilator = pytest.mark.skipif(shutil.which("verilator") is None, reason="no verilator; apt install verilator")

#: Both widths of the streams and both widths of each layer's weights, narrow enough to be simulated in seconds.
NARROW = [Spec(8, 3, 4, 2, 4), Spec(4, 2, 2, 4, 2)]


def extreme(model: Model) -> Model:
    """The model with the largest weights of both signs, a channel without any, and logits that saturate."""
    layers = {}
    for layer in model.spec.layers:
        found = model.fabric[layer.name]
        weight = np.where(found.weight < 0, -layer.weight_max, layer.weight_max).astype(np.int8)
        if layer.kernel > 1:
            weight[0] = layer.weight_max
            weight[-1] = 0
        shift = 0 * found.shift if layer.kernel == 1 else found.shift
        bias = np.where(np.arange(layer.out_channels) % 2, 30_000, -30_000) if layer.kernel == 1 else found.bias
        layers[layer.name] = LayerWeights(weight, bias.astype(np.int32), shift)
    return dataclasses.replace(model, fabric=layers)


def variables_of(folder: Path) -> dict[str, object]:
    """The variables of hw/Makefile that name a folder with a model and its generated files."""
    return {"BUILD": folder, "GENERATED": folder / "generated", "MODEL": folder / "model.npz"}


def simulated(make: Make, folder: Path, model: Model, images: np.ndarray) -> dict[int, int]:
    """Clocks by number of images, of a circuit that agreed with the NumPy model in every run."""
    weights.save(model, folder / "model.npz")
    constants.generate(model, folder / "generated")
    for mode in (0, spec.MODE_FEATURES):
        vectors.write(model, images, folder / "vectors", mode)
    result = make("-s", "cosim", **variables_of(folder))
    assert result.returncode == 0, result.stdout
    agreed = re.search(r"^(\d+) of (\d+) runs agree$", result.stdout, re.MULTILINE)
    assert agreed and agreed[1] == agreed[2] == "50", result.stdout
    runs = re.findall(r"mode (\d), margin (\d+): (\d+) images in (\d+) clocks \(measured\)", result.stdout)
    # To the last beat of the output: the features of all images but the last are hidden behind the images that follow.
    clocks = {mode: {int(count): int(total) for found, _, count, total in runs if found == mode} for mode in "01"}
    features = {0, model.spec.feature_beats}
    for mode, margin, count, total in runs:
        surplus = int(total) - clocks["0"][int(count)]
        assert surplus in features if mode == "1" else surplus == 0, (mode, margin, count)
    assert {total - clocks["0"][count] for count, total in clocks["1"].items()} == {model.spec.feature_beats}
    return clocks["0"]


@pytest.mark.slow
@needs_verilator
@pytest.mark.parametrize("one", NARROW, ids=lambda one: "-".join(map(str, dataclasses.astuple(one))))
def test_the_circuit_agrees_bit_for_bit_under_stalls_at_a_beat_a_clock(
    make: Make, random_model: Callable[..., Model], tmp_path: Path, one: Spec, digits: Digits, noise: np.ndarray
) -> None:
    model = random_model(21, one)
    model = extreme(model) if one.pixels_per_beat == 4 else model
    images = np.concatenate([noise[:8], digits.images[:8]])
    clocks = simulated(make, tmp_path, model, images)
    assert clocks[len(images)] - clocks[1] == one.image_beats * (len(images) - 1)
    assert clocks[1] <= spec.batch_clocks(one, 1)


@needs_verilator
def test_a_circuit_that_errs_is_found(make: Make, random_model: Callable[..., Model], tmp_path: Path) -> None:
    model = models.thin(random_model(22, THIN))
    weights.save(model, tmp_path / "model.npz")
    constants.generate(model, tmp_path / "generated")
    assert make("-s", "rtl", **variables_of(tmp_path)).returncode == 0
    verilog = tmp_path / "rtl-reference" / "first_exit_core.v"
    text = verilog.read_text()
    assert text.count("? 4'd15 :") > 1
    verilog.write_text(text.replace("? 4'd15 :", "? 4'd14 :"))
    kept = ["-o", str(tmp_path / "rtl-reference" / "done")]  # or it would be written anew
    result = make("-s", *kept, "cosim", **variables_of(tmp_path))
    assert result.returncode != 0
    assert re.search(r"expected 0x\w+, got 0x\w+", result.stdout) and "50 of 50" not in result.stdout


def test_another_model_is_another_circuit_without_a_clean(
    make: Make, random_model: Callable[..., Model], tmp_path: Path
) -> None:
    verilog = tmp_path / "rtl-reference" / "first_exit_core.v"
    written = []
    for model in (random_model(24, NARROW[0]), random_model(25, NARROW[0]), random_model(25, NARROW[0])):
        weights.save(model, tmp_path / "model.npz")
        result = make("-s", "rtl", **variables_of(tmp_path))
        assert result.returncode == 0, result.stdout
        assert f"build_id 0x{model.build_id:08x}" in verilog.read_text()
        written.append(verilog.stat().st_mtime_ns)
    assert written[0] < written[1] == written[2]
