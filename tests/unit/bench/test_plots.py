"""The pictures are written whole, and say what they show."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from populations import population
from pynq_ee.bench import plots
from pynq_ee.errors import ToolError
from pynq_ee.exits import calibration, rule
from pynq_ee.exits.costs import Costs

PNG = b"\x89PNG"
needs_matplotlib = "needs matplotlib: pip install 'pynq_ee[plot]'"


@pytest.mark.parametrize("exits", [2, 3])
def test_the_trade_off_is_drawn_and_the_same_figures_give_the_same_bytes(exits: int, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason=needs_matplotlib)
    scores = population(300, exits, seed=1)
    for name in ("one.png", "two.png"):
        plots.tradeoff(scores, (0.1,) * (exits - 1), tmp_path / "new folder" / name, title="somewhere")
    first, second = ((tmp_path / "new folder" / name).read_bytes() for name in ("one.png", "two.png"))
    assert first.startswith(PNG) and first == second
    assert len(list((tmp_path / "new folder").iterdir())) == 2  # nothing temporary is left


def test_digits_beside_the_curve_are_of_the_kind_that_they_are_said_to_be(tmp_path: Path) -> None:
    """Also where there are none, or fewer than a row takes."""
    scores, thresholds = population(300, 3, seed=1), (0.1, 0.2)
    taken = rule.exit_of(scores.entropy, thresholds) - 1
    answers = scores.label[np.arange(300), taken]
    early, late, wrong = plots.digits_of_each_kind(scores, thresholds).values()
    assert all(0 < len(chosen) <= 8 for chosen in (early, late, wrong))
    right = answers == scores.truth
    assert all(taken[row] == 0 and right[row] and text == str(answers[row]) for row, text in early)
    assert all(taken[row] > 0 and right[row] for row, _ in late)
    assert all(not right[row] and text == f"{answers[row]} ({scores.truth[row]})" for row, text in wrong)
    few = scores[np.flatnonzero(scores.right.all(1))[:3]]
    assert [len(chosen) for chosen in plots.digits_of_each_kind(few, (np.inf, np.inf)).values()] == [3, 0, 0]
    pytest.importorskip("matplotlib", reason=needs_matplotlib)
    plots.tradeoff(scores, thresholds, tmp_path / "digits.png", images=np.zeros((300, 28, 28), np.uint8))
    plots.tradeoff(few, thresholds, tmp_path / "few.png", images=np.zeros((3, 28, 28), np.uint8))
    assert (tmp_path / "digits.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize("thresholds", [(0.0,), (np.inf,)])
def test_thresholds_at_the_ends_are_drawn_too(thresholds: tuple[float], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason=needs_matplotlib)
    plots.tradeoff(population(50, 2, seed=1), thresholds, tmp_path / "end.png")
    assert (tmp_path / "end.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize("costs", [None, Costs((1e-6, 1e-5), 2e-6, "seconds", "modelled")])
def test_a_calibration_is_drawn_whatever_its_unit(costs: Costs | None, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason=needs_matplotlib)
    scores = population(300, 2, seed=1)
    chosen = calibration.optimum(scores, costs, max_loss_points=0.5)
    plots.calibration(scores, chosen, tmp_path / "calibration.svg")
    text = (tmp_path / "calibration.svg").read_text()
    assert text.lstrip().startswith("<?xml") and "svg" in text


def test_a_gallery_names_the_device(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason=needs_matplotlib)
    exits, entropy = np.array([1, 2]), np.array([0.1, 1.2])
    prediction = SimpleNamespace(labels=np.array([3, 4]), exits=exits, entropy=entropy, device="some board")
    path = plots.gallery(np.zeros((2, 28, 28), np.uint8), prediction, tmp_path / "gallery.svg")
    assert "computed on some board" in path.read_text()


def test_a_missing_matplotlib_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ToolError, match=r"needs matplotlib .* pip install 'pynq_ee\[plot\]'"):
        plots.tradeoff(population(50, 2, seed=1), (0.1,), tmp_path / "none.png")
    assert not list(tmp_path.iterdir())


def test_a_failure_while_drawing_leaves_no_file(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason=needs_matplotlib)
    with pytest.raises(RuntimeError), plots.figure(tmp_path / "none.png"):
        raise RuntimeError("while drawing")
    assert not list(tmp_path.iterdir())
