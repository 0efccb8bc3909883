"""Images that exist only as scores, for the tests of thresholds."""

from __future__ import annotations

import math

import numpy as np

from pynq_ee.exits.scores import Scores


def population(images: int, exits: int, seed: int) -> Scores:
    """Images whose difficulty makes early exits unsure and wrong, more so the earlier the exit."""
    random = np.random.default_rng(seed)
    difficulty = random.beta(0.15, 3, images)[:, None]
    entropy = np.clip(difficulty * 2.3 * random.uniform(0.5, 1.5, (images, exits)), 0, math.log(10))
    wrong = random.random((images, exits)) < difficulty * np.linspace(0.45, 0.25, exits)
    truth = random.integers(0, 10, images)
    return Scores(entropy, np.where(wrong, (truth[:, None] + 1) % 10, truth[:, None]), truth)
