"""The properties of DMA and kernel in hw/rtl/formal hold."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import cocotb_runs

Make = Callable[..., "subprocess.CompletedProcess[str]"]

MAKEFILE = (cocotb_runs.RTL.parent / "Makefile").read_text()
PROOFS = re.search(r"^PROOFS := (.*)$", MAKEFILE, re.MULTILINE)[1].split()


def missing() -> str:
    """What has to be installed before anything can be proved; empty where nothing has."""
    if shutil.which("yosys-smtbmc") is None:
        return "no yosys-smtbmc; apt install yosys"
    beside = Path(sys.executable).parent / "z3"
    return "" if beside.exists() or shutil.which("z3") else "no z3; pip install '.[rtl]'"


@pytest.mark.slow
@pytest.mark.skipif(bool(missing()), reason=missing() or "nothing is missing")
@pytest.mark.parametrize("module", PROOFS)
def test_the_properties_of_a_module_hold_from_its_reset_on_and_where_it_is_tried_by_induction(
    make: Make, tmp_path: Path, module: str
) -> None:
    result = make(f"prove-{module}", BUILD=tmp_path)
    assert result.returncode == 0, result.stdout
    assert f"{module}: holds for" in result.stdout


@pytest.mark.skipif(bool(missing()), reason=missing() or "nothing is missing")
def test_a_property_that_does_not_hold_fails_the_proof(make: Make, tmp_path: Path) -> None:
    """More words of a skid buffer under way than it has places."""
    copy = tmp_path / "hw"
    shutil.copytree(cocotb_runs.RTL.parent, copy, ignore=shutil.ignore_patterns("build"))
    text = (copy / "rtl/skid_buffer.sv").read_text()
    (copy / "rtl/skid_buffer.sv").write_text(text.replace("in_ready ? in_data : kept;", "in_data;"))
    result = make("-C", str(copy), "prove-skid_buffer", BUILD=tmp_path / "build")
    assert result.returncode != 0
    assert "Assert failed in skid_buffer" in result.stdout
