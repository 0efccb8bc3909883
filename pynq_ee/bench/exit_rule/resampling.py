"""The risk bound's promise, tried: many random splits of all labelled images that were never trained on."""

from __future__ import annotations

from typing import Any

import numpy as np

from pynq_ee.exits import risk
from pynq_ee.exits.scores import Scores, outcome

#: The task's figures: splits, and images in each calibration set (as many as there are validation images).
SPLITS = 200
CALIBRATION_IMAGES = 5000


def resample(
    scores: Scores,
    *,
    max_loss_points: float,
    delta: float,
    splits: int = SPLITS,
    seed: int = 0,
    calibration_images: int = CALIBRATION_IMAGES,
) -> dict[str, Any]:
    """Calibrate on random parts of the images and judge on the rest.

    Parameters
    ----------
    scores
        Of validation and test images together.

    Returns
    -------
    ``violations``: share of the splits in which the accuracy lost on the rest is above the bound.
    ``risk_violations``: the same for the risk, which is what is bounded and never smaller, on all images, from which
    the calibration set is a draw. Both are to be at most ``delta`` and a sampling error. ``early_share``: mean on the
    rest.
    """
    random = np.random.default_rng(seed)
    lost, risks, shares = [], [], []
    for _ in range(splits):
        order = random.permutation(len(scores))
        drawn, rest = scores[order[:calibration_images]], scores[order[calibration_images:]]
        chosen = risk.controlled(drawn, max_loss_points=max_loss_points, delta=delta).thresholds
        found = outcome(rest, chosen)
        lost.append(found.loss_points)
        risks.append(100 * float(risk.harm(scores, chosen).mean()))
        shares.append(found.early_share)
    return {
        "splits": splits,
        "calibration_images": calibration_images,
        "images": len(scores),
        "seed": seed,
        "max_loss_points": max_loss_points,
        "delta": delta,
        "violations": float(np.mean(np.array(lost) > max_loss_points)),
        "risk_violations": float(np.mean(np.array(risks) > max_loss_points)),
        "mean_loss_points": float(np.mean(lost)),
        "early_share": float(np.mean(shares)),
    }
