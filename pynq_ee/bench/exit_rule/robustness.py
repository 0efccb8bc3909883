"""What the exit rule does with images unlike those that it was calibrated on.

The columns that matter: whether what leaves early is still right, and whether the loss against the last exit stays
under the bound that the calibration promised for clean digits. The promise does not reach beyond those; the table
shows by how much it fails.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee import remainder
from pynq_ee.bench.exit_rule import corruptions
from pynq_ee.exits import exit_of, risk
from pynq_ee.exits.scores import Scores, outcome
from pynq_ee.network import fabric
from pynq_ee.network.weights import Model


def all_logits(model: Model, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Logits of every exit, float32 (N, exits, 10), as ``EarlyExitInference.all_exits`` has them, with no device."""
    hidden, first = fabric.first_exit(images, model)
    logits = [first]
    for stage in remainder.stages("numpy", model):
        hidden, exit_logits = stage(hidden)
        logits.append(exit_logits)
    return np.stack(logits, axis=1) * np.float32(2.0) ** np.array(model.logit_exponents, np.float32)[:, None]


def scores_of(model: Model, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]) -> Scores:
    """Scores of a model on images, without a device."""
    return Scores.of(all_logits(model, images), labels)


def table(
    model: Model,
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    thresholds: dict[str, tuple[float, ...]],
    bound_points: float,
) -> dict[str, Any]:
    """Outcomes under every corruption, for several threshold vectors.

    Parameters
    ----------
    thresholds
        Threshold vectors by name: the calibrated ones, the risk-controlled ones.
    bound_points
        Bound of the risk-controlled ones, percentage points.

    Returns
    -------
    ``digits``: for each corruption and threshold vector, accuracy of the system and of the last exit, early share,
    errors among the early, the share of wrong answers that leaves early, the risk in points, and whether it is under
    the bound. ``strangers``: for each kind, the early share.
    """
    digits = []
    for name in corruptions.CORRUPTIONS:
        scores = scores_of(model, corruptions.corrupt(name, images), labels)
        digits += [
            {"corruption": name, "thresholds": key, **_row(scores, vector, bound_points)}
            for key, vector in thresholds.items()
        ]
    strangers = []
    for name in corruptions.STRANGERS:
        unknown = corruptions.strangers(name, len(images))
        scores = scores_of(model, unknown, np.zeros(len(unknown), np.int64))
        strangers += [
            {"kind": name, "thresholds": key, "early_share": outcome(scores, vector).early_share}
            for key, vector in thresholds.items()
        ]
    return {
        "images": len(images),
        "seed": corruptions.SEED,
        "bound_points": bound_points,
        "thresholds": {key: list(vector) for key, vector in thresholds.items()},
        "digits": digits,
        "strangers": strangers,
    }


def _row(scores: Scores, thresholds: tuple[float, ...], bound_points: float) -> dict[str, Any]:
    found = outcome(scores, thresholds)
    taken = exit_of(scores.entropy, thresholds)
    right = scores.right[np.arange(len(scores)), taken - 1]
    early = taken < scores.exits
    risk_points = 100 * float(risk.harm(scores, thresholds).mean())
    return {
        "accuracy": found.accuracy,
        "last_exit": found.exit_accuracy[-1],
        "early_share": found.early_share,
        "errors_among_early": float(np.mean(~right[early])) if early.any() else 0.0,
        "wrong_that_leave_early": float(np.mean(early[~right])) if (~right).any() else 0.0,
        "risk_points": risk_points,
        "bound_holds": risk_points <= bound_points,
    }
