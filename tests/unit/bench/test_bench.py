"""The benchmark: engines agree before they are timed, the driver's time line adds up, nothing is left out unnamed."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import models
from populations import population
from pynq_ee import EarlyExitInference, remainder
from pynq_ee.bench import energy, engines, machine, timing
from pynq_ee.bench.exit_rule import corruptions, drift, resampling, robustness
from pynq_ee.bench.host import driver
from pynq_ee.bench.host.driver import HostWork
from pynq_ee.bench.paper import compare
from pynq_ee.bench.paper.software import EarlyExit, cross_check, deciders
from pynq_ee.errors import ToolError
from pynq_ee.exits import entropy, leaves
from pynq_ee.exits.costs import Costs
from pynq_ee.network import fabric
from pynq_ee.sim.replay import ReplayDevice

pytest.importorskip("threadpoolctl", reason="needs threadpoolctl: pip install 'pynq_ee[bench]'")

#: Engines that are quick to build; the compiled one takes half a minute.
QUICK_ENGINES = [name for name in engines.MODULES if name != "torch, compiled"]


def built(name: str, model: object, batch: int = 40) -> engines.Engine:
    try:
        return engines.build(name, model, 1, batch)
    except ToolError as error:
        pytest.skip(str(error))


# Engines -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", ["lenet5-2exit", "lenet5-3exit"])
@pytest.mark.parametrize("name", QUICK_ENGINES)
def test_an_engine_computes_the_network(name: str, network: str, noise: np.ndarray) -> None:
    model = models.random_model(6, network=network)
    engine = built(name, model)
    features, logits = engine.first_exit(noise)
    expected_features, expected_logits = fabric.first_exit(noise, model)
    layouts = {  # packed as the circuit returns them, channels last, channels first
        (588,): fabric.pack_features,
        (14, 14, 6): lambda maps: maps.transpose(0, 2, 3, 1),
        (6, 14, 14): lambda maps: maps,
    }
    np.testing.assert_array_equal(features, layouts[features.shape[1:]](expected_features))
    np.testing.assert_array_equal(logits, expected_logits)
    hidden, other = expected_features, features
    for reference, stage in zip(remainder.stages("numpy", model), engine.stages):
        hidden, expected = reference(hidden)
        other, found = stage(other)
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(engine.plain(noise), expected)


def test_in_parts_an_engine_computes_the_same_and_the_quickest_size_is_found(
    noise: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engines.build("numpy", models.random_model(6), 1, 40)
    for size in (1, 7, 40, 64):
        parted = engines.in_parts(engine, size)
        for found, expected in zip(parted.first_exit(noise), engine.first_exit(noise), strict=True):
            np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(parted.plain(noise), engine.plain(noise))
    sizes = []

    def seconds(run: object, images: np.ndarray) -> float:
        sizes.append(len(images))
        calls.clear()
        run(images)  # type: ignore[operator]
        return sum(abs(call - 8) + 1 for call in calls)

    calls: list[int] = []
    counting = engine._replace(first_exit=lambda images: (calls.append(len(images)), engine.first_exit(images))[1])
    monkeypatch.setattr(engines, "_seconds", seconds)
    assert engines.best_part(counting, noise, repetitions=1) == 8
    assert set(sizes) == {40} and len(sizes) == 2 * 7  # 1, 2, 4, .. 32, and all: a warm-up and a sample each
    assert engines.best_part(counting, noise[:1]) == 1


@pytest.mark.parametrize("network", ["lenet5-2exit", "lenet5-3exit"])
def test_the_early_exit_network_in_software_decides_as_the_driver_does(network: str, noise: np.ndarray) -> None:
    model = models.random_model(7, network=network)
    with EarlyExitInference(model, device="sim-numpy") as opened:
        opened.threshold = np.quantile(entropy(opened.all_exits(noise)), 0.5, axis=0)[:-1]
        expected = opened.classify(noise)
        labels, taken = EarlyExit(engines.build("numpy", model, 1, 40), opened.threshold, deciders(model))(noise)
    np.testing.assert_array_equal(labels, expected.labels)
    np.testing.assert_array_equal(taken, expected.exits)
    assert len(set(taken)) == model.exits


def test_the_deciders_are_the_exit_policy() -> None:
    logits = np.random.default_rng(1).normal(0, 300, (200, 10)).astype(np.int16)
    model = models.random_model()
    for decide, exponent in zip(deciders(model), model.logit_exponents, strict=True):
        np.testing.assert_array_equal(decide(logits, 0.5).leaves, leaves(entropy(logits * 2.0**exponent), 0.5))


def test_an_engine_that_differs_is_not_timed(noise: np.ndarray) -> None:
    engine = engines.build("numpy", models.random_model(), 1, 40)

    def wrong(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        features, logits = engine.first_exit(images)
        return features, logits + 1

    with pytest.raises(ToolError, match="wrong: a logit of exit 1 differs from that of numpy"):
        cross_check({"numpy": engine, "wrong": engine._replace(first_exit=wrong)}, noise)
    with pytest.raises(ToolError, match="wrong: a logit of the network without early exits differs"):
        cross_check({"numpy": engine, "wrong": engine._replace(plain=lambda images: engine.plain(images) + 1)}, noise)


# Timing --------------------------------------------------------------------------------------------------------------


def test_candidates_take_turns_and_each_starts_once() -> None:
    calls: list[str] = []
    samplers = {name: lambda name=name: calls.append(name) for name in "abc"}
    samples = timing.in_turns(samplers, 3)
    assert calls == [*"abc", *"abc", *"bca", *"cab"]
    assert all(len(taken) == 3 for taken in samples.values())


def test_a_timing_gives_median_percentile_and_range() -> None:
    seconds = np.array([[1.0, 1.0, 2.0], [2.0, 2.0, 4.0]])
    found = timing.Timing(seconds, np.array([10, 10, 10])).as_dict()
    assert found["seconds_an_image"] == pytest.approx(0.2)
    assert found["seconds_an_image_p99"] == pytest.approx(np.percentile(seconds / 10, 99))
    assert found["images_a_second_range"] == [pytest.approx(30 / 8), pytest.approx(30 / 4)]


def test_chunks_are_alike() -> None:
    assert [len(chunk) for chunk in timing.chunks_of(np.zeros((10, 28, 28), np.uint8), 4)] == [4, 4]


def test_the_threads_are_limited_within_the_block_only() -> None:
    from threadpoolctl import threadpool_info

    def threads() -> set[int]:
        return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}

    before = threads()
    with timing.threads_limited(1):
        assert threads() == {1}
    assert threads() == before


# The driver's time line ----------------------------------------------------------------------------------------------


def work(fill: float, between: float, decide: float, batches: int = 4, streamed: bool = True) -> HostWork:
    return HostWork(np.full(batches, fill), np.full(batches, between), np.full(batches, decide), streamed)


def line(host: HostWork, fabric_seconds: float) -> float:
    """The driver's loop, step by step: ``now`` is the host's clock."""
    now, batches = host.fill[0], len(host.fill)
    for number in range(batches):
        ready = now + fabric_seconds  # the batch was just started
        if number > 0:
            now += host.decide[number - 1]
        if number + 1 < batches:
            now += host.fill[number + 1]
        now = max(now, ready) + host.between[number]
    return float(now + host.decide[-1])


@pytest.mark.parametrize("fabric_seconds", [0.0, 1.0, 5.5, 100.0])
def test_the_time_line_is_that_of_the_drivers_loop(fabric_seconds: float) -> None:
    random = np.random.default_rng(1)
    host = HostWork(*random.uniform(0.5, 3, (3, 20)), streamed=True)
    assert host.seconds(fabric_seconds).sum() == pytest.approx(line(host, fabric_seconds))


def test_the_slower_of_host_and_fabric_sets_the_rate() -> None:
    assert work(1, 0.5, 2, batches=1000).seconds(10.0).mean() == pytest.approx(10.5, rel=0.01)
    assert work(1, 0.5, 2, batches=1000).seconds(0.1).mean() == pytest.approx(3.5, rel=0.01)


def test_nothing_of_a_single_call_overlaps() -> None:
    assert work(1, 0.5, 2, streamed=False).seconds(10.0).tolist() == [13.5] * 4


@pytest.mark.parametrize("streamed", [True, False])
def test_the_hosts_work_is_all_of_the_time_but_the_replay(
    noise: np.ndarray, streamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that goes on by a tick each time it is read."""
    tick, readings = 2.0**-20, itertools.count()
    monkeypatch.setattr(time, "perf_counter", lambda: tick * next(readings))
    model = models.random_model()
    chunks = timing.chunks_of(noise, 8)
    with (
        ReplayDevice(model, noise) as device,
        EarlyExitInference(model, device=device, images_per_transfer=8, threads=1) as network,
    ):
        driver.host_work(network, device, chunks, streamed)
        placed, begin = device.replay_seconds, time.perf_counter()
        found = driver.host_work(network, device, chunks, streamed)
        whole = time.perf_counter() - begin - (device.replay_seconds - placed)
    total = found.fill.sum() + found.between.sum() + found.decide.sum()
    assert len(found.fill) == len(chunks)
    unread = round((whole - total) / tick)
    assert len(chunks) <= unread <= len(chunks) + 4  # between a batch's end and the next one's begin, and around all
    assert all(part.min() >= 0 for part in (found.fill, found.between, found.decide))


