"""The model of a board: its arithmetic by hand, its order, and that the documentation has what it gives."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pynq_ee.bench import pages
from pynq_ee.bench.board import counts, model, modelled
from pynq_ee.bench.board.counts import Counts
from pynq_ee.bench.board.machines import KV260, PYNQ_Z2, QUANTITIES, X86_SERVER, Machine, Range
from pynq_ee.bench.board.model import BEST, USUAL, WORST, Batch
from pynq_ee.bench.host.instructions import KINDS
from pynq_ee.errors import InputError
from pynq_ee.network import spec

MACHINES = (PYNQ_Z2, KV260, X86_SERVER)


def kinds(number: float) -> dict[str, float]:
    """So many instructions of each kind."""
    return dict.fromkeys(KINDS, number)


#: 7,000 instructions for a first exit, 700 for a remainder, 70 for a decision, 7 for a copy; 100,000 a batch and 1,000
#: an image of Python: a batch of 100 with 10 that stay is 100,000 + 100 * (1,000 + 70 + 7) + 10 * 700.
COUNTED = Counts(
    {"first-exit": kinds(1000), "remainder": kinds(100), "decision": kinds(10), "copy": kinds(1)},
    50_077,
    {100: 214_700, 1000: 1_247_000},
    15_000,
    0.1,
    80.0,
)

#: A cycle an instruction at a thousand MHz, everything else for nothing: a nanosecond an instruction.
FREE = {name: Range(*3 * [1e12 if quantity.more_is_faster else 0.0], "") for name, quantity in QUANTITIES.items()} | {
    name: Range(1, 1, 1, "") for name in (*KINDS, "interpreter", "interpreter instructions", "second core")
}
FREE |= {"clock": Range(1000, 1000, 1000, "")}
FREE |= {name: Range(1, 1, 1, "") for name in ("port efficiency", "memory efficiency")}


def machine(**changed: float) -> Machine:
    """One on which only instructions take time, and what is named."""
    ranges = {name.replace("_", " "): Range(value, value, value, "") for name, value in changed.items()}
    return Machine("imagined", "armv7", spec.BOARDS["pynq-z2"], 32, FREE | ranges)


@pytest.mark.parametrize("each", MACHINES, ids=lambda each: each.name)
def test_every_constant_has_a_range_in_order_and_a_source(each: Machine) -> None:
    assert set(each.ranges) == set(QUANTITIES)
    for name, value in each.ranges.items():
        assert value.low <= value.typical <= value.high, name
        assert value.source


def test_the_worst_is_the_end_of_a_range_that_makes_a_board_slower() -> None:
    bounds = Range(1, 2, 3, "")
    assert [model.value_of(bounds, when, True) for when in (WORST, USUAL, BEST)] == [1, 2, 3]
    assert [model.value_of(bounds, when, False) for when in (WORST, USUAL, BEST)] == [3, 2, 1]


def test_instructions_of_a_kind_take_its_cycles() -> None:
    constants = model.at(machine(branch=5), USUAL)
    assert model.native_cycles({"branch": 2, "other": 3}, constants) == 2 * 5 + 3
    assert model.native_seconds({"branch": 2, "other": 3}, constants) == pytest.approx(13e-9)


def test_python_is_what_a_stream_executes_without_copy_decision_and_remainder() -> None:
    assert COUNTED.interpreter(100) == 214_700 - 100 * 77 - 10 * 700 == 200_000
    assert COUNTED.interpreter(1000) == 1_247_000 - 1000 * 77 - 100 * 700 == 1_100_000
    assert COUNTED.interpreter(1) == 50_000


@given(st.integers(2, 5000))
def test_python_of_other_batches_is_on_the_line_through_two_that_were_counted(images: int) -> None:
    assert COUNTED.interpreter(images) == pytest.approx(100_000 + 1000 * images)


def test_cache_lines_are_maintained_whole() -> None:
    assert model.lines_seconds(32, 32, 10, 0) == pytest.approx(10e-9)
    assert model.lines_seconds(33, 32, 10, 2) == pytest.approx(20e-9 + 2e-6)


def test_a_copy_moves_an_image_four_times_over_the_memory_and_one_in_place_twice() -> None:
    assert model.memory_bytes(Batch(3), COUNTED) == 3 * (4 * 784 + 2 * 80)
    assert model.memory_bytes(Batch(3, in_place=True), COUNTED) == 3 * (2 * 784 + 2 * 80)


def test_a_call_for_one_image_overlaps_nothing() -> None:
    time = model.in_fabric(Batch(1), COUNTED, machine(access=10), USUAL)
    fabric = 302 / 100e6
    assert time.stages["fabric"] == fabric
    assert time.seconds == pytest.approx(fabric + 50_000e-9 + 70e-9 + 0.1 * 700e-9 + model.ACCESSES * 10e-9)
    assert time.bound == "core, python"


def test_one_core_does_one_stage_after_the_other_but_for_what_overlaps_nothing() -> None:
    time = model.in_fabric(Batch(100), COUNTED, machine(), USUAL)
    assert time.stages["python"] == pytest.approx(200e-6)
    assert time.busy["core"] == pytest.approx(200e-6 + 7e-6 + 7e-6)
    assert time.seconds == pytest.approx(200e-6 + 7e-6 + 7e-6)


def test_a_second_core_takes_the_remainder_and_where_that_is_more_the_first_one_helps() -> None:
    time = model.in_fabric(Batch(100, 2), COUNTED, machine(wake=1), USUAL)
    assert time.busy["first core"] == pytest.approx(207e-6 + COUNTED.handing * 1e-9 + model.WAKES * 1e-6)
    assert time.busy["second core"] == pytest.approx(7e-6)
    assert (time.bound, time.seconds) == ("first core, python", time.busy["first core"])
    heavy = replace(COUNTED, native={**COUNTED.native, "remainder": kinds(10_000)}, streams={100: 907_700, 1000: 8e6})
    shared = model.in_fabric(Batch(100, 2), heavy, machine(), USUAL)
    whole = 907e-6 + COUNTED.handing * 1e-9
    assert shared.busy["first core"] == pytest.approx(shared.busy["second core"]) == pytest.approx(whole / 2)
    assert (shared.bound, shared.seconds) == ("both cores, NEON, remainder", pytest.approx(whole / 2))


def test_a_core_that_is_slowed_down_by_the_other_one_takes_longer() -> None:
    alone, together = (model.in_fabric(Batch(100, 2), COUNTED, machine(second_core=each), USUAL) for each in (1, 0.5))
    assert together.seconds == pytest.approx(2 * alone.seconds)


def test_few_that_stay_are_not_handed_over() -> None:
    one, two = (model.in_fabric(Batch(30, cores), COUNTED, machine(wake=1e6), USUAL) for cores in (1, 2))
    assert two.busy == {"first core": one.busy["core"], "second core": 0.0} | {
        name: one.busy[name] for name in ("fabric", "HP port", "DDR")
    }


def test_images_in_place_are_neither_copied_nor_cleaned() -> None:
    for cores in (1, 2):
        slow = machine(copy=1, clean=1e6)
        placed, free = (model.in_fabric(Batch(100, cores, True), COUNTED, each, USUAL) for each in (slow, machine()))
        assert placed == free


def test_a_host_that_takes_nothing_leaves_the_fabric_to_set_the_rate() -> None:
    time = model.in_fabric(Batch(1024), COUNTED, machine(clock=1e12, port_efficiency=1), USUAL)
    assert time.bound == "fabric"
    assert time.an_image == pytest.approx(98.2 / 100e6, rel=0.001)


@pytest.mark.parametrize(
    ("slow", "bound"),
    [
        ({"memory_bus": 100}, "DDR"),
        ({"port_efficiency": 0.01}, "HP port"),
        ({"copy": 1}, "core, fill"),
        ({"clean": 1e6}, "core, clean"),
        ({"read": 0.1}, "core, collect"),
        ({"multiply": 1e6}, "core, NEON, remainder"),
        ({"interpreter": 1e3}, "core, python"),
    ],
)
def test_what_is_slow_is_what_bounds(slow: dict[str, float], bound: str) -> None:
    counted = replace(COUNTED, native={**COUNTED.native, "decision": {}})
    assert model.in_fabric(Batch(1024), counted, machine(**slow), USUAL).bound == bound


def test_software_takes_the_first_exit_besides_and_two_cores_share_it() -> None:
    alone, shared = (model.in_software(Batch(100, cores), COUNTED, machine(), USUAL) for cores in (1, 2))
    assert alone.seconds == pytest.approx(100 * 7e-6 + 7e-6 + 7e-6 + 0.6 * 200e-6)
    assert shared.stages["first exit"] == pytest.approx(alone.stages["first exit"] / 2)
    assert alone.bound == "core, NEON, first exit"


@pytest.mark.parametrize("each", MACHINES, ids=lambda each: each.name)
def test_what_is_usual_lies_between_best_and_worst_and_in_place_is_never_slower(each: Machine) -> None:
    found = modelled.rows(each, COUNTED)
    for row in found:
        assert row.best.seconds <= row.usual.seconds <= row.worst.seconds
    copied = [row.usual.seconds for row in found if row.way == modelled.FABRIC]
    placed = [row.usual.seconds for row in found if row.way == modelled.IN_PLACE]
    assert len(copied) == len(placed) == 5
    assert all(second <= first for first, second in zip(copied, placed))


# What is documented --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("page", "text"), [(counts.BOARD_PAGE, modelled.text), (modelled.README, modelled.in_short)])
def test_a_page_has_what_the_model_gives(page: Path, text: Callable[..., str]) -> None:
    """Of the counts that stand in the documentation: ``python -m pynq_ee.bench.board.modelled --write``."""
    written = page.read_text().split(pages.begin(modelled.COMMAND))[1].split(pages.END)[0]
    assert written == text(*modelled.everything()) + "\n"


def test_the_counts_of_the_page_are_read_as_they_stand_there() -> None:
    counted = counts.read("armv7")
    assert set(counted.native) == {"first-exit", "remainder", "decision", "copy"}
    assert sum(counted.native["decision"].values()) == pytest.approx(126, abs=5)
    assert set(counted.streams) == {64, 1024}
    assert counted.undecided == pytest.approx(0.014)
    assert 0 < counted.call < counted.streams[64] < counted.streams[1024]
    assert 24 < counted.returned < 616


def test_a_page_without_a_count_is_refused_with_the_command_that_writes_it(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(pages.begin(counts.STREAM_COMMAND) + pages.END)
    with pytest.raises(InputError, match=r"no table of `make arm-footprint` yet"):
        counts.read("armv7", stream_page=page)
    page.write_text(
        f"{pages.begin(counts.STREAM_COMMAND)}|a|\n|-|\n| 64 | `stream`, 1.4% undecided | 9 | 1 |\n{pages.END}"
    )
    with pytest.raises(InputError, match=re.escape("counted was only `stream`, 1.4% undecided of 64: ")):
        counts.read("armv7", stream_page=page)
    with pytest.raises(InputError, match="documentation of a checkout"):
        counts.read("armv7", stream_page=tmp_path / "absent.md")


def test_what_is_modelled_stands_beside_what_a_board_measured() -> None:
    two = next(
        row
        for row in modelled.everything()[0]
        if (row.machine, row.way, row.batch) == ("PYNQ-Z2", modelled.FABRIC, Batch(1024, 2))
    )
    assert modelled.beside("pynq-z2", 1024) == (
        f"{1e6 * two.usual.an_image:.2f} ({1e6 * two.best.an_image:.2f} to {1e6 * two.worst.an_image:.2f})"
    )
    assert modelled.beside("zcu104", 1024) is None


def test_the_command_prints_the_same_rows_as_json_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert modelled.main(["--json", "--plot", str(tmp_path / "board.png")]) == 0
    assert '"kind": "modelled"' in capsys.readouterr().out
    assert (tmp_path / "board.png").stat().st_size > 10_000
