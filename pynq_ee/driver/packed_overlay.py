"""An overlay whose ``.bit`` is kept compressed, and the plain files of it that pynq loads.

A bitstream is mostly zeros. In an archive or a repository it is compressed anyway; in a checkout, on a card and in a
change that is sent around it is not.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path

from pynq_ee import cache
from pynq_ee.errors import OverlayError, ToolError
from pynq_ee.files import write_atomically

#: What the name of a packed ``.bit`` ends with.
SUFFIX = ".gz"


def pack(bit: bytes) -> bytes:
    """A ``.bit``, compressed; the same bytes whenever and wherever."""
    return gzip.compress(bit, compresslevel=9, mtime=0)


def unpack(packed: Path) -> Path:
    """The plain ``.bit`` of a packed one, in a folder of the cache, with the ``.hwh`` and the manifest beside it.

    Files that stand there already, and are what they should be, are not written again. The folder is named by a digest
    of all of them, so those of another build are never in their place.

    Raises
    ------
    OverlayError
        No such file, or a damaged one.
    ToolError
        No cache that can be written.
    """
    bit = packed.with_suffix("")
    try:
        contents = {bit.name: gzip.decompress(packed.read_bytes())}
        for beside in (bit.with_suffix(".hwh"), bit.with_name("manifest.json")):
            if beside.is_file():
                contents[beside.name] = beside.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise OverlayError(f"{packed} cannot be unpacked ({type(error).__name__}: {error}); copy it again") from error
    digest = hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in contents.values())).hexdigest()
    place = Path("overlays", digest[:16])
    for kept in cache.folders():  # which need not be writable
        if all(_holds(kept / place / name, content) for name, content in contents.items()):
            return kept / place / bit.name
    folder = cache.writable() / place
    try:
        cache.make(folder)
        for name, content in contents.items():
            if not _holds(folder / name, content):
                write_atomically(folder / name, content)
    except OSError as error:
        raise ToolError(f"{packed} cannot be unpacked into {folder} ({error}); set PYNQ_EE_CACHE") from error
    return folder / bit.name


def _holds(path: Path, content: bytes) -> bool:
    """Whether a file is there, and is what it should be."""
    try:
        return path.read_bytes() == content
    except OSError:
        return False
