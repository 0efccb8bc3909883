"""What nextpnr-xilinx says is read from behind the routing, not from before."""

from __future__ import annotations

import pytest

from pynq_ee.errors import DataError
from pynq_ee.openflow import placement

#: As version 0.8.2-25-ge22bcf69 writes it, shortened.
LOG = """Info: Device utilisation:
Info: \t          SLICE_LUTX:    51/106400     0%
Info: \t           SLICE_FFX:   138/106400     0%
Info: \t              CARRY4:     4/13300     0%
Info: \t         PSEUDO_GND:     1/29359     0%
Info: Max frequency for clock 'clock': 230.84 MHz (PASS at 62.50 MHz)
Info: Routing complete.
Info: Critical path report for clock 'clock' (posedge -> posedge):
Info: curr total
Info:  0.1  0.1  Source count.Q
Info:  0.1  3.2  Setup in.D
Info: 1.5 ns logic, 1.7 ns routing

Info: Max frequency for clock 'clock': 310.37 MHz (PASS at 62.50 MHz)
"""


def test_estimate_path_and_counts_are_those_behind_the_routing() -> None:
    found = placement.read(LOG)
    assert found.mhz == {"clock": 310.37}
    assert found.used == {"LUT BEL": [51, 106400], "FF": [138, 106400], "CARRY4": [4, 13300]}
    assert found.path.startswith("Critical path report") and found.path.endswith("1.5 ns logic, 1.7 ns routing")


def test_a_log_that_ends_before_the_routing_is_an_error() -> None:
    with pytest.raises(DataError, match="it did not route"):
        placement.read(LOG.partition("Info: Routing complete.")[0])
