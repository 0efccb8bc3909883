"""The simulated board's bitstream file: a .bit with Vivado's header, so that whose it is can be read and compared."""

from __future__ import annotations

import os
from pathlib import Path

from pynq_ee.driver import bit_header
from pynq_ee.driver.bit_header import NO_USER_ID


def write(path: str | os.PathLike[str], design: str, part: str, payload: bytes, user_id: int = NO_USER_ID) -> Path:
    """Write a .bit for a part; the payload is no configuration data, and nothing reads it.

    The header is that of :func:`pynq_ee.driver.bit_header.compose`.
    """
    payload += b"\0" * (-len(payload) % 4)  # pynq turns words around
    target = Path(path)
    target.write_bytes(bit_header.compose(design, part, user_id, "simulated", len(payload)) + payload)
    return target
