"""What a trace tells of host and fabric."""

from __future__ import annotations

import time

import pytest

from pynq_ee.trace import FABRIC, HOST, IN_FLIGHT, STAGES, Stopwatch, Trace


def test_the_fabrics_share_is_that_of_its_first_start_to_its_last_end() -> None:
    trace = Trace()
    trace.add(HOST, "input", 0, 0.0, 1.0)
    trace.add_fabric(1.0, 3.0, 8)
    trace.add_fabric(3.5, 5.0, 8)
    assert trace.busy_share() == pytest.approx(3.5 / 4)
    assert trace.gaps() == [(3.0, 3.5)]
    assert [span.batch for span in trace.lane(FABRIC)] == [0, 1]


def test_where_the_board_keeps_no_time_the_fabric_is_as_the_host_sees_it() -> None:
    trace = Trace()
    assert trace.busy_share() == 0 and trace.gaps() == []
    trace.add(IN_FLIGHT, "batch", 0, 1.0, 2.0)
    assert trace.busy_share() == 1 and trace.fabric == trace.lane(IN_FLIGHT)


def test_a_stopwatch_adds_up_by_stage_and_one_stage_begins_where_another_ends() -> None:
    watch = Stopwatch(Trace())
    begin = time.perf_counter()
    middle = watch.note("input", 3, begin)
    end = watch.note("collect", 4, middle)
    assert watch.trace is not None
    assert watch.trace.spans == [(HOST, "input", 3, begin, middle), (HOST, "collect", 4, middle, end)]
    seconds = watch.lap()
    assert seconds["input"] == middle - begin and list(seconds) == list(STAGES)
    assert watch.lap() == dict.fromkeys(STAGES, 0.0)


def test_without_a_trace_the_time_is_taken_all_the_same() -> None:
    watch = Stopwatch()
    watch.note("entropy", 0, time.perf_counter())
    assert watch.lap()["entropy"] > 0 and watch.trace is None
