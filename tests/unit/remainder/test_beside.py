"""A remainder beside the driver's work: outcomes in order, errors where they belong, and the answers of one thread."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import forks
import models
import patience
from pynq_ee import remainder
from pynq_ee.errors import InputError
from pynq_ee.network.weights import Model
from pynq_ee.remainder.beside import Beside, Task

SOURCE = Path(__file__).with_name("beside_self_test.cpp")
ROOT = Path(remainder.__file__).parent

needs_native = pytest.mark.skipif("native" not in remainder.available(), reason="the native engine was not built")

# Outcomes in order --------------------------------------------------------------------------------------------------


def task(number: int) -> Task[int]:
    return Task(lambda: number)


@given(st.lists(st.booleans(), max_size=12))
@settings(max_examples=60, deadline=None)
def test_outcomes_come_in_order_whichever_are_tasks(late: list[bool]) -> None:
    outcomes = (task(number) if handed_over else number for number, handed_over in enumerate(late, start=1))
    assert list(Beside().in_order(outcomes)) == list(range(1, len(late) + 1))


def test_one_comes_when_the_next_has_been_asked_for_and_no_further_one() -> None:
    asked: list[int] = []

    def outcomes() -> Iterator[Any]:
        for number in range(1, 4):
            asked.append(number)
            yield task(number)

    ordered = Beside().in_order(outcomes())
    assert (next(ordered), asked) == (1, [1, 2])
    assert (next(ordered), asked) == (2, [1, 2, 3])
    assert list(ordered) == [3]


def fails() -> int:
    raise ValueError("of the first batch")


def test_an_error_of_a_task_arrives_in_its_place() -> None:
    ordered = Beside().in_order(iter([1, Task(fails), 3]))
    assert next(ordered) == 1
    with pytest.raises(ValueError, match="of the first batch"):
        next(ordered)


@pytest.mark.parametrize("closed", [False, True])
def test_an_error_of_a_later_batch_does_not_swallow_what_came_before_unless_it_is_closed(closed: bool) -> None:
    beside = Beside()

    def outcomes() -> Iterator[Any]:
        yield task(1)
        if closed:
            beside.close()
        raise ValueError("of the second batch")

    ordered = beside.in_order(outcomes())
    if not closed:
        assert next(ordered) == 1
    with pytest.raises(ValueError, match="of the second batch"):
        next(ordered)


def test_an_interrupt_is_raised_at_once() -> None:
    def outcomes() -> Iterator[Any]:
        yield task(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        next(Beside().in_order(outcomes()))


# What the workers compute -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model() -> Model:
    return models.random_model(12)


def features(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (rows, 588)).astype(np.uint8)


@pytest.fixture
def beside() -> Iterator[Beside]:
    found = Beside()
    yield found
    found.close()


@needs_native
@given(data=st.data(), sizes=st.lists(st.integers(0, 30), min_size=1, max_size=6), threads=st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_whatever_is_handed_over_and_finished_in_any_order_is_what_one_thread_computes(
    model: Model, data: st.DataObject, sizes: list[int], threads: int
) -> None:
    [stage] = remainder.stages("native", model)
    beside = Beside(threads)
    handed = [stage.hand_over(beside.workers, features(rows, seed)) for seed, rows in enumerate(sizes)]
    for number in data.draw(st.permutations(range(len(sizes)))):
        if data.draw(st.booleans(), "closed before"):
            beside.close()
        hidden, logits, begun, done = handed[number]()
        expected_hidden, expected_logits = stage(features(sizes[number], number))
        assert np.array_equal(hidden, expected_hidden) and np.array_equal(logits, expected_logits)
        assert begun <= done <= time.perf_counter()
    beside.close()


@needs_native
def test_a_worker_computes_before_it_is_asked_for(model: Model, beside: Beside) -> None:
    [stage] = remainder.stages("native", model)
    give_up = time.monotonic() + patience.seconds(20)
    while time.monotonic() < give_up:
        finish = stage.hand_over(beside.workers, features(8))
        time.sleep(0.01)
        asked = time.perf_counter()
        if finish()[3] < asked:
            return
    pytest.fail("the caller had to compute all of it")


@needs_native
def test_what_no_worker_has_begun_the_caller_computes(model: Model, beside: Beside) -> None:
    """After the threads have ended, and in a fork, where they are not: also what was begun elsewhere."""
    [stage] = remainder.stages("native", model)
    expected = stage(features(200))[1]
    finish = stage.hand_over(beside.workers, features(200))
    assert forks.holds(lambda: np.array_equal(finish()[1], expected))
    assert forks.holds(lambda: np.array_equal(stage.hand_over(beside.workers, features(200))()[1], expected))
    assert np.array_equal(finish()[1], expected)
    beside.close()
    assert np.array_equal(stage.hand_over(beside.workers, features(200))()[1], expected)


@needs_native
def test_a_fork_refuses_the_workers_of_its_parent(model: Model, beside: Beside) -> None:
    [stage] = remainder.stages("native", model)
    workers = beside.workers

    def refused() -> bool:
        with pytest.raises(InputError) as found:
            stage.hand_over(workers, features(3))
        return "forked from" in str(found.value.__cause__)

    assert forks.holds(refused)


@needs_native
def test_what_is_handed_over_and_dropped_is_waited_for_and_does_no_harm(model: Model, beside: Beside) -> None:
    [stage] = remainder.stages("native", model)
    for rows in range(1, 60):
        stage.hand_over(beside.workers, features(rows))
    assert np.array_equal(stage.hand_over(beside.workers, features(9))()[1], stage(features(9))[1])


@needs_native
def test_closing_ends_the_threads(model: Model) -> None:
    def threads() -> int:
        return len(list(Path("/proc/self/task").iterdir()))

    [stage] = remainder.stages("native", model)
    before, beside = threads(), Beside(3)
    finish = stage.hand_over(beside.workers, features(100))
    assert threads() == before + 3
    beside.close()
    beside.close()
    assert threads() == before
    assert np.array_equal(finish()[1], stage(features(100))[1])


@needs_native
def test_workers_that_the_system_refuses_are_done_without(model: Model) -> None:
    [stage] = remainder.stages("native", model)
    expected, beside = stage(features(200)), Beside(40)

    def computed() -> bool:
        forks.allow_more(32)
        found = stage.hand_over(beside.workers, features(200))()
        beside.close()
        return all(map(np.array_equal, found[:2], expected))

    assert forks.holds(computed)


@needs_native
def test_wrong_features_are_refused_before_they_are_handed_over(model: Model, beside: Beside) -> None:
    [stage] = remainder.stages("native", model)
    with pytest.raises(InputError, match=r"the remainder's inputs are int16 \(2, 588\); they must be uint8"):
        stage.hand_over(beside.workers, np.zeros((2, 588), np.int16))


@pytest.mark.parametrize("sanitizers", ["address,undefined", "thread"])
def test_callers_and_workers_compute_each_row_once_pass_errors_on_and_race_nowhere(
    sanitizers: str, tmp_path: Path
) -> None:
    if not shutil.which("g++"):
        pytest.skip("needs g++")
    program = tmp_path / "beside_self_test"
    flags = ["-std=c++17", "-pthread", "-Wall", "-Wextra", "-Werror", "-g", "-O1", f"-fsanitize={sanitizers}"]
    subprocess.run(["g++", *flags, f"-I{ROOT}", str(SOURCE), "-o", str(program)], check=True)
    done = subprocess.run([program], capture_output=True, text=True, check=False, timeout=patience.seconds(60))
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr
