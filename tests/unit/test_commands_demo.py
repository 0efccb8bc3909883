"""The demo names all the packages that it lacks at once, before any work."""

from __future__ import annotations

import pytest

from pynq_ee import cli
from pynq_ee.commands import demo


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which only what the runtime needs is installed."""
    monkeypatch.delenv("AP_TYPES", raising=False)
    monkeypatch.setattr(demo.datasets, "mnist_folder", lambda: None)
    monkeypatch.setattr(demo, "find_spec", lambda name: None)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--device", "sim"], "mlxtend and hls4ml and matplotlib"),
        (["--device", "sim", "--no-picture"], "mlxtend and hls4ml"),
        (["--device", "sim-numpy"], "mlxtend and matplotlib"),
    ],
)
def test_missing_packages_are_named_together(
    options: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["demo", *options]) == cli.EXIT_FAILURE
    message = capsys.readouterr().err
    assert f"the demo needs {named}, not installed here: pip install 'pynq_ee[demo]'" in message
    assert ("--no-picture" in message) == ("matplotlib" in named)


@pytest.mark.usefixtures("digits")
def test_a_picture_that_cannot_be_written_does_not_cost_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib", reason="pip install 'pynq_ee[plot]'")
    nowhere = "/proc/none.png"  # where not even root may make a file
    options = ["--device", "sim-numpy", "--images", "50", "--picture", nowhere]
    assert cli.main(["demo", *options]) == cli.EXIT_FAILURE
    table = capsys.readouterr().out
    assert "accuracy, system" in table and "not written" in table
