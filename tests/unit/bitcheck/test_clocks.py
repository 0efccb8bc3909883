"""Clocks have to be enabled where they pass."""

from __future__ import annotations

import pytest

from pynq_ee.bitcheck import clocks
from pynq_ee.bitcheck.features import Decoded

ENABLED = {
    "HCLK_LEAF_CLK_B_TOPL4.HCLK_CK_BUFHCLK8": ["ENABLE_BUFFER.HCLK_CK_BUFHCLK8"],
    "CLK_HROW_CK_MUX_OUT_L8.CLK_HROW_R_CK_GCLK16": ["CLK_HROW_R_CK_GCLK16_ACTIVE"],
    "CLK_HROW_TOP_R_CK_BUFG_CASCO0.CLK_HROW_CK_IN_L0": ["CLK_HROW_CK_IN_L0_ACTIVE"],
    "CLK_BUFG_REBUF_R_CK_GCLK16_TOP.CLK_BUFG_REBUF_R_CK_GCLK16_BOT": ["GCLK16_ENABLE_ABOVE", "GCLK16_ENABLE_BELOW"],
}


@pytest.mark.parametrize("switch", ENABLED)
def test_a_clock_that_is_not_enabled_where_it_passes_is_told(switch: str) -> None:
    needed = ENABLED[switch]
    assert not list(clocks.disabled(Decoded({"TILE": {switch, *needed}})))
    for name in needed:
        others = {switch, "HCLK_LEAF_CLK_B_TOPL4.HCLK_CK_BUFRCLK0", *needed} - {name}
        assert list(clocks.disabled(Decoded({"TILE": others}))) == [f"TILE/{switch} is on, and {name} is not set"]
