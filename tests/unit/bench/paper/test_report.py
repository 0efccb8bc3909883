"""From ``pynq-ee bench`` to ``docs/results.md``: everything in the report is in the record."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import models
from pynq_ee.bench.paper import report, suite
from pynq_ee.commands import cli
from pynq_ee.data import datasets
from pynq_ee.data.datasets import Digits
from pynq_ee.errors import DataError
from pynq_ee.network import weights

pytest.importorskip("threadpoolctl", reason="needs threadpoolctl: pip install 'pynq_ee[bench]'")

EXTENT = suite.Extent(robustness_images=20, splits=2, drift_batches=12)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record of a random model on random digits, by the command itself."""
    folder = tmp_path_factory.mktemp("bench")
    random = np.random.default_rng(1)
    few = Digits(random.integers(0, 256, (600, 28, 28)).astype(np.uint8), random.integers(0, 10, 600), "noise")
    model = weights.save(models.random_model(2, thresholds=1.0), folder / "model.npz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "available", lambda: few)
        patch.setattr(datasets, "calibration", lambda: few)
        patch.setattr(suite, "QUICK", EXTENT)
        options = [
            "--batches",
            "1,32",
            "--repetitions",
            "1",
            "--images",
            "64",
            "--output",
            str(folder / "results.json"),
        ]
        assert cli.main(["bench", "--quick", "--models", str(model), *options]) == 0
    return folder / "results.json"


def test_the_record_names_machine_settings_and_seeds(results: Path) -> None:
    record = report.read(results)
    assert record["machine"]["processor"] and record["machine"]["time"]
    assert record["settings"]["repetitions"] == 1
    assert record["networks"]["lenet5-2exit"]["robustness"]["seed"] > 0


def test_a_set_too_small_for_the_risk_bound_is_left_out_by_name(results: Path) -> None:
    risk = report.read(results)["networks"]["lenet5-2exit"]["risk"]
    assert "600 images cannot vouch" in risk["left_out"]


def test_the_report_has_every_section_and_its_pictures(results: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'pynq_ee[plot]'")
    written = report.write(report.read(results), tmp_path / "results.md")
    text = (tmp_path / "results.md").read_text()
    for heading in (
        "# Results",
        "## In short",
        "## Accuracy",
        "### Table 1: without and with early exits, in software",
        "### Robustness",
        "### Governor",
        "## Energy",
    ):
        assert f"\n{heading}\n" in f"\n{text}"
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", text)
    assert len(pictures) == 3
    assert {tmp_path / name for name in pictures} == set(written[1:])
    for picture in written[1:]:
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_reports_tables_are_rectangular(results: Path, tmp_path: Path) -> None:
    text = report.markdown(report.read(results), None)
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert len(tables) >= 5
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_the_summary_stands_first_and_is_of_a_screens_length(results: Path) -> None:
    text = report.markdown(report.read(results), None)
    begin, end = text.index("## In short"), text.index("## Accuracy")
    assert text[:begin].count("\n## ") == 0
    summary = text[begin:end]
    assert len(re.findall(r"^\| `lenet5-2exit` \|", summary, re.MULTILINE)) == 6  # two batches, software and two widths
    assert len(summary.split()) < 400
    assert "reciprocal" in summary


def test_the_committed_report_is_of_the_committed_record() -> None:
    docs = Path(__file__).resolve().parents[4] / "docs"
    assert report.markdown(report.read(docs / "results.json"), "results") == (docs / "results.md").read_text()


def test_the_same_record_gives_the_same_report(results: Path) -> None:
    record = report.read(results)
    assert report.markdown(record, "pictures") == report.markdown(json.loads(json.dumps(record)), "pictures")


def test_the_report_without_pictures_needs_none(results: Path, tmp_path: Path) -> None:
    output = tmp_path / "results.md"
    assert cli.main(["report", str(results), "--output", str(output), "--no-pictures"]) == 0
    assert "](" not in output.read_text()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 99}'])
def test_a_file_that_is_no_record_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(content)
    with pytest.raises(DataError, match="pynq-ee bench"):
        report.read(path)


def test_without_a_board_the_benchmark_names_an_option_that_it_takes(
    model_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    class NoDevice:
        @property
        def active_device(self) -> None:
            raise RuntimeError("No Devices Found")

    monkeypatch.setattr("pynq.pl_server.device.Device", NoDevice())
    assert cli.main(["bench", "--models", str(model_file), "--device", "board"]) == 1
    (advice,) = re.findall(r"--device \w+", capsys.readouterr().err)
    assert cli.build_parser().parse_args(["bench", *advice.split()]).device == "model"


@pytest.mark.parametrize(
    "options, message",
    [
        (["--batches", "64", "--images", "32"], "a batch of 64 of only 32 images"),
        (["--repetitions", "0"], "must be 1 or more"),
    ],
)
def test_settings_that_measure_nothing_are_refused(
    options: list[str], message: str, model_file: Path, capsys: pytest.CaptureFixture
) -> None:
    assert cli.main(["bench", "--models", str(model_file), *options]) == 1
    assert message in capsys.readouterr().err
