"""The figures of the report say what they show, and what computed it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pynq_ee.bench.paper import figures


def test_the_pictures_of_a_record_name_what_computed_them_and_every_threshold(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'pynq_ee[plot]'")
    record = json.loads((Path(__file__).parents[4] / "docs" / "results.json").read_text())
    for network, measured in record["networks"].items():
        drawn = {}
        for draw in (figures.tradeoff, figures.governor, figures.break_even):
            drawn[draw] = draw(measured, tmp_path / "drawn.svg", network).read_text()
            assert network in drawn[draw]
        assert "NumPy model of the circuit, no device" in drawn[figures.tradeoff]
        for threshold in measured["evaluation"]["calibrated"]["thresholds"]:
            assert f"= {threshold:.3f} nats" in drawn[figures.tradeoff]
        assert measured["governor"]["device"] in drawn[figures.governor]
        assert "simulated pynq-z2" in drawn[figures.break_even]