# The comparison ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tables() -> dict:
    model = models.random_model(8, thresholds=1.0)
    images = np.random.default_rng(3).integers(0, 256, (96, 28, 28)).astype(np.uint8)
    settings = compare.Settings(
        batches=(1, 32),
        repetitions=2,
        images=96,
        engines=("numpy", "no such package"),
        threads=(1,),
        remainders=("numpy",),
    )
    engines.MODULES["no such package"] = "pynq_ee.bench.engines.absent"
    try:
        return compare.measure(model, images, np.zeros(96, np.int64), settings)
    finally:
        del engines.MODULES["no such package"]


def test_every_way_is_measured_at_every_batch_and_width(tables: dict) -> None:
    found = {(row["way"], row["engine"], row["batch"], row.get("pixels_per_beat")) for row in tables["rows"]}
    assert found == {
        (way, engine, batch, pixels)
        for batch in (1, 32)
        for way, engine, widths in (
            ("without", "numpy", [None]),
            ("with", "numpy", [None]),
            ("fabric", "fabric + numpy", [4, 8]),
        )
        for pixels in widths
    }


def test_rows_say_whether_they_are_measured_or_modelled(tables: dict) -> None:
    for row in tables["rows"]:
        assert row["kind"] == ("host measured, fabric modelled" if row["way"] == "fabric" else "measured")


