"""Who leaves where: the exit rule, the thresholds that a constraint asks for, and what they cost."""

from pynq_ee.exits.calibration import Calibration, calibrate, front, optimum
from pynq_ee.exits.costs import Costs
from pynq_ee.exits.governor import Governor, hold
from pynq_ee.exits.risk import Controlled, controlled
from pynq_ee.exits.rule import check_thresholds, exit_of, leaves, shares
from pynq_ee.exits.scores import Outcome, Scores, outcome, sweep
from pynq_ee.exits.softmax_entropy import entropy, softmax

__all__ = [
    "Calibration",
    "Controlled",
    "Costs",
    "Governor",
    "Outcome",
    "Scores",
    "calibrate",
    "check_thresholds",
    "controlled",
    "entropy",
    "exit_of",
    "front",
    "hold",
    "leaves",
    "optimum",
    "outcome",
    "shares",
    "softmax",
    "sweep",
]
