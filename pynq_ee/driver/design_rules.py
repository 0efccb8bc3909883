"""What the driver needs of the design in an overlay, told from its hardware description.

An overlay may be a block design of Vivado, with either kernel, or all of ``hw/rtl``. To the driver they are one: the
same names, addresses and registers. What its DMA must be able to do is asked of the DMA's own settings, whosever it is.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pynq_ee.driver import hardware_description
from pynq_ee.network import spec

#: VLNVs that a cell may have, by its name, and by what has it.
_KNOWN: dict[str, Mapping[str, str]] = {spec.DMA_NAME: spec.DMA_VLNVS, spec.KERNEL_NAME: spec.KERNEL_VLNVS}


class _Setting(NamedTuple):
    """A setting of the DMA (PG021): its default, the numbers that will do, and what it decides."""

    name: str
    default: str
    low: int
    high: int
    decides: str


_DMA_SETTINGS = (
    _Setting("c_include_sg", "1", 0, 0, "scatter-gather mode, which has no direct registers"),
    _Setting("c_micro_dma", "0", 0, 0, "micro mode, whose transfers end with a burst"),
    _Setting("c_include_mm2s", "1", 1, 1, "the channel of the images"),
    _Setting("c_include_s2mm", "1", 1, 1, "the channel of the results"),
    _Setting("c_sg_length_width", "14", spec.DMA_LENGTH_BITS, 64, "the bits of the length register"),
)


def violations(design: ElementTree.Element) -> Iterator[str]:
    """What the driver cannot use in a design, a sentence for each, the gravest first.

    Parameters
    ----------
    design
        As :func:`pynq_ee.driver.hardware_description.read` gives it.
    """
    vlnvs = {module.get("INSTANCE", ""): module.get("VLNV", "") for module in design.iter("MODULE")}
    for name, known in _KNOWN.items():
        if name not in vlnvs:
            yield f"it has no {name}"
        elif vlnvs[name] not in known.values():
            wanted = " or ".join(f"{vlnv} ({whose})" for whose, vlnv in known.items())
            yield f"{name} in it is {vlnvs[name]}; {wanted} is needed"
    settings = hardware_description.parameters(design, spec.DMA_NAME)
    for setting in _DMA_SETTINGS:
        value = settings.get(setting.name, setting.default)
        if not re.fullmatch("[0-9]{1,3}", value) or not setting.low <= int(value) <= setting.high:
            needed = f"{setting.low}" if setting.low == setting.high else f"at least {setting.low}"
            yield f"{setting.name} of its DMA ({setting.decides}) is {value[:40]}; it must be {needed}"
