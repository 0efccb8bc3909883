"""Reading a hardware description (.hwh), the XML that Vivado writes beside a bitstream, of unknown origin."""

from __future__ import annotations

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