def test_software_and_fabric_give_the_same_answers(tables: dict) -> None:
    for batch in (1, 32):
        rows = [row for row in tables["rows"] if row["batch"] == batch and row["way"] != "without"]
        assert len({(row["accuracy"], tuple(row["shares"])) for row in rows}) == 1


def test_an_engine_that_is_not_installed_is_left_out_by_name(tables: dict) -> None:
    assert "not installed" in tables["left_out"]["no such package"]
    assert tables["left_out"]["torch, compiled"] == "not asked for"


def test_the_fabrics_time_is_that_of_the_cycle_model(tables: dict) -> None:
    for row in tables["rows"]:
        if row["way"] == "fabric" and row["batch"] == 32:
            beats = 28 * 28 / row["pixels_per_beat"]
            assert beats / 100e6 <= row["stages"]["fabric"] <= (beats + 400 / 32) / 100e6


def test_the_wider_stream_is_not_slower(tables: dict) -> None:
    for batch in (1, 32):
        narrow, wide = (compare.best(tables["rows"], "fabric", batch, 1, pixels_per_beat=pixels) for pixels in (4, 8))
        assert wide["images_a_second"] >= narrow["images_a_second"]


def test_the_best_row_is_the_quickest_and_there_may_be_none(tables: dict) -> None:
    rows = [{"way": "with", "batch": 1, "threads": 1, "images_a_second": rate} for rate in (5, 9, 7)]
    assert compare.best(rows, "with", 1, 1)["images_a_second"] == 9
    assert compare.best(rows, "with", 2, 1) is None


