"""The block designs that ``hw/build.tcl`` makes, as ``tests/hw/recorder`` recorded them into ``designs/``."""

from __future__ import annotations

import json
from pathlib import Path

from pynq_ee.errors import DeviceError
from pynq_ee.generate import hwh

_DESIGNS = Path(__file__).with_name("designs")


def load(board: str, beat_bits: int) -> hwh.Design:
    """The block design that ``hw/build.tcl`` makes for a board, as it was recorded.

    Parameters
    ----------
    board
        A name in :data:`pynq_ee.network.spec.BOARDS`.
    beat_bits
        Width of the kernel's streams.

    Raises
    ------
    DeviceError
        None was recorded.
    """
    path = _DESIGNS / f"{board}-{beat_bits}bit.json"
    if not path.is_file():
        known = ", ".join(sorted(other.stem for other in _DESIGNS.glob("*.json")))
        raise DeviceError(
            f"no block design was recorded for {board} with streams of {beat_bits} bit; there are {known or 'none'}. "
            "`python tests/hw/recorder/recording.py pynq_ee/sim/designs` records them from hw/build.tcl"
        )
    design: hwh.Design = json.loads(path.read_text())
    return design
