"""What the open flow has not found is named, all of it at once; what it runs is ended, and its errors told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pynq_ee.errors import ToolError
from pynq_ee.openflow import tools

PART = "xc7z020clg400-1"


def test_everything_that_is_missing_is_named_with_how_it_is_called_and_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in (tools.DATABASE, tools.CHIP_DATABASE):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ToolError) as error:
        tools.find(PART, None, None, path=str(tmp_path))
    text = str(error.value)
    for name, (_, call, install) in tools.PROGRAMS.items():
        assert f"no {name} on the PATH" in text and call in text and install in text
    assert f"with --database or {tools.DATABASE}" in text and f"--chip-database or {tools.CHIP_DATABASE}" in text


def test_variables_name_the_data_where_no_option_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in tools.PROGRAMS:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / PART).mkdir()
    (tmp_path / PART / "part.yaml").touch()
    (tmp_path / "chip.bin").touch()
    monkeypatch.setenv(tools.DATABASE, str(tmp_path))
    monkeypatch.setenv(tools.CHIP_DATABASE, str(tmp_path / "chip.bin"))
    found = tools.find(PART, None, None, path=str(tmp_path))
    assert (found.database, found.chip_database) == (tmp_path, tmp_path / "chip.bin")
    assert found.programs["fasm2frames"] == str(tmp_path / "fasm2frames")
    with pytest.raises(ToolError, match=r"no chip database .*other\.bin"):
        tools.find(PART, None, tmp_path / "other.bin", path=str(tmp_path))


def test_a_program_that_fails_or_hangs_is_told_with_the_end_of_what_it_said(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(ToolError, match=r"(?s)ended with status 3; look there\. The end of .*log:\nlast words"):
        tools.run([sys.executable, "-c", "print('last words'); raise SystemExit(3)"], log, 1, "look there")
    with pytest.raises(ToolError, match=r"was ended after 0\.005 minutes"):
        tools.run([sys.executable, "-c", "import time; time.sleep(60)"], log, 0.005, "look there")
    with pytest.raises(ToolError, match="cannot be run"):
        tools.run([str(tmp_path / "none")], log, 1, "look there")
