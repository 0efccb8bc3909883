"""pynq's own DMA driver, bound to the DMA of ``hw/rtl`` too.

pynq chooses the driver of a cell by its VLNV, and knows Xilinx' DMA only. It imports this module when it opens an
overlay, as the entry point in the group ``pynq.lib`` asks it to, so that the ``axi_dma`` of a ``pynq.Overlay`` is a
``pynq.lib.dma.DMA`` on either overlay. The driver of this project needs none of it (:mod:`pynq_ee.driver.dma`).
"""

from __future__ import annotations

from typing import Any, ClassVar

from pynq_ee.network import spec


def _bind() -> Any:
    from pynq.lib.dma import DMA

    class RtlDma(DMA):
        """pynq's driver for the DMA of ``hw/rtl``, whose registers are those of Xilinx' (PG021, direct mode)."""

        bindto: ClassVar = [spec.DMA_VLNVS["rtl"]]

    return RtlDma


RtlDma = _bind()
