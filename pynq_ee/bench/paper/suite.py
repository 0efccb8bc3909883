"""Everything that the report is made of, in one record: one run, one machine, one JSON file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from pynq_ee.bench import energy, machine
from pynq_ee.bench.exit_rule import drift, resampling, robustness
from pynq_ee.bench.paper import compare
from pynq_ee.bench.paper.compare import Settings
from pynq_ee.data import datasets
from pynq_ee.data.datasets import Digits
from pynq_ee.errors import InputError
from pynq_ee.exits import calibration, costs, risk
from pynq_ee.exits.scores import Scores, concatenate, outcome
from pynq_ee.inference import EarlyExitInference
from pynq_ee.network.weights import Model

FORMAT = 1

#: The risk bound of the report: percentage points, and the probability that it may fail.
BOUND_POINTS = 0.1
DELTA = 0.1


@dataclasses.dataclass(frozen=True)
class Extent:
    """How much beside the tables."""

    robustness_images: int = 5000
    splits: int = resampling.SPLITS
    drift_batches: int = 60


QUICK = Extent(robustness_images=500, splits=20, drift_batches=20)


def run(
    models: list[Model],
    settings: Settings,
    extent: Extent,
    *,
    device: Any = None,
    progress: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Measure everything for some models.

    Parameters
    ----------
    settings
        Of the tables 1 and 3.
    device
        A board to measure on; None: the fabric is modelled.

    Returns
    -------
    The record, in JSON's types and NumPy's.
    """
    digits = datasets.available()
    record: dict[str, Any] = {
        "format": FORMAT,
        "machine": machine.describe(),
        "data": {"test": digits.source, "calibration": datasets.calibration().source},
        "settings": dataclasses.asdict(settings),
        "fabric": {"clock_mhz": compare.CLOCK_MHZ, "measured": device is not None},
        "energy": {"constants": energy.model_for().sources, "measured": energy.meter() is not None},
        "networks": {},
    }
    if warning := machine.busy():
        progress(warning)
    for model in models:
        record["networks"][model.network] = _network(model, digits, settings, extent, device, progress)
    return record


def _network(
    model: Model,
    digits: Digits,
    settings: Settings,
    extent: Extent,
    device: Any,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    progress(f"{model.network}: accuracy, and the risk bound over {extent.splits} splits")
    held = datasets.calibration()
    validation = robustness.scores_of(model, held.images, held.labels)
    test = robustness.scores_of(model, digits.images, digits.labels)
    vectors = {"calibrated": model.thresholds}
    record: dict[str, Any] = {
        "build_id": f"{model.build_id:08x}",
        "calibration": model.metadata.get("calibration"),
        "training": model.metadata.get("training"),
        "evaluation": {"calibrated": _evaluation(test, model.thresholds)},
    }
    try:
        bounded = risk.controlled(validation, max_loss_points=BOUND_POINTS, delta=DELTA)
    except InputError as error:
        record["risk"] = {"left_out": str(error)}
    else:
        vectors["risk-controlled"] = bounded.thresholds
        record["evaluation"]["risk-controlled"] = _evaluation(test, bounded.thresholds)
        record["risk"] = _risk(validation, test, digits, extent)

    progress(f"{model.network}: {len(robustness.corruptions.CORRUPTIONS)} corruptions")
    rows = np.linspace(0, len(digits.labels) - 1, min(extent.robustness_images, len(digits.labels))).astype(int)
    record["robustness"] = robustness.table(model, digits.images[rows], digits.labels[rows], vectors, BOUND_POINTS)

    progress(f"{model.network}: the governor")
    with EarlyExitInference(model, device=device or "sim-numpy", images_per_transfer=256) as network:
        spent = costs.measure(network, digits.images[:512], repetitions=3)
        by_exit = np.maximum(np.cumsum(spent.stages), spent.overlapped)
        record["costs"] = dataclasses.asdict(spent)
        record["governor"] = drift.trace(network, digits.images, tuple(by_exit.tolist()), batches=extent.drift_batches)
    front = calibration.front(test, calibration.Costs.counted(model.exits))
    record["front"] = {name: getattr(front, name) for name in front._fields}
    swept = calibration.sweep(test)
    record["sweep"] = {name: getattr(swept, name) for name in swept._fields}
    record["tables"] = compare.measure(model, digits.images, digits.labels, settings, device=device, progress=progress)
    return record


def _evaluation(scores: Scores, thresholds: tuple[float, ...]) -> dict[str, Any]:
    return {"thresholds": list(thresholds), **outcome(scores, thresholds).as_dict()}


def _risk(validation: Scores, test: Scores, digits: Digits, extent: Extent) -> dict[str, Any]:
    if "sample" in digits.source:
        return {"left_out": "the test images are the calibration images here; set PYNQ_EE_MNIST to a copy of MNIST"}
    both = concatenate([validation, test])
    return resampling.resample(both, max_loss_points=BOUND_POINTS, delta=DELTA, splits=extent.splits)
