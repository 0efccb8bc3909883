"""What a trace tells of host and fabric."""

from __future__ import annotations

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


def test_a_stopwatch_adds_up_by_stage_and_notes_also_what_failed() -> None:
    watch = Stopwatch(Trace())
    with watch.stage("input", 3):
        pass
    with pytest.raises(KeyError), watch.stage("collect", 4):
        raise KeyError
    assert watch.trace is not None
    first, second = watch.trace.spans
    assert (first.lane, first.stage, first.batch, second.stage, second.batch) == (HOST, "input", 3, "collect", 4)
    seconds = watch.lap()
    assert seconds["input"] == first.end - first.begin and list(seconds) == list(STAGES)
    assert watch.lap() == dict.fromkeys(STAGES, 0.0)


def test_without_a_trace_the_time_is_taken_all_the_same() -> None:
    watch = Stopwatch()
    with watch.stage("entropy", 0):
        pass
    assert watch.lap()["entropy"] > 0 and watch.trace is None
