"""The command, and what it prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tiny_device
from pynq_ee.bitcheck.__main__ import VARIABLE, main
from pynq_ee.bitcheck.database import Database


@pytest.fixture()
def good(database: Database, tmp_path: Path) -> Path:
    path = tmp_path / "good.bit"
    features = {
        "LOGIC_X3Y0": [f"SLICEM_X0.ALUT.INIT[{entry:02}]" for entry in range(1, 64, 2)],
        "SWITCHES_X2Y0": ["TO_A1.FROM_EMIOGPIOO0", "TO_IRQF2P0.FROM_A"],
    }
    path.write_bytes(tiny_device.bitstream(tiny_device.bits_of(database, features)))
    return path


@pytest.fixture()
def bad(database: Database, tmp_path: Path) -> Path:
    path = tmp_path / "bad.bit"
    features = {"SWITCHES_X2Y0": ["TO_IRQF2P0.LONG", "TO_EMIOGPIOI1.FROM_DMUX"]}
    path.write_bytes(tiny_device.bitstream(tiny_device.bits_of(database, features)))
    return path


def test_a_circuit_is_told_and_written(good: Path, database_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = good.with_suffix(".v")
    assert main([str(good), "--database", str(database_folder), "--verilog", str(out)]) == 0
    printed = capsys.readouterr().out
    assert " set, 0 unknown" in printed
    assert "features   32, and 2 switches" in printed and "cells      1 PS7" in printed
    assert printed.endswith("If the database is right, this file is this circuit.\n")
    text = out.read_text()
    assert "assign LOGIC_X3Y0_X0_A_O6 = PS7_EMIOGPIOO0;" in text and ".IRQF2P({LOGIC_X3Y0_X0_A_O6})" in text


def test_faults_are_told_and_end_with_status_1(
    bad: Path, database_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(database_folder))
    assert main([str(bad)]) == 1
    printed = capsys.readouterr().out
    assert "fault      SWITCHES_X2Y0/TO_IRQF2P0 is switched to what nothing drives" in printed
    assert "SLICEM_X0: DOUTMUX takes nothing" in printed and "This file is no circuit." in printed


def test_json_has_what_was_found(bad: Path, database_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(bad), "--database", str(database_folder), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["part"], found["unknown"], found["switches"]) == (tiny_device.PART, [], 2)
    assert found["undriven"] == ["SWITCHES_X2Y0/TO_IRQF2P0 is switched to what nothing drives"]


def test_an_error_is_one_line(good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(good), "--database", str(tmp_path)]) == 1
    assert main([str(tmp_path / "none.bit"), "--database", str(tmp_path)]) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("bitcheck: ")]
    assert len(lines) == 2 and "has no */part.json" in lines[0] and "none.bit" in lines[1]


def test_without_a_database_it_says_how_to_name_one(
    good: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(SystemExit) as ended:
        main([str(good)])
    assert ended.value.code == 2 and VARIABLE in capsys.readouterr().err
