"""How much longer everything may take here than on an idle machine that runs its own instructions.

Deadlines of tests are multiplied by ``PYNQ_EE_TEST_PATIENCE``: 1 unless it is set, some ten under an emulator.
"""

from __future__ import annotations

import os

FACTOR = float(os.environ.get("PYNQ_EE_TEST_PATIENCE", "1"))


def seconds(value: float) -> float:
    """A deadline of ``value`` seconds, with this machine's patience."""
    return value * FACTOR
