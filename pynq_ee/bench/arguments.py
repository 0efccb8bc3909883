"""Numbers of a command line: what cannot be is refused by argparse, by the option's name, before any work begins."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable


def whole(least: int = 1, most: float = math.inf) -> Callable[[str], int]:
    """Read a whole number between two bounds, both of them allowed: the ``type`` of an option."""

    def read(text: str) -> int:
        limit = f"{least} or more" if math.isinf(most) else f"{least} to {most:g}"
        try:
            number = int(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number, {limit}") from error
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{number} is out of range: it must be {limit}")
        return number

    return read


def positive(text: str) -> float:
    """Read a finite number above 0: the ``type`` of an option."""
    number = _real(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no finite number above 0")
    return number


def nats(text: str) -> float:
    """Read an entropy in nats, 0 or more, infinity too: the ``type`` of an option."""
    number = _real(text)
    if not number >= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of nats, 0 or more")
    return number


def _real(text: str) -> float:
    """A number; NaN, which is in no range, where it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
