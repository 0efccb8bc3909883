"""What each exit costs: seconds or joules an image, stage by stage, and how they add up."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import InputError

Unit = Literal["seconds", "joules", "stages"]


@dataclass(frozen=True)
class Costs:
    """Cost of the work between two exits, for each image that reaches it.

    The mean cost of an image is :math:`\\max(f, \\sum_n c_n r_n)`, with :math:`r_n` the share of the images that
    reach exit :math:`n` (1 for the first), :math:`c_n` the host's work for it, and :math:`f` what is done meanwhile,
    in parallel: the fabric's time.

    Parameters
    ----------
    stages
        Cost of reaching each exit from the one before it, the first exit's first. Finite, 0 or more.
    overlapped
        Cost an image of what runs in parallel with the stages; the larger one counts.
    unit
        ``"seconds"``, ``"joules"``, or ``"stages"`` where nothing was measured and each stage counts as one.
    source
        Where the figures come from, with the word *measured* or *modelled*.
    spread
        Least and greatest of the repetitions' costs of an image that goes to the last exit, in parts of the median; (1,
        1) where nothing was repeated.

    Raises
    ------
    InputError
        A cost that is negative or not finite.
    """

    stages: tuple[float, ...]
    overlapped: float = 0.0
    unit: Unit = "seconds"
    source: str = ""
    spread: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        for cost in (*self.stages, self.overlapped):
            if not (math.isfinite(cost) and cost >= 0):
                raise InputError(f"a cost is {cost} {self.unit}; it must be finite and 0 or more")

    @staticmethod
    def counted(exits: int) -> Costs:
        """Software stages an image: the cost where nothing was measured. The first exit is free."""
        return Costs((0.0,) + (1.0,) * (exits - 1), 0.0, "stages", "modelled: each software stage counts as one")

    def mean(self, shares: Sequence[float] | npt.NDArray[np.float64]) -> float:
        """Mean cost of an image, from the share of the images that leave at each exit."""
        reach = 1 - np.concatenate([[0.0], np.cumsum(shares)[:-1]])
        return max(self.overlapped, float(np.dot(self.stages, reach)))


def measure(network: Any, images: npt.NDArray[np.uint8], repetitions: int = 5) -> Costs:
    """Seconds of each exit on the machine at hand, by letting every image reach it.

    Parameters
    ----------
    network
        An open :class:`~pynq_ee.inference.EarlyExitInference`. Its threshold is changed meanwhile, and put back.
    images
        uint8 (N, 28, 28).
    repetitions
        Of which the median counts.

    Returns
    -------
    Costs
        In seconds. The host's stages are *measured*; the fabric, which works meanwhile, is measured on a board
        and *modelled* by the rate rule on a simulated one, whose own time says nothing. In software, all is the host's.
    """
    exit_count, before = network.model.exits, network.threshold
    reached: list[list[float]] = []
    fabric: list[float] = []
    clock_mhz, simulated = network.clock_mhz, "simulated" in str(network.device.name)
    try:
        for _ in range(repetitions + 1):  # the first is a warm-up
            row = []
            for exit in range(1, exit_count + 1):
                network.threshold = tuple(math.inf if number >= exit else 0.0 for number in range(1, exit_count))
                prediction = network.classify(images)
                seconds = prediction.seconds
                own = (taken for stage, taken in seconds.items() if clock_mhz is None or stage != "fabric")
                row.append(sum(own) / len(images))
                if exit == 1 and clock_mhz is not None:
                    modelled = prediction.fabric_clocks / (clock_mhz * 1e6)
                    fabric.append((modelled if simulated else sum(seconds.values())) / len(images))
            reached.append(row)
    finally:
        network.threshold = before
    up_to = [statistics.median(row[exit] for row in reached[1:]) for exit in range(exit_count)]
    stages = tuple(max(0.0, later - earlier) for earlier, later in zip([0.0, *up_to], up_to))
    whole = [row[-1] / up_to[-1] for row in reached[1:]]
    spread = min(whole), max(whole)
    if clock_mhz is None:
        return Costs(stages, 0.0, "seconds", "all software, measured", spread)
    source = f"host measured, fabric {prediction.fabric_clocks_are if simulated else 'measured'}"
    return Costs(stages, statistics.median(fabric[1:]), "seconds", source, spread)
