"""Several boards behave as one: same answers, in order, none lost, whatever becomes of a board."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import numpy as np
import psutil
import pytest
from distributed import Client, LocalCluster

import models
import pynq_ee
import worker_boards
from pynq_ee import EarlyExitInference
from pynq_ee.cluster import Cluster
from pynq_ee.errors import DeviceError, InputError

#: Some images leave early and some do not, with random weights.
THRESHOLD = 1.0
BATCH = 16


@pytest.fixture(scope="module")
def model():
    return models.random_model(seed=3)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(7).integers(0, 256, (20 * BATCH + 5, 28, 28)).astype(np.uint8)


@pytest.fixture(scope="module")
def expected(model, images):
    with EarlyExitInference(model, device="sim-numpy", threshold=THRESHOLD) as network:
        return network.classify(images)


@pytest.fixture(scope="module")
def workers() -> Iterator[Client]:
    with local_workers(2) as local, Client(local, set_as_default=False) as client:
        yield client


def local_workers(count: int) -> LocalCluster:
    return LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address=":0")


def open_cluster(boards, model, device="sim-numpy", **options) -> Cluster:
    return Cluster(boards, model=model, device=device, threshold=THRESHOLD, **options)


def assert_same(found, expected, rows=slice(None)) -> None:
    np.testing.assert_array_equal(found.labels, expected.labels[rows])
    np.testing.assert_array_equal(found.exits, expected.exits[rows])


def assert_stream(predictions, expected) -> None:
    position = 0
    for prediction in predictions:
        assert_same(prediction, expected, slice(position, position + len(prediction)))
        position += len(prediction)
    assert position == len(expected)


def test_two_boards_give_what_one_gives_and_are_named(workers, model, images, expected):
    with open_cluster(workers, model) as cluster:
        prediction = cluster.classify(images, batch=BATCH)
        boards = cluster.boards
    assert_same(prediction, expected)
    np.testing.assert_allclose(prediction.entropy, expected.entropy, atol=1e-4)
    assert prediction.fabric_clocks >= expected.fabric_clocks
    assert len(boards) == 2 and sum(board.images for board in boards) == len(images)
    assert all(board.images_per_second > 0 for board in boards)
    assert all(f"{board.name} at {board.address}" in prediction.device for board in boards)
    assert "simulated" in prediction.device


def test_a_faster_board_gets_more_and_the_order_is_kept(workers, model, images, expected):
    with open_cluster(workers, model, worker_boards.uneven) as cluster:
        assert_stream(cluster.stream(images, batch=BATCH), expected)
        slow, fast = sorted(board.images for board in cluster.boards)
        rates = sorted(board.images_per_second for board in cluster.boards)
    assert rates[1] > rates[0]
    assert fast >= 2 * slow > 0


def test_unordered_batches_come_as_they_are_done_with_their_positions(workers, model, images, expected):
    with open_cluster(workers, model, worker_boards.uneven) as cluster:
        found = list(cluster.as_completed(images, batch=BATCH))
    starts = [rows.start for rows, _ in found]
    assert starts != sorted(starts)
    for rows, prediction in found:
        assert_same(prediction, expected, slice(rows.start, rows.stop))
    assert sorted(row for rows, _ in found for row in rows) == list(range(len(images)))


def test_no_more_is_read_than_the_boards_can_hold(workers, model, images, expected):
    read = 0

    def source():
        nonlocal read
        for image in images:
            read += 1
            yield image

    with open_cluster(workers, model, in_flight=1) as cluster:
        stream = cluster.stream(source(), batch=BATCH)
        assert read == 0
        yielded = 0
        for prediction in stream:
            assert read <= yielded + 2 * 2 * BATCH
            yielded += len(prediction)
            time.sleep(0.01)
    assert yielded == len(images)


def test_a_board_that_hangs_is_given_up_at_its_deadline(workers, model, images, expected):
    with open_cluster(workers, model, worker_boards.hanging, deadline_seconds=2.5) as cluster:
        assert_stream(cluster.stream(images, batch=BATCH), expected)
        assert [board.lost for board in cluster.boards if board.lost] == ["DeadlineError: no prediction within 2.5 s"]


def test_a_killed_worker_loses_no_image_and_a_worker_that_joins_is_used(model, images, expected):
    with local_workers(2) as local, Client(local, set_as_default=False) as client:
        before = set(client.nthreads())
        with open_cluster(client, model, worker_boards.uneven) as cluster:
            victim, pid = sorted(client.run(os.getpid).items())[0]

            def source():
                for number, image in enumerate(images):
                    if number == 6 * BATCH:
                        os.kill(pid, signal.SIGKILL)
                    if number == 12 * BATCH:  # the nanny starts another worker in its place
                        client.wait_for_workers(2, timeout=30)
                    yield image

            assert_stream(cluster.stream(source(), batch=BATCH), expected)
            (lost,) = [board for board in cluster.boards if board.lost]
            assert lost.address == victim
            give_up = time.monotonic() + 60
            while not any(board.images for board in cluster.boards if board.address not in before):
                assert time.monotonic() < give_up, cluster.boards
                assert_stream(cluster.stream(images, batch=BATCH), expected)


def test_when_the_last_board_fails_the_images_without_a_prediction_are_named(workers, model, images):
    with open_cluster(workers, model, worker_boards.failing) as cluster:
        yielded = 0
        with pytest.raises(DeviceError, match="no board is left") as error:
            for prediction in cluster.stream(images, batch=BATCH):
                yielded += len(prediction)
        assert [board.lost for board in cluster.boards] == ["DeviceError: the power is gone"] * 2
        with pytest.raises(DeviceError, match="no board is left"):
            cluster.classify(images)
    assert 0 < yielded < len(images)
    assert f"are images {yielded} to " in str(error.value)
    assert str(error.value).count("the power is gone") == 2


def test_without_a_board_to_open_the_error_says_why_for_each_worker(workers, model):
    with pytest.raises(DeviceError, match="no board could be opened") as error:
        open_cluster(workers, model, worker_boards.without_memory)
    assert str(error.value).count("no contiguous memory") == 2


def test_another_version_on_a_board_is_refused(workers, model, monkeypatch):
    monkeypatch.setattr(pynq_ee, "__version__", "0.0.1")
    with pytest.raises(DeviceError, match=r"the host has pynq_ee 0\.0\.1, this board"):
        open_cluster(workers, model)


def test_what_cannot_be_taken_is_refused_and_the_cluster_goes_on(workers, model, images, expected):
    with open_cluster(workers, model) as cluster:
        with pytest.raises(InputError, match="shape"):
            list(cluster.stream([np.zeros((27, 28), np.uint8)]))
        with pytest.raises(InputError, match="batch is 0"):
            cluster.stream(images, batch=0)
        assert_same(cluster.classify(images[:3]), expected, slice(3))
    with pytest.raises(DeviceError, match="closed"):
        cluster.classify(images)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, {}), "boards is 0"),
        ((1, {"in_flight": 0}), "in_flight is 0"),
        ((1, {"in_flight": None}), "in_flight is None"),
        ((1, {"deadline_seconds": float("nan")}), "deadline_seconds is nan"),
        ((1, {"start_seconds": "60"}), "start_seconds is '60'"),
    ],
)
def test_a_cluster_of_nothing_is_refused(arguments, message):
    boards, options = arguments
    with pytest.raises(InputError, match=message):
        Cluster(boards, **options)


def test_without_a_scheduler_the_error_says_how_to_start_one():
    with pytest.raises(DeviceError, match="dask scheduler"):
        Cluster("tcp://127.0.0.1:1", start_seconds=1)


def test_a_stream_that_is_left_halfway_leaves_a_working_cluster(workers, model, images, expected):
    with open_cluster(workers, model) as cluster:
        for _ in cluster.stream(images, batch=BATCH):
            break
        assert_same(cluster.classify(images, batch=BATCH), expected)


@pytest.mark.slow
def test_a_cluster_of_local_workers_runs_the_hls_kernel_and_leaves_no_process(images):
    with EarlyExitInference(device="sim") as network:  # a shipped model, whose kernel other tests have compiled
        expected = network.classify(images)
    before = set(psutil.Process().children(recursive=True))
    with Cluster(1, device="sim") as cluster:
        started = set(psutil.Process().children(recursive=True)) - before
        assert_same(cluster.classify(images), expected)
        assert [board.name for board in cluster.boards] == [expected.device]
    assert started
    assert not [process for process in started if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
