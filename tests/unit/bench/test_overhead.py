"""What the driver costs the host is told by stage, and as a whole beside entropy and remainder."""

from __future__ import annotations

import numpy as np
import pytest

import models
from pynq_ee.trace import STAGES

pytest.importorskip("threadpoolctl", reason="needs threadpoolctl: pip install 'pynq_ee[bench]'")


def test_the_drivers_own_time_is_the_whole_without_entropy_and_remainder(noise: np.ndarray) -> None:
    from pynq_ee.bench.host import driver

    images = noise[:40]
    found = driver.overhead(models.random_model(), images, 20, 3)
    assert list(found) == [*STAGES, "driver"]
    assert all(0 <= least <= median for median, least in found.values())
    assert found["driver"][1] > max(found[stage][1] for stage in ("input", "collect"))
