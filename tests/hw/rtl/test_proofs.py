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


# Together they take two minutes; `make -C hw prove` is what a change of the circuit is tried with.
pytestmark = [pytest.mark.long, pytest.mark.skipif(bool(missing()), reason=missing() or "nothing is missing")]


@pytest.mark.parametrize("module", PROOFS)
def test_the_properties_of_a_module_hold_from_its_reset_on_and_where_it_is_tried_by_induction(
    make: Make, tmp_path: Path, module: str
) -> None:
    result = make(f"prove-{module}", BUILD=tmp_path)
    assert result.returncode == 0, result.stdout
    assert f"{module}: holds for" in result.stdout


#: Faults by which proofs must fail: a module, text that stands in it once, and what comes in its place.
BROKEN = [
    ("skid_buffer", "in_ready ? in_data : kept;", "in_data;"),
    ("frame", "of_record <= image_ends;", "of_record <= 1;"),
    ("frame", "last_image <= images_left == 1;", "last_image <= images_left <= 2;"),
    ("frame", "moves && record_ends && !truncated;", "moves && record_ends;"),
    ("frame", "truncated <= whole_images == 0;", "truncated <= whole_images == 1;"),
    ("frame", "done <= images_left == 0;", "done <= images_left <= 1;"),
    ("checksum", "valid && !start;", "valid;"),
    ("checksum", "state & ROW[31:0]", "state & ROW[30:0]"),
    ("checksum", "beat & ROW)", "beat & ROW >> 1)"),
    ("first_exit", "frame_done && !results_TVALID;", "frame_done;"),
    ("first_exit", "settled == SETTLE_CLOCKS && !finish", "settled == SETTLE_CLOCKS"),
    ("first_exit", "if (reset || start || !quiet)", "if (reset || !quiet)"),
    ("first_exit", "SETTLE_CLOCKS = 7;", "SETTLE_CLOCKS = 2;"),
    ("first_exit", ".out_ready(word_ready));", ".out_ready(unframed_ready));"),
    ("first_exit", "settled <= settled + 1'b1;", "settled <= settled;"),
    ("axi3_lite_bridge", "lite_arvalid <= word_read ?", "lite_arvalid <= read_given_up ?"),
    ("axi3_lite_bridge", "lite_awvalid <= word_written ?", "lite_awvalid <= write_given_up ?"),
    ("axi3_lite_bridge", "? writes_to & ~lite_resetn :", "? {SLAVES{1'b0}} :"),
    ("axi3_lite_bridge", "clocks[PATIENCE_BITS] && !lite_resetn", "clocks[PATIENCE_BITS-1] && !lite_resetn"),
]


@pytest.mark.parametrize(("module", "line", "fault"), BROKEN, ids=lambda text: text.partition(";")[0])
def test_a_property_that_does_not_hold_fails_the_proof(
    make: Make, tmp_path: Path, module: str, line: str, fault: str
) -> None:
    copy = tmp_path / "hw"
    shutil.copytree(cocotb_runs.RTL.parent, copy, ignore=shutil.ignore_patterns("build*"))
    path = copy / f"rtl/{module}.sv"
    assert path.read_text().count(line) == 1
    path.write_text(path.read_text().replace(line, fault))
    result = make("-C", str(copy), f"prove-{module}", BUILD=tmp_path / "build")
    assert result.returncode != 0
    assert f"Assert failed in {module}" in result.stdout