def test_the_break_even_speed_up_grows_with_the_share_and_meets_the_rows() -> None:
    software = {
        "shares": [0.9, 0.1],
        "remainder_seconds": 5.0,
        "stages": {"first exit": 10.0, "decision and remainder": 0.6},
    }
    fabric_row = {
        "shares": [0.9, 0.1],
        "remainder_seconds": 5.0,
        "stages": {"fabric": 1.0, "fill": 0.2, "between batches": 0.1, "decide and remainder": 0.6},
    }
    found = compare.break_even(fabric_row, software, 1.0, [0.0, 0.9, 1.0])
    assert found == pytest.approx([15.1 / 5.4, 10.6 / 1.1, 10.1 / 1.1])
    assert compare.break_even(fabric_row, software, 10.0, [0.0])[0] < found[0]


# Energy --------------------------------------------------------------------------------------------------------------


def rapl(tmp_path: Path, start: int) -> Path:
    domain = tmp_path / "intel-rapl:0"
    domain.mkdir()
    (domain / "energy_uj").write_text(f"{start}\n")
    (domain / "max_energy_range_uj").write_text("1000000\n")
    (tmp_path / "intel-rapl:0:0").mkdir()  # a part of the package, not to be counted twice
    (tmp_path / "intel-rapl:1").mkdir()  # one that cannot be read
    return domain


def test_rapl_is_read_and_its_wrap_around_is_known(tmp_path: Path) -> None:
    domain = rapl(tmp_path, 900_000)
    assert energy.rapl_domains(tmp_path) == [domain]
    with energy.Rapl([domain]) as meter:
        (domain / "energy_uj").write_text("400000\n")
    assert meter.joules == pytest.approx(0.5)


def test_a_rail_is_sampled_and_integrated() -> None:
    import time

    rails = {
        "12V": SimpleNamespace(power=SimpleNamespace(value=8.0)),
        "1V8": SimpleNamespace(power=SimpleNamespace(value=2.0)),
        "bare": SimpleNamespace(power=None),
    }
    begin = time.perf_counter()
    with energy.meter(rails)() as meter:
        time.sleep(0.1)
    assert "12V" in meter.source
    assert 0.8 <= meter.joules <= 8.0 * (time.perf_counter() - begin)


def test_the_model_needs_a_constant_for_whatever_works() -> None:
    power = energy.Power(2.0, "someone")
    assert energy.Model(power, power).joules(3.0, 1.0) == 8.0
    assert energy.Model(power, None).joules(3.0, 0.0, cores=2) == 12.0
    assert energy.Model(power, None).joules(3.0, 1.0) is None
    assert energy.Model(None, power).joules(3.0, 1.0) is None


def test_every_constant_is_cited() -> None:
    for power in (*energy.HOSTS.values(), *energy.FABRICS.values()):
        assert any(year in power.source for year in map(str, range(2010, 2027)))


def test_costs_become_joules_and_the_fabrics_belong_to_the_first_exit() -> None:
    model = energy.Model(energy.Power(2.0, "host"), energy.Power(3.0, "fabric"))
    found = energy.joules(Costs((1.0, 10.0), overlapped=4.0, source="measured"), model)
    assert (found.stages, found.overlapped, found.unit) == ((14.0, 20.0), 0.0, "joules")
    assert "modelled: fabric; host" in found.source


def test_joules_without_a_constant_are_refused() -> None:
    with pytest.raises(ToolError, match="no cited constant"):
        energy.joules(Costs((1.0, 1.0)), energy.Model(None, None))


