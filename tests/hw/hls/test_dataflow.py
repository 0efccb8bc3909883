"""The cycle model does what the C++ does, holds the rate rule, and justifies the FIFOs' depths."""

from __future__ import annotations

import functools
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from pynq_ee.network import fabric, spec
from pynq_ee.network.spec import FIFO_DEPTHS, FIFO_NEEDED, PIPELINE_DEPTHS, Spec
from pynq_ee.network.weights import Model
from pynq_ee.sim import dataflow

WIDTHS = [pytest.param(Spec(pixels_per_beat=pixels), id=f"{8 * pixels} bit") for pixels in (4, 8)]
FEATURES = [pytest.param(False, id="logits"), pytest.param(True, id="features")]

#: Whose features follow their records: everybody's, nobody's, and bursts of both.
FOLLOW = {"all": [True] * 12, "none": [False] * 12, "bursts": [True, True, False, False, False, True] * 2}

both_widths = pytest.mark.parametrize("one", WIDTHS)
both_modes = pytest.mark.parametrize("features", FEATURES)
whoever_follows = pytest.mark.parametrize("follow", FOLLOW.values(), ids=FOLLOW)


def clocks(one: Spec, images: int, features: bool, **changes: object) -> int:
    """Clocks of a batch without stalls; 0 if it deadlocks."""
    if not changes:
        return unchanged(one, images, features)
    result = dataflow.simulate(one, images, features, **changes)
    return 0 if result.deadlock[0] else int(result.clocks[0])


@functools.cache
def unchanged(one: Spec, images: int, features: bool) -> int:
    """The same of the kernel as it is, which many tests compare with."""
    result = dataflow.simulate(one, images, features)
    return 0 if result.deadlock[0] else int(result.clocks[0])


# The model is of this kernel -----------------------------------------------------------------------------------------


@pytest.mark.slow
@both_widths
@pytest.mark.parametrize("images", [0, 1, 3])
def test_each_step_reads_and_writes_what_the_kernel_does(
    one: Spec, images: int, random_model: Callable[..., Model], build: Callable[..., Path]
) -> None:
    model = random_model(1, one)
    program = build(model, "trace") / "trace"
    pixels = np.random.default_rng(images).integers(0, 256, (images, 28, 28)).astype(np.uint8)
    logits = fabric.first_exit(pixels, model)[1]
    ordered = np.sort(logits.astype(int), axis=1)
    some = int(np.median(ordered[:, -1] - ordered[:, -2])) if images else 0
    for mode, margin in ((0, spec.FEATURES_ALWAYS), *((1, each) for each in (0, some, spec.FEATURES_ALWAYS))):
        command = [program, str(images), str(mode), str(margin)]
        printed = subprocess.run(command, input=pixels.tobytes(), capture_output=True, check=True).stdout.decode()
        events = printed.splitlines()[images * one.image_beats :]  # the testbench's own writes come first
        follow = fabric.features_follow(logits, margin) & bool(mode)
        for process in dataflow.processes(one, images, bool(mode), follow):
            tables = {f"read {name}": table for name, table in process.reads.items()}
            tables |= {f"write {name}": table for name, table in process.writes.items()}
            own = iter([event for event in events if event in tables])
            for step in range(process.steps):
                wanted = Counter(name for name, table in tables.items() if table[step])
                assert Counter(next(own, "nothing") for _ in range(wanted.total())) == wanted, (process.name, step)
            assert next(own, None) is None, f"{process.name} does more in the kernel"


@both_widths
@both_modes
@whoever_follows
def test_what_is_written_is_read(one: Spec, features: bool, follow: list[bool]) -> None:
    follow = [features and each for each in follow[:4]]
    processes = dataflow.processes(one, 4, features, follow)
    written = {name: int(table.sum()) for process in processes for name, table in process.writes.items()}
    read = {name: int(table.sum()) for process in processes for name, table in process.reads.items()}
    assert written.pop(dataflow.RESULTS) == sum(one.output_beats(each) for each in follow)
    assert read.pop(dataflow.IMAGES) == 4 * one.image_beats
    assert written == read
    assert set(written) == {name for name in FIFO_DEPTHS if features or "feature" not in name}


# The rate ------------------------------------------------------------------------------------------------------------


@both_widths
@both_modes
@pytest.mark.parametrize("images", [1, 2, 10, 100])
def test_a_batch_keeps_to_the_rate_rule(one: Spec, features: bool, images: int) -> None:
    assert 0 < clocks(one, images, features) <= spec.batch_clocks(one, images)


@both_widths
@both_modes
def test_an_image_takes_its_beats_in_the_steady_state(one: Spec, features: bool) -> None:
    counts = [clocks(one, images, features) for images in range(1, 9)]
    assert np.diff(counts).tolist() == [one.image_beats] * 7


@both_widths
@whoever_follows
def test_the_rate_does_not_depend_on_whose_features_follow(one: Spec, follow: list[bool]) -> None:
    for images in (1, 2, 5, 12):
        assert clocks(one, images, True, follow=follow[:images]) == clocks(one, images, True)


@both_widths
@both_modes
@pytest.mark.parametrize("images", [1, 3, 4, 5, 17])
def test_the_short_cut_for_long_batches_is_the_simulation(one: Spec, features: bool, images: int) -> None:
    assert dataflow.batch_clocks(one, images, features) == clocks(one, images, features)


