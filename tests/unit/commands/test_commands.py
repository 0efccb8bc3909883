"""The commands that need no device: info, export, the wrong input of classify, and what they share."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import models
import pynq_ee
from pynq_ee.commands import cli, common
from pynq_ee.data.datasets import Digits
from pynq_ee.driver import bitfiles
from pynq_ee.errors import DeviceError, InputError
from pynq_ee.network import weights
from pynq_ee.network.spec import Spec

# What the commands share ---------------------------------------------------------------------------------------------


def test_a_threshold_option_is_one_number_or_several() -> None:
    assert common.threshold("0.4") == 0.4 and common.threshold("0.4,0.2") == (0.4, 0.2)
    assert common.threshold("inf") == float("inf")
    for text in ("", "a", "0.4,", "0.4;0.2"):
        with pytest.raises(argparse.ArgumentTypeError, match=r"not a number of nats"):
            common.threshold(text)


def test_json_takes_numpy_paths_and_infinity() -> None:
    value = {
        1: np.float32(0.5),
        "a": np.arange(2),
        "b": (np.int64(3), Path("x/y")),
        "c": [float("inf"), np.float64("nan")],
        "d": {"e": np.bool_(True)},
        "f": None,
    }
    assert json.loads(json.dumps(common.plain(value), allow_nan=False)) == {
        "1": 0.5,
        "a": [0, 1],
        "b": [3, "x/y"],
        "c": ["inf", "nan"],
        "d": {"e": True},
        "f": None,
    }


def test_a_table_is_aligned_and_has_no_trailing_blanks() -> None:
    assert common.table([("a", 1), ("long", 22.5)], ("name", "value")) == (
        "name  value\n----  -----\na     1\nlong  22.5"
    )
    assert common.table([("a", ""), ("b", "c")]) == "a\nb  c"


def test_shares_and_nats_are_worded() -> None:
    assert common.percent(0.98765) == "98.77 %" and common.percent(1, 0) == "100 %"
    assert common.nats((0.4119, 0.23)) == "0.412, 0.230 nats"


def test_the_first_digits_are_spread_over_the_set() -> None:
    digits = Digits(np.arange(100 * 784).astype(np.uint8).reshape(100, 28, 28), np.arange(100) // 10, "made up")
    chosen = common.first(digits, 10)
    assert set(chosen.labels) == set(range(10)) and chosen.images.shape == (10, 28, 28) and chosen.source == "made up"
    assert common.first(digits, None) is digits and len(common.first(digits, 100).labels) == 100
    assert common.first(digits, 1).labels.tolist() == [0]
    for count in (0, -1, 101):
        with pytest.raises(InputError, match=f"{count} images asked for; give 1 to 100, which made up has"):
            common.first(digits, count)


# info ----------------------------------------------------------------------------------------------------------------


def test_info_tells_what_a_model_is(model_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info", "--model", str(model_file), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    model = models.random_model()
    assert facts["build_id"] == f"0x{model.build_id:08x}" and facts["network"] == "lenet5-2exit" and facts["exits"] == 2
    assert facts["pynq_ee"] == pynq_ee.__version__ and "numpy" in facts["remainder engines"]
    assert facts["clocks an image"] == 98
    assert cli.main(["info", "--model", str(model_file)]) == 0
    assert f"0x{model.build_id:08x}" in capsys.readouterr().out


def test_info_prints_the_bare_build_id_for_scripts(model_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info", "--model", str(model_file), "--build-id"]) == 0
    assert capsys.readouterr().out == f"{models.random_model().build_id:08x}\n"


@pytest.mark.parametrize("model", ["no-such-model", "no/such.npz", __file__])
def test_info_of_what_is_no_model_is_one_line(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info", "--model", model]) == 1
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith("pynq-ee info: ") and captured.err.count("\n") == 1


# export --------------------------------------------------------------------------------------------------------------


def test_export_writes_the_headers_of_a_model(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "generated"
    assert cli.main(["export", str(model_file), "--generated", str(folder)]) == 0
    build_id = f"{models.random_model().build_id:08x}"
    assert build_id in capsys.readouterr().out
    assert {path.suffix for path in folder.iterdir()} == {".h", ".json", ".tcl"}
    assert any(build_id in path.read_text().lower() for path in folder.iterdir())


def test_export_at_another_width_is_another_circuit_of_the_same_weights(model_file: Path, tmp_path: Path) -> None:
    narrow_file = tmp_path / "narrow.npz"
    assert cli.main(["export", str(model_file), "--pixels-per-beat", "4", "--output", str(narrow_file)]) == 0
    narrow, wide = weights.load(narrow_file), models.random_model()
    assert narrow.spec == Spec(pixels_per_beat=4) and narrow.build_id != wide.build_id
    assert np.array_equal(narrow.fabric["trunk"].weight, wide.fabric["trunk"].weight)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to write: give --output, --generated, or both"),
        (("--output", "model.bin"), "--output is model.bin; its name must end in .npz"),
    ],
)
def test_export_says_what_it_needs(
    model_file: Path, arguments: tuple, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["export", str(model_file), *arguments]) == 1
    assert message in capsys.readouterr().err


def test_export_to_a_place_that_cannot_be_written_is_one_line(
    model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["export", str(model_file), "--output", str(model_file / "inside.npz")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("arguments", [("train", "--output", "x.pt"), ("export", "x.pt", "--output", "x.npz")])
def test_without_torch_training_says_what_to_install(arguments: tuple) -> None:
    """In a process of its own: a torch that was imported cannot be taken away."""
    start = "import sys; sys.modules['torch'] = None; from pynq_ee.commands import cli"
    program = f"{start}; sys.exit(cli.main({list(arguments)}))"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=Path(pynq_ee.__file__).parents[1]
    )
    assert result.returncode == 1 and "pip install 'pynq_ee[train]'" in result.stderr, result.stderr
    assert result.stderr.count("\n") == 1


# classify ------------------------------------------------------------------------------------------------------------


def test_classify_without_a_board_says_how_to_ask_for_the_simulated_one(
    model_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none_here() -> object:
        raise DeviceError("no board here; ask for the simulated one: --device sim")

    monkeypatch.setattr(bitfiles, "this_board", none_here)
    assert cli.main(["classify", "--model", str(model_file), "seven.png"]) == 1
    assert "--device sim" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "no/such.npz"), "no model file no/such.npz"),
        (("--threshold", "-1"), "threshold is -1.0 nats"),
        (("--threshold", "0.1,0.2"), "2 thresholds for 2 exits"),
    ],
)
def test_classify_refuses_wrong_options_in_one_line(
    model_file: Path, arguments: tuple, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["classify", "--model", str(model_file), "--device", "sim-numpy", *arguments, "x.png"]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "message"), [("missing.png", "no such picture"), ("text.png", "no picture that can be read")]
)
def test_classify_names_the_picture_that_cannot_be_read(
    model_file: Path, tmp_path: Path, name: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pynq", reason="the simulated board is a device of pynq, which is not installed")
    (tmp_path / "text.png").write_text("no picture")
    path = tmp_path / name
    assert cli.main(["classify", "--model", str(model_file), "--device", "sim-numpy", str(path)]) == 1
    error = capsys.readouterr().err
    assert message in error and str(path) in error and error.count("\n") == 1


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "blank.png"
    Image.fromarray(np.eye(28, dtype=np.uint8) * 255).save(path)
    return path


def test_one_bad_file_does_not_lose_the_others_answers(
    model_file: Path, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pynq", reason="the simulated board is a device of pynq, which is not installed")
    options = ["classify", "--model", str(model_file), "--device", "sim-numpy", "--threshold", "0"]
    assert cli.main([*options, str(picture), "missing.png", str(picture)]) == 1
    captured = capsys.readouterr()
    assert captured.out.count(str(picture)) == 2 and "missing.png" not in captured.out
    assert captured.err == "pynq-ee classify: no such picture: missing.png\n"
    assert "threshold: 0.000 nats" in captured.out and "that of the exit where the image left" in captured.out
    assert cli.main([*options, "--json", "missing.png", str(picture)]) == 1
    record = json.loads(capsys.readouterr().out)
    assert [image["file"] for image in record["images"]] == [str(picture)]
    assert record["failed"] == [{"file": "missing.png", "error": "no such picture: missing.png"}]
    assert cli.main([*options, str(picture)]) == 0


def test_a_dash_is_standard_input(model_file: Path, picture: Path) -> None:
    pytest.importorskip("pynq", reason="the simulated board is a device of pynq, which is not installed")
    command = [sys.executable, "-m", "pynq_ee.commands.cli", "classify", "--model", str(model_file)]
    for content, status in ((picture.read_bytes(), 0), (b"no picture", 1)):
        done = subprocess.run(
            [*command, "--device", "sim-numpy", "-"],
            input=content,
            capture_output=True,
            cwd=Path(pynq_ee.__file__).parents[1],
        )
        assert done.returncode == status, done.stderr
        assert (b"\n-  " in done.stdout) == (status == 0)
        assert (b"standard input is no picture" in done.stderr) == (status == 1)


def test_the_command_is_installed_under_its_name() -> None:
    """In a checkout that is not installed, the module does the same."""
    command = [shutil.which("pynq-ee")] if shutil.which("pynq-ee") else [sys.executable, "-m", "pynq_ee.commands.cli"]
    root = Path(pynq_ee.__file__).parents[1]
    result = subprocess.run([*command, "--version"], capture_output=True, text=True, cwd=root)
    assert result.stdout == f"pynq_ee {pynq_ee.__version__}\n", result.stderr
