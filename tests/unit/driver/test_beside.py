"""Work in a thread of its own: outcomes in order, errors where they belong, nothing waited for that cannot come."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import patience
from pynq_ee.driver.beside import Beside


@pytest.fixture
def beside() -> Iterator[Beside]:
    found = Beside()
    yield found
    found.close()


@given(st.lists(st.booleans(), max_size=12))
@settings(max_examples=60, deadline=None)
def test_outcomes_come_in_order_whichever_are_computed_beside(late: list[bool]) -> None:
    beside = Beside()

    def outcomes() -> Iterator[Any]:
        for number, handed_over in enumerate(late, start=1):
            yield beside.submit(lambda number=number: number) if handed_over else number

    assert list(beside.in_order(outcomes())) == list(range(1, len(late) + 1))
    beside.close()


def test_one_is_computed_while_the_next_is_asked_for_and_no_further_one(beside: Beside) -> None:
    asked, go_on = [], threading.Event()

    def outcomes() -> Iterator[Any]:
        for number in range(1, 4):
            asked.append(number)
            if number == 2:
                go_on.set()  # so the first is not waited for before the second is asked for
            yield beside.submit(lambda number=number: go_on.wait(patience.seconds(20)) and number)

    ordered = beside.in_order(outcomes())
    assert (next(ordered), asked) == (1, [1, 2])
    assert (next(ordered), asked) == (2, [1, 2, 3])
    assert list(ordered) == [3]


def test_an_error_of_the_thread_arrives_in_its_place(beside: Beside) -> None:
    def fails() -> int:
        raise ValueError("of the thread")

    ordered = beside.in_order(iter([1, beside.submit(fails), 3]))
    assert next(ordered) == 1
    with pytest.raises(ValueError, match="of the thread"):
        next(ordered)


@pytest.mark.parametrize("closed", [False, True])
def test_an_error_of_a_later_batch_does_not_swallow_what_came_before_unless_it_is_closed(
    beside: Beside, closed: bool
) -> None:
    def outcomes() -> Iterator[Any]:
        yield beside.submit(lambda: 1)
        if closed:
            beside.close()
        raise ValueError("of the second batch")

    ordered = beside.in_order(outcomes())
    if not closed:
        assert next(ordered) == 1
    with pytest.raises(ValueError, match="of the second batch"):
        next(ordered)


def test_an_interrupt_is_raised_at_once(beside: Beside) -> None:
    def outcomes() -> Iterator[Any]:
        yield beside.submit(lambda: 1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        next(beside.in_order(outcomes()))


def test_closing_waits_for_what_is_computed_and_ends_the_thread(beside: Beside) -> None:
    begun, done = threading.Event(), []

    def work() -> None:
        begun.set()
        done.append(threading.current_thread())

    task = beside.submit(work)
    assert begun.wait(patience.seconds(20))
    beside.close()
    beside.close()
    assert len(done) == 1 and not done[0].is_alive()
    assert task.result() is None


def _in_a_fork(question: Callable[[], bool]) -> bool:
    child = os.fork()
    if not child:
        os._exit(0 if question() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_in_a_fork_what_was_handed_over_is_done_there_and_new_work_too(beside: Beside) -> None:
    hold = threading.Event()

    def work() -> int:
        return os.getpid() if os.getpid() != parent else hold.wait(patience.seconds(20))

    parent = os.getpid()
    task = beside.submit(work)
    assert _in_a_fork(lambda: task.result() == os.getpid())
    assert _in_a_fork(lambda: beside.submit(work).result() == os.getpid())
    hold.set()
    assert task.result() is True
