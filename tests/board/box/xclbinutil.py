"""Write an xclbin of the sections that pynq makes one of: the metadata as it is, and the topology of the memories."""

from __future__ import annotations

import argparse
import json
import struct
from pathlib import Path

_HEADER = struct.Struct("<8s32s256sQ QQQHBBI16s64s16s16sI4x")
_SECTION = struct.Struct("<I16s4xQQ")
_TOPOLOGY, _MEMORY = struct.Struct("<i4x"), struct.Struct("<BB6xqq16s")
_KINDS = {"EMBEDDED_METADATA": 2, "MEM_TOPOLOGY": 6}
_DDR4 = 1


def topology(text: str) -> bytes:
    """The memories of a topology in JSON."""
    entries = json.loads(text)["mem_topology"]["m_mem_data"]
    memories = (
        _MEMORY.pack(_DDR4, entry["m_used"], int(entry["m_sizeKB"]), entry["m_base_address"], entry["m_tag"].encode())
        for entry in entries
    )
    return _TOPOLOGY.pack(len(entries)) + b"".join(memories)


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--add-section", action="append", default=[])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--skip-bank-grouping", action="store_true")
    arguments = parser.parse_args()
    sections = []
    for argument in arguments.add_section:
        kind, form, name = argument.split(":")
        content = Path(name).read_text()
        sections.append((kind, topology(content) if form == "JSON" else content.encode()))
    offset = _HEADER.size + _SECTION.size * len(sections)
    table, body = [], b""
    for kind, content in sections:
        table.append(_SECTION.pack(_KINDS[kind], kind.encode()[:16], offset + len(body), len(content)))
        body += content + bytes(-len(content) % 8)
    length = offset + len(body)
    header = _HEADER.pack(
        b"xclbin2", b"", b"", 0, length, 0, 0, 0, 2, 13, 0, b"", b"", bytes(range(16)), b"", len(sections)
    )
    arguments.output.write_bytes(header + b"".join(table) + body)


if __name__ == "__main__":
    main()
