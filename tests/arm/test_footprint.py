"""Instructions on a board: counted as it is said, and no more than the documentation has."""

from __future__ import annotations

import itertools

import pytest

from arm import counter, footprint, transfers
from arm.board import Board
from arm.transfers import DONE, NEXT, PLACING
from pynq_ee.bench import pages

COST = 7


def marks_of(*batches: tuple[int, list[int]]) -> counter.Marks:
    """What the plugin says of batches: of each the host's instructions, and those of each placing."""
    kinds: list[int] = [NEXT, DONE]
    steps: list[int] = [0, 0]
    for work, placings in batches:
        for placing in placings:
            kinds += [PLACING, PLACING]
            steps += [0, placing]
        kinds.append(DONE)
        steps.append(work)
    return list(zip(kinds, itertools.accumulate(step + COST for step in steps)))


def test_a_batch_is_the_work_between_two_marks_without_placing_and_without_the_marks() -> None:
    batch = (1000, [300])
    assert counter.typical(marks_of(batch, batch), COST) == 1000


def test_answers_may_be_placed_several_times_in_a_batch_or_not_at_all() -> None:
    assert counter.typical(marks_of((5, []), (1000, [30, 40, 50]), (1001, []), (1002, [9])), COST) == 1001


def test_the_first_batch_is_not_typical_and_one_that_differs_decides_nothing() -> None:
    assert counter.typical(marks_of((99999, [1]), (1000, [1]), (1000, [2]), (10, [3])), COST) == 1000


def test_a_placing_that_does_not_end_is_no_count() -> None:
    with pytest.raises(ValueError, match="zip"):
        counter.typical([(DONE, 0), (DONE, 10), (PLACING, 20), (DONE, 30)], COST)


def test_marks_are_grouped_by_what_is_counted() -> None:
    marks = [(NEXT, 0), (NEXT, 7), (DONE, 9), (NEXT, 20), (DONE, 30), (DONE, 40)]
    assert counter._groups(marks) == [marks[:1], marks[1:3], marks[3:]]


def test_no_batch_takes_more_instructions_than_are_documented(compiled: Board) -> None:
    """But for a tenth. With fewer the page is old: ``make arm-footprint ARM_FLAGS=--write``."""
    if compiled.architecture != "armhf":
        pytest.skip("the documented counts are those of a PYNQ-Z1 or Z2")
    page = footprint.PAGES["transfers"].read_text()
    written = page.split(pages.begin(footprint.COMMAND))[1].split(pages.END)[0]
    documented = {}
    for line in written.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0].isdigit():
            documented[cells[1], int(cells[0])] = int(cells[2].replace(",", ""))
    counted = {(name, images): number for name, images, number in counter.Counter(compiled).transfers()}
    due = {
        *itertools.product([*transfers.PATHS, transfers.STREAM], transfers.BATCHES),
        (transfers.HANDED_OVER, max(transfers.BATCHES)),
        (transfers.CALL, 1),
    }
    assert set(counted) == set(documented) == due
    allowed = {what: 1.1 * number for what, number in documented.items()}
    assert not {what: (number, allowed[what]) for what, number in counted.items() if number > allowed[what]}
