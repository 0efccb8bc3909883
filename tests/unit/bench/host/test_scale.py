"""The stream that time and memory are measured on."""

from __future__ import annotations

import json

import numpy as np
import pytest

import models
from pynq_ee.bench.host import scale
from pynq_ee.data import datasets
from pynq_ee.data.datasets import Digits
from pynq_ee.inference import EarlyExitInference

BATCH = 20


@pytest.fixture
def images(monkeypatch):
    monkeypatch.setattr(scale, "BATCH", BATCH)
    monkeypatch.setattr(scale, "SHORT", BATCH)
    return np.random.default_rng(5).integers(0, 256, (2 * BATCH, 28, 28)).astype(np.uint8)


@pytest.mark.parametrize("count", [1, BATCH, BATCH + 1, 5 * BATCH + 3])
def test_the_images_come_again_and_again_until_there_are_enough(images, count):
    parts = list(scale._endless(images, count))
    assert sum(map(len, parts)) == count and max(map(len, parts)) <= BATCH
    np.testing.assert_array_equal(np.concatenate(parts), np.resize(images, (count, 28, 28)))


def test_every_stream_is_counted_timed_and_weighed(images):
    done = []
    counts = [2 * BATCH + 7, 1, 4 * BATCH]
    rows = scale.run(models.random_model(), images, counts, "replay", done.append)
    assert [row.images for row in rows] == sorted(counts)
    assert [row.repetitions for row in rows] == [scale.REPETITIONS, 1, 1]
    assert sum(done) == sum(counts) + scale.REPETITIONS - 1
    assert all(row.seconds > 0 and row.resident_bytes > 10e6 for row in rows)
    assert "| 80 |" in scale.table(rows)


def test_of_several_streams_the_median_time_and_the_most_memory_count():
    rows = [scale.Row(7, seconds, size) for seconds, size in ((0.2, 10), (9.0, 30), (0.3, 20))]
    assert scale._median(rows) == scale.Row(7, 0.3, 30, 3)


def test_a_label_that_changes_between_rounds_is_an_error(images, monkeypatch):
    few = images[:BATCH]
    source = scale._endless

    def changing(images, count):
        for number, part in enumerate(source(images, count)):
            yield part if number == 0 else 255 - part

    monkeypatch.setattr(scale, "_endless", changing)
    with (
        EarlyExitInference(models.random_model(), device="sim-numpy", images_per_transfer=BATCH) as network,
        pytest.raises(AssertionError, match="differ"),
    ):
        scale.measure(network, few, 2 * BATCH, lambda done: None)


def test_the_command_prints_json_and_draws(images, monkeypatch, tmp_path, capsys):
    pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'pynq_ee[plot]'")
    monkeypatch.setattr(datasets, "available", lambda: Digits(images, np.zeros(len(images), int), "noise"))
    picture = tmp_path / "scale.png"
    assert scale.main(["--counts", "1", "100", "--json", "--plot", str(picture)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["images"] for row in found["rows"]] == [1, 100] and found["device"] == "replay"
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_stream_of_nothing_is_refused(capsys):
    with pytest.raises(SystemExit):
        scale.main(["--counts", "0"])
    assert "--counts: 0 is out of range: it must be 1 or more" in capsys.readouterr().err
