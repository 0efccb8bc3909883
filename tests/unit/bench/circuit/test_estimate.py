"""The page of the overlay's area: rows are added and replaced, and nothing is in the text that is not in a row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pynq_ee.bench.circuit import estimate
from pynq_ee.commands import cli
from pynq_ee.errors import DataError, ToolError
from pynq_ee.network import weights
from pynq_ee.sim import hardware_make


def row(name: str = weights.DEFAULT, pixels: int = 8, lut: float = 26_600.0) -> dict[str, Any]:
    """A row as it is measured."""
    spec = {
        "pixels_per_beat": pixels,
        "branch_channels": 16,
        "trunk_weight_bits": 4,
        "branch_weight_bits": 2,
        "classifier_weight_bits": 4,
    }
    return {
        "name": name,
        "build_id": "00000001",
        "spec": spec,
        "epochs": 6,
        "accuracy": 0.98765,
        "clocks_one": 165,
        "clocks_image": 98.0,
        "resources": {"LUT": lut, "FF": 10_640.0, "DSP": 0.0, "BRAM": 0.5, "CARRY4": 10.0},
        "parts": {"overlay.dma": {"LUT": lut, "FF": 10_640.0, "DSP": 0.0, "BRAM": 0.5, "CARRY4": 10.0}},
    }


def content(*rows: dict[str, Any]) -> dict[str, Any]:
    """A record of some rows."""
    tools = {"yosys": "Yosys 0.1", "verilator": "Verilator 5.1"}
    return {
        "format": 1, "data": "some digits", "tools": tools, "git_revision": "abc", "time": "now", "rows": list(rows)
    }  # fmt: skip


def test_a_row_takes_the_place_of_the_one_of_its_model_and_width() -> None:
    rows = [row("a"), row("a", pixels=4), row("b")]
    found = estimate.with_row(rows, row("a", lut=1.0))
    assert [(one["name"], one["spec"]["pixels_per_beat"]) for one in found] == [("a", 4), ("b", 8), ("a", 8)]
    assert found[-1]["resources"]["LUT"] == 1.0


def test_the_table_has_the_figures_and_where_they_come_from() -> None:
    table = estimate.table([row()]).splitlines()
    assert {line.count("|") for line in table} == {table[0].count("|")}
    for text in ("4 bit, ternary, 4 bit", "98.77 %", "26,600", "50 %", "10,640 (10 %)", "0.5", "98", "165"):
        assert f" {text} " in table[-1]
    assert "*measured*" in table[2] and "*counted*" in table[2]


def test_the_default_is_reasoned_for_by_both_widths_of_a_model_that_ships_and_not_without() -> None:
    both = estimate.markdown(content(row(pixels=4, lut=13_300.0), row()))
    for text in (
        "13,300 look-up tables",
        "25 %",
        "26,600 at 8 (50 %)",
        "2.00 times",
        "| overlay.dma | 13,300 | 10,640 |",
    ):
        assert text in " ".join(both.split())
    for rows in ([row()], [row("mine"), row("mine", pixels=4)]):
        assert "Why 8 pixels" not in estimate.markdown(content(*rows))


def test_precisions_are_compared_within_one_budget_and_width() -> None:
    own, other = row("own", lut=20_000.0), row("other", lut=25_000.0)
    other["spec"]["branch_weight_bits"], other["accuracy"] = 4, own["accuracy"] - 0.0010
    longer = {**row("longer"), "epochs": 45}
    narrow = row("narrow", pixels=4)
    page = estimate.markdown(content(longer, own, other, narrow))
    assert "6 epochs give 98.77 % for 20,000 look-up tables" in page
    assert [line for line in page.splitlines() if line.startswith("- ")] == [
        "- 4 bit, 4 bit, 4 bit, C = 16: -0.10 points, 1.25 times as many"
    ]
    assert "## Precision" not in estimate.markdown(content(longer, narrow))


def test_the_page_names_tools_revision_and_data() -> None:
    page = estimate.markdown(content(row()))
    for text in ("Yosys 0.1", "Verilator 5.1", "revision abc", "some digits", "What this does not prove"):
        assert text in page


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = estimate.write(content(row()), tmp_path / "circuit.md")
    assert written == [tmp_path / "circuit.json", tmp_path / "circuit.md"]
    assert estimate.read(tmp_path / "circuit.json") == content(row())


@pytest.mark.parametrize("text", ["", "[]", '{"format": 0}'])
def test_a_record_that_cannot_be_read_says_what_writes_one(tmp_path: Path, text: str) -> None:
    path = tmp_path / "circuit.json"
    path.write_text(text)
    with pytest.raises(DataError, match="hardware --estimate"):
        estimate.read(path)


def test_the_shipped_page_is_what_its_record_gives() -> None:
    page = Path(estimate.__file__).parents[3] / "docs" / "circuit.md"
    assert page.read_text() == estimate.markdown(estimate.read(page.with_suffix(".json")))


def test_a_tool_that_fails_is_told_with_what_it_said(monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "Makefile").write_text("cosim:\n\t@echo the last words; exit 3\n")
    monkeypatch.setattr(hardware_make, "hardware_folder", lambda: tmp_path / "source")
    with pytest.raises(ToolError, match=r"(?s)cosim .*ended with 2.*the last words"):
        estimate._make(tmp_path, "cosim")


def test_the_command_keeps_the_rows_that_a_page_has(monkeypatch, tmp_path: Path, capsys) -> None:
    def measured(model, name, digits):
        return row(name, model.spec.pixels_per_beat, lut=1000.0)

    monkeypatch.setattr(estimate, "measure", measured)
    page = tmp_path / "circuit.md"
    estimate.write(content(row("kept"), row(weights.DEFAULT)), page)
    command = ["hardware", "--estimate", weights.DEFAULT, "--pixels", "4", "8", "--output", str(page)]
    assert cli.main(command) == 0
    rows = json.loads(page.with_suffix(".json").read_text())["rows"]
    assert [(one["name"], one["resources"]["LUT"]) for one in rows] == [
        ("kept", 26_600.0), (weights.DEFAULT, 1000.0), (weights.DEFAULT, 1000.0)
    ]  # fmt: skip
    assert str(page) in capsys.readouterr().out


def test_the_options_of_the_estimate_need_it(capsys) -> None:
    assert cli.main(["hardware", "--pixels", "4"]) != 0
    assert "belong to --estimate" in capsys.readouterr().err
