"""Reading a hardware description (.hwh), the XML that Vivado writes beside a bitstream, of unknown origin."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

from pynq_ee.errors import OverlayError

#: Bytes of a .hwh at most; that of this overlay has some 0.1 MB, those of large designs some.
FILE_LIMIT = 8 << 20

#: Elements at most. Each takes some hundred bytes of memory, whatever few it takes in the file.
ELEMENT_LIMIT = 250_000

#: Elements inside one another at most; Vivado writes some ten. pynq's parsers recurse.
DEPTH_LIMIT = 64

_PROCESSORS = ("processing_system7", "zynq_ultra_ps_e")

#: The processors' parameters that say the first clock of the fabric, MHz, as it was constrained.
_CLOCKS = ("pcw_act_fpga0_peripheral_freqmhz", "psu__crl_apb__pl0_ref_ctrl__act_freqmhz")


def read(path: Path) -> ElementTree.Element:
    """The root element of a .hwh.

    A document type declaration is refused: Vivado writes none, and entities that it could define would grow in memory.

    Raises
    ------
    OverlayError
        A file that is missing, too large, or no well-formed XML.
    """
    try:
        if path.exists() and not path.is_file():  # opening a named pipe would wait for ever
            raise OSError("not a regular file")
        with path.open("rb") as file:
            content = file.read(FILE_LIMIT + 1)
        if len(content) > FILE_LIMIT:
            raise OverlayError(f"{path} has more than {FILE_LIMIT} bytes; it is no hardware description of Vivado")
        parser = ElementTree.XMLParser(target=_Builder())
        parser.feed(content)
        return parser.close()
    except (ElementTree.ParseError, LookupError, ValueError, OSError) as error:  # the middle two: its encoding
        raise OverlayError(f"{path} is damaged ({error}); copy or build it again") from error


def address_map(design: ElementTree.Element) -> dict[str, list[tuple[int, int]]]:
    """Where the processor finds each cell of the fabric: base addresses and bytes of its ranges, by the cell's name."""
    found: dict[str, list[tuple[int, int]]] = {}
    for module in design.iter("MODULE"):
        if not is_processor(module):  # only its view counts
            continue
        for entry in module.iter("MEMRANGE"):
            base, high = (_number(entry.get(name, "")) for name in ("BASEVALUE", "HIGHVALUE"))
            found.setdefault(entry.get("INSTANCE", ""), []).append((base, high - base + 1))
    return found


def is_processor(module: ElementTree.Element) -> bool:
    """Whether a cell is the processor. Newer releases mark it by ``IS_PL="FALSE"``, older ones do not."""
    return module.get("MODTYPE") in _PROCESSORS


def parameters(design: ElementTree.Element, name: str) -> dict[str, str]:
    """Parameters of a cell, their names in lower case as pynq has them."""
    return {
        parameter.get("NAME", "").lower(): parameter.get("VALUE", "")
        for module in design.iter("MODULE")
        if module.get("INSTANCE") == name
        for parameter in module.iter("PARAMETER")
    }


def clock_mhz(design: ElementTree.Element) -> float | None:
    """The clock that the processor gives the fabric, MHz, for which it was built; None where it is not said."""
    for module in design.iter("MODULE"):
        if is_processor(module):
            said = parameters(design, module.get("INSTANCE", ""))
            for name in _CLOCKS:
                try:
                    found = float(said.get(name, ""))
                except ValueError:
                    continue
                if 0 < found < math.inf:  # deadlines are computed from it
                    return found
    return None


def _number(text: str) -> int:
    if not re.fullmatch("0x[0-9A-Fa-f]{1,16}", text):
        raise OverlayError(f"the hardware description has an address of {text[:40]!r}; copy or build it again")
    return int(text, 16)


class _Builder(ElementTree.TreeBuilder):
    """A tree builder that refuses what could make a small document a large tree."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = self._elements = 0

    def doctype(self, *_: object) -> None:
        raise ValueError("it has a document type declaration")

    def start(self, tag: Any, attributes: Any, /) -> Any:
        self._depth += 1
        self._elements += 1
        if self._elements > ELEMENT_LIMIT:
            raise ValueError(f"it has more than {ELEMENT_LIMIT} elements")
        if self._depth > DEPTH_LIMIT:
            raise ValueError(f"its elements are nested more than {DEPTH_LIMIT} deep")
        return super().start(tag, attributes)

    def end(self, tag: Any, /) -> Any:
        self._depth -= 1
        return super().end(tag)