# Robustness, resampling, drift ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", corruptions.CORRUPTIONS)
def test_a_corruption_is_seeded_and_changes_images_but_not_their_type(name: str) -> None:
    images = np.zeros((6, 28, 28), np.uint8)
    images[:, 6:22, 10:17] = 200
    before = images.copy()
    found = corruptions.corrupt(name, images)
    assert found.shape == images.shape and found.dtype == np.uint8
    np.testing.assert_array_equal(images, before)
    np.testing.assert_array_equal(found, corruptions.corrupt(name, images))
    assert (found != images).any() == (name != "clean")


def test_a_shift_moves_every_pixel_by_as_much_as_it_says() -> None:
    images = np.zeros((20, 28, 28), np.uint8)
    images[:, 14, 14] = 255
    moved = np.argwhere(corruptions.corrupt("shifted by 4 pixels", images))[:, 1:] - 14
    assert len(moved) == 20 and set(np.abs(moved).ravel()) == {4}
    assert len({tuple(each) for each in moved}) > 1


@pytest.mark.parametrize("name", corruptions.STRANGERS)
def test_strangers_are_seeded_images(name: str) -> None:
    found = corruptions.strangers(name, 5)
    assert found.shape == (5, 28, 28) and found.dtype == np.uint8
    np.testing.assert_array_equal(found, corruptions.strangers(name, 5))


def test_scores_without_a_device_are_those_of_the_driver(noise: np.ndarray) -> None:
    model = models.random_model(9, network="lenet5-3exit")
    with EarlyExitInference(model, device="sim-numpy") as opened:
        np.testing.assert_allclose(robustness.all_logits(model, noise), opened.all_exits(noise), atol=1e-4)


def test_the_robustness_table_has_every_corruption_stranger_and_threshold(noise: np.ndarray) -> None:
    model = models.random_model(10)
    thresholds = {"none": (0.0,), "all": (float("inf"),)}
    found = robustness.table(model, noise, np.arange(len(noise)) % 10, thresholds, bound_points=0.1)
    assert {(row["corruption"], row["thresholds"]) for row in found["digits"]} == {
        (name, key) for name in corruptions.CORRUPTIONS for key in thresholds
    }
    for row in found["digits"]:
        if row["thresholds"] == "none":
            assert row["accuracy"] == row["last_exit"] and row["risk_points"] == 0 and row["bound_holds"]
            assert row["early_share"] == row["wrong_that_leave_early"] == 0
        else:
            assert row["early_share"] == 1 and row["errors_among_early"] == pytest.approx(1 - row["accuracy"])
    assert {row["early_share"] for row in found["strangers"]} == {0.0, 1.0}


def test_resampling_counts_violations_of_the_promise() -> None:
    found = resampling.resample(
        population(6000, 2, seed=3), max_loss_points=0.5, delta=0.1, splits=20, calibration_images=2000
    )
    assert found["violations"] <= found["risk_violations"] <= 0.3
    assert found["early_share"] > 0.2 and found["splits"] == 20


def test_the_governor_trace_tells_when_each_spell_was_held(noise: np.ndarray) -> None:
    model = models.random_model(11)
    with EarlyExitInference(model, device="sim-numpy", threshold=1.5) as opened:
        found = drift.trace(opened, noise, (1.0, 10.0), batch=16, batches=15)
        assert opened.threshold == (1.5,)
    assert [spell["name"] for spell in found["spells"]] == list(drift.SPELLS)
    assert len(found["seconds"]) == len(found["ungoverned_seconds"]) == 60
    assert max(found["threshold"]) <= 1.5
    assert found["target_seconds"] == pytest.approx(0.8 * 1 + 0.2 * 10)


@pytest.mark.parametrize("seconds, settled", [([9.0] * 20, None), ([1.0] * 20, 0), ([9.0] * 5 + [1.0] * 15, 5)])
def test_a_rate_is_held_when_the_mean_of_ten_batches_is_within_a_tenth(seconds: list, settled: int | None) -> None:
    assert drift._settled(np.array(seconds), 1.0) == settled


# The record ----------------------------------------------------------------------------------------------------------


def test_the_machine_is_described_in_json() -> None:
    found = json.loads(json.dumps(machine.describe()))
    assert found["processor"] and found["cores"] >= 1
    assert found["versions"]["numpy"] == np.__version__
