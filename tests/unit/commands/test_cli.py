"""``pynq-ee``: every command explains itself, and every failure is one line and a status."""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import pynq_ee
from pynq_ee.commands import cli, common
from pynq_ee.errors import EXIT_FAILURE, InputError


def status_of(*arguments: str) -> int:
    """Exit status of a command line, argparse's own exits included."""
    try:
        return cli.main(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> object:
    """Makes ``pynq-ee info`` do what a test wants."""

    def replace(run: object) -> None:
        parser = argparse.ArgumentParser()
        parser.set_defaults(run=run, command="info")
        monkeypatch.setattr(cli, "build_parser", lambda: parser)

    return replace


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_explains_itself_with_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(command, "--help") == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: pynq-ee {command}")
    assert f"examples:\n  pynq-ee {command}" in text
    assert "/tmp" not in text


def test_the_overview_names_every_command_with_a_phrase(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("--help") == 0
    text = capsys.readouterr().out
    for command in cli.COMMANDS:
        assert re.search(rf"^ +{command}\s+[a-z]", text, re.MULTILINE), command


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_option_is_explained(command: str) -> None:
    parser = cli.build_parser()._subparsers._group_actions[0].choices[command]
    for action in parser._actions:
        assert action.help or action.dest in ("epochs", "seed", "batch", "learning_rate", "weight_decay", "network"), (
            action
        )


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("--version") == 0
    assert capsys.readouterr().out == f"pynq_ee {pynq_ee.__version__}\n"


@pytest.mark.parametrize("arguments", [(), ("unknown",), ("info", "--no-such-option"), ("classify",), ("train",)])
def test_a_wrong_command_line_is_status_2_and_a_usage(arguments: tuple, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(*arguments) == 2
    assert "usage: pynq-ee" in capsys.readouterr().err


@pytest.mark.parametrize("error", [InputError("3 is too much; give 2"), PermissionError(13, "Permission denied", "/x")])
def test_an_expected_error_is_one_line_and_status_1(
    failing: object, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def run(args: object) -> int:
        raise error

    failing(run)
    assert cli.main([]) == 1
    captured = capsys.readouterr()
    assert captured.err == f"pynq-ee info: {error}\n" and captured.out == ""


def test_a_defect_is_not_hidden(failing: object) -> None:
    def run(args: object) -> int:
        raise ZeroDivisionError

    failing(run)
    with pytest.raises(ZeroDivisionError):
        cli.main([])


def test_an_interrupt_is_status_130(failing: object, capsys: pytest.CaptureFixture[str]) -> None:
    def run(args: object) -> int:
        raise KeyboardInterrupt

    failing(run)
    assert cli.main([]) == 130
    assert capsys.readouterr().err == "pynq-ee info: interrupted\n"


def test_the_commands_status_is_passed_on(failing: object) -> None:
    failing(lambda args: 3)
    assert cli.main([]) == 3


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    """The pipe is closed before anything is written to it, so that the write fails, now or when Python ends."""
    program = (
        "import sys; from pynq_ee.commands import cli; from types import SimpleNamespace as N; "
        "parser = N(parse_args=lambda arguments: N(command='info', run=run)); cli.build_parser = lambda: parser; "
        "sys.stdin.read(); "
    )
    for run in ("lambda args: print('x') or 0", "lambda args: print('x' * 1_000_000) or 0"):
        process = subprocess.Popen(
            [sys.executable, "-c", f"run = {run}; {program} sys.exit(cli.main([]))"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        process.stdout.close()
        process.stdin.close()
        errors = process.stderr.read().decode()
        process.stderr.close()
        assert (process.wait(60), errors) == (0, "")


@pytest.mark.parametrize(
    ("output", "code", "told"),
    [(">&-", 0, ""), (">/dev/full", 1, "pynq-ee info: [Errno 28] No space left on device\n")],
)
def test_an_output_that_is_closed_or_full_is_told_in_a_line_at_most(output: str, code: int, told: str) -> None:
    command = shlex.join([sys.executable, "-W", "ignore", "-m", "pynq_ee.commands.cli", "info"])
    done = subprocess.run(f"{command} {output}", shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, told)


def test_the_parser_fills_what_the_commands_read() -> None:
    args = cli.build_parser().parse_args(["classify", "--threshold", "0.4,0.2", "--device", "sim", "a.png", "b.png"])
    assert args.files == ["a.png", "b.png"]
    assert args.threshold == (0.4, 0.2) and args.device == "sim" and callable(args.run)


#: Every option that names something to write, on a command line that would get there.
WRITING = {
    "demo": [
        ("demo", "--device", "sim-numpy", "--picture", "{}"),
        ("demo", "--device", "sim-rtl", "--no-picture", "--vcd", "{}"),
    ],
    "classify": [("classify", "--device", "sim-rtl", "x.png", "--vcd", "{}")],
    "trace": [
        ("trace", "--device", "sim-numpy", "--output", "{}"),
        ("trace", "--device", "sim-rtl", "--no-picture", "--vcd", "{}"),
    ],
    "calibrate": [
        ("calibrate", "--device", "sim-numpy", "--output", "{}"),
        ("calibrate", "--device", "sim-numpy", "--picture", "{}"),
        ("calibrate", "--device", "sim-numpy", "--model", "{}"),
    ],
    "bench": [("bench", "--output", "{}")],
    "report": [("report", "results.json", "--output", "{}"), ("report", "x", "--no-pictures", "--output", "{}")],
    "train": [("train", "--output", "{}")],
    "export": [("export", "lenet5-2exit", "--output", "{}"), ("export", "lenet5-2exit", "--generated", "{}")],
    "download": [("download", "--folder", "{}")],
    "hardware": [("hardware", "--estimate", "lenet5-2exit", "--output", "{}")],
    "bringup": [("bringup", "--output", "{}"), ("bringup", "--log", "{}")],
}
_SUFFIX = {"report": ".md", "hardware": ".md", "train": ".pt", "bench": ".json", "export": ".npz"}


def _no_work(args: argparse.Namespace) -> int:
    raise AssertionError("the work began")


@pytest.mark.parametrize("line", [line for lines in WRITING.values() for line in lines], ids=" ".join)
def test_what_cannot_be_written_is_refused_before_the_work_begins(
    line: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(f"pynq_ee.commands.{line[0]}.run", _no_work)
    (tmp_path / "file").write_bytes(b"")
    suffix = (
        ".vcd"
        if "--vcd" in line
        else ".png"
        if "--picture" in line
        else ".npz"
        if line[0] == "calibrate"
        else _SUFFIX.get(line[0], ".png")
    )
    nowhere = tmp_path / "file" / f"x{suffix}"
    assert cli.main([part.format(nowhere) for part in line]) == EXIT_FAILURE
    error = capsys.readouterr().err
    assert f"is {nowhere}, which cannot be written (Not a directory" in error and error.count("\n") == 1
    there = tmp_path / "new" / f"x{suffix}"
    with pytest.raises(AssertionError, match="the work began"):
        cli.main([part.format(there) for part in line])
    assert not there.parent.exists()


@pytest.mark.parametrize(
    "line",
    [
        ("demo", "--device", "sim-numpy", "--picture", "x.txt"),
        ("trace", "--device", "sim-numpy", "--output", "x.json"),
        ("calibrate", "--picture", "x.docx"),
        ("report", "results.json", "--output", "results"),
        ("hardware", "--estimate", "lenet5-2exit", "--output", "circuit.json"),
        ("export", "lenet5-2exit", "--output", "model.onnx"),
    ],
)
def test_a_suffix_that_cannot_be_written_is_refused_before_the_work_begins(
    line: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(f"pynq_ee.commands.{line[0]}.run", _no_work)
    assert cli.main(line) == EXIT_FAILURE
    assert f"{line[-2]} is {line[-1]}; its name must end in ." in capsys.readouterr().err


def test_every_command_that_writes_names_what_it_writes() -> None:
    for name, parser in cli.build_parser()._subparsers._group_actions[0].choices.items():
        options = {option for action in parser._actions for option in action.option_strings}
        writes = bool(options & {"--output", "--picture", "--generated", "--folder", "--vcd"})
        assert writes == (parser.get_default("outputs") is not None) == (name in WRITING), name


def test_every_kind_of_picture_that_is_taken_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pip install 'pynq_ee[plot]'")
    from pynq_ee.bench import plots

    for suffix in (*common.PICTURES, ".PNG"):
        with plots.figure(tmp_path / f"picture{suffix}") as axes:
            axes.plot([1, 2])
        assert (tmp_path / f"picture{suffix}").stat().st_size > 100
    with pytest.raises(InputError, match=r"x\.txt cannot be drawn; its name must end in"), plots.figure("x.txt"):
        pass
