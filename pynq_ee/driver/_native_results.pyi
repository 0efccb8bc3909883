"""What native_results.cpp offers to results.py. Arrays are anything with the buffer protocol."""

from typing import Any

def split(
    stream: Any,
    count: int,
    record_bytes: int,
    flag_byte: int,
    flag: int,
    block_bytes: int,
    records: Any,
    places: Any,
    /,
) -> tuple[int, int]: ...