def test_a_million_images_and_none_have_clocks_too() -> None:
    one = Spec(pixels_per_beat=8)
    assert dataflow.batch_clocks(one, 1_000_000, True) - dataflow.batch_clocks(one, 1, True) == 98 * 999_999
    assert dataflow.batch_clocks(one, 0, False) == spec.START_CLOCKS


@pytest.mark.parametrize(("one", "expected"), list(zip((param.values[0] for param in WIDTHS), (356, 228))), ids=str)
def test_the_latency_of_one_image_and_of_its_features_behind_it(one: Spec, expected: int) -> None:
    found = [dataflow.batch_clocks(one, 1, features) for features in (False, True)]
    assert found == [expected, expected + one.feature_beats]


# Stalls --------------------------------------------------------------------------------------------------------------


@both_widths
@pytest.mark.parametrize(
    ("features", "follow"), [(False, "none"), *((True, name) for name in FOLLOW)], ids=["logits", *FOLLOW]
)
def test_no_stall_pattern_deadlocks(one: Spec, features: bool, follow: str) -> None:
    patterns, images = 500, 6
    result = dataflow.simulate(
        one, images, features, dataflow.random_stalls(patterns, seed=1), follow=FOLLOW[follow][:images]
    )
    assert not result.deadlock.any()
    assert result.clocks.min() >= clocks(one, images, features)
    assert np.percentile(result.clocks, 90) > 2 * clocks(one, images, features)  # they do stall
    assert all(held <= FIFO_DEPTHS[name] for name, held in result.most.items())
    if follow == "all":  # and fill what can fill: the output's side, back to the trunk
        assert result.most["merged"] == 16 and result.most["features"] > 2 * one.feature_beats


def closed(one: Spec, images: int, follow: list[bool], depths: dict[str, int]) -> dict[str, int]:
    """The most that each FIFO held while the output stayed closed until nothing moved any more."""

    def late() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for clock in range(100_000):
            yield np.array([True]), np.array([clock >= 5000])

    result = dataflow.simulate(one, images, True, late(), depths=depths, follow=follow)
    assert not result.deadlock.any()
    assert 5000 < result.clocks[0] <= 5000 + spec.batch_clocks(one, images)
    return dict(result.most)


@both_widths
@whoever_follows
def test_an_output_that_stays_closed_fills_the_fifos_and_loses_nothing(one: Spec, follow: list[bool]) -> None:
    most = closed(one, 12, follow, FIFO_DEPTHS)
    assert most["merged"] == FIFO_DEPTHS["merged"]
    assert most["features"] <= FIFO_DEPTHS["features"]


@both_widths
@both_modes
def test_an_output_that_opens_late_loses_nothing_but_its_time(one: Spec, features: bool) -> None:
    def late() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for clock in range(100_000):
            yield np.array([True]), np.array([clock >= 2000])

    result = dataflow.simulate(one, 10, features, late())
    assert not result.deadlock.any()
    assert 2000 < result.clocks[0] <= 2000 + spec.batch_clocks(one, 10)


# The FIFOs -----------------------------------------------------------------------------------------------------------


def holds_the_rate(depths: dict[str, int]) -> bool:
    """Whether the rate is held with these FIFOs, at both widths and in both modes."""
    return all(
        clocks(one, 5, features, depths=depths) == clocks(one, 5, features)
        for one in (param.values[0] for param in WIDTHS)
        for features in (False, True)
    )


def test_the_shallowest_fifos_of_the_spec_hold_the_rate_with_a_margin_left() -> None:
    assert holds_the_rate(FIFO_NEEDED)
    assert all(2 * FIFO_DEPTHS[name] >= 3 * needed for name, needed in FIFO_NEEDED.items())


@pytest.mark.parametrize("name", FIFO_NEEDED)
def test_any_of_them_a_token_shallower_does_not(name: str) -> None:
    assert not holds_the_rate({**FIFO_NEEDED, name: FIFO_NEEDED[name] - 1})


@pytest.mark.parametrize(
    ("name", "depth", "pixels", "features"),
    [("features", 98, 8, True), ("features", 166, 4, True), ("flags", 2, 8, False), ("flags", 1, 4, False)],
)
def test_a_fifo_too_shallow_deadlocks(name: str, depth: int, pixels: int, features: bool) -> None:
    one = Spec(pixels_per_beat=pixels)
    assert clocks(one, 5, features, depths={**FIFO_DEPTHS, name: depth}) == 0
    stalled = dataflow.simulate(
        one, 5, features, dataflow.random_stalls(50, seed=2), depths={**FIFO_DEPTHS, name: depth}
    )
    assert stalled.deadlock.all()  # whether it deadlocks is no matter of timing
    assert clocks(one, 5, features, depths={**FIFO_DEPTHS, name: depth + 1}) > 0


@both_widths
@both_modes
def test_shorter_pipelines_and_deeper_fifos_delay_nothing(one: Spec, features: bool) -> None:
    random = np.random.default_rng(3)
    bound = clocks(one, 4, features)
    for _ in range(10):
        shorter = {name: int(random.integers(1, depth + 1)) for name, depth in PIPELINE_DEPTHS.items()}
        deeper = {name: int(random.integers(depth, 3 * depth)) for name, depth in FIFO_DEPTHS.items()}
        assert 0 < clocks(one, 4, features, pipelines=shorter, depths=deeper) <= bound
