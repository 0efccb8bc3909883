"""The benchmark of several boards."""

from __future__ import annotations

import numpy as np
import pytest

from pynq_ee.bench import cluster
from pynq_ee.bench.cluster import Row
from pynq_ee.network import weights


def test_a_paced_board_is_measured_at_no_more_than_its_rate():
    images = np.random.default_rng(5).integers(0, 256, (10, 28, 28)).astype(np.uint8)
    row = cluster.measure(weights.load(), images, [100.0], seconds=0.5, batch=10)
    assert row.images == 50 and row.shares == [1.0]
    assert row.images_per_second <= 101


def test_the_figures_are_told_and_drawn(tmp_path):
    rows = [
        Row([100.0], 400, 4.0, [1.0]),
        Row([100.0, 100.0], 800, 5.0, [0.5, 0.5]),
        Row([25.0, 50.0, 100.0], 700, 4.0, [0.15, 0.3, 0.55]),
    ]
    assert rows[1].images_per_second == 160 and rows[1].efficiency == pytest.approx(0.8)
    assert "| 2 | 100, 100 | 160 | 80.0 % | 50.0 %, 50.0 % |" in cluster.table(rows)
    cluster.plot(rows, tmp_path / "cluster.png")
    assert (tmp_path / "cluster.png").read_bytes().startswith(b"\x89PNG")
