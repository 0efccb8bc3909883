"""The packages that the runtime needs, with the releases that work; setup.py asks pip for the same."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from pynq_ee.errors import ToolError


class Requirement(NamedTuple):
    """A package, its first release that works, the first that does not again, and why not."""

    package: str
    first: tuple[int, ...]
    beyond: tuple[int, ...] | None
    reason: str

    @property
    def asked(self) -> str:
        """As pip takes it: ``numpy>=1.21,<2``."""
        first = ">=" + ".".join(map(str, self.first)) if self.first else ""
        beyond = "<" + ".".join(map(str, self.beyond)) if self.beyond else ""
        return self.package + ",".join(filter(None, (first, beyond)))

    def allows(self, version: str) -> bool:
        """Whether a release, as ``1.26.4``, is one that works."""
        found = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
        return self.first <= found and (self.beyond is None or found < self.beyond)


NUMPY = Requirement("numpy", (1, 21), (2,), "an array of NumPy 2 has an attribute that pynq's buffers set")

#: NumPy and Pillow from the releases of a PYNQ-Z2's image on.
REQUIREMENTS = (
    NUMPY,
    Requirement("pillow", (9, 0, 1), None, "the image of a PYNQ-Z2 has that release"),
    Requirement("pycparser", (), (3,), "pynq 3.0.1 cannot be imported beside pycparser 3"),
)


def check_numpy() -> None:
    """Refuse a NumPy that pynq cannot make buffers with.

    Raises
    ------
    ToolError
        It is one.
    """
    if not NUMPY.allows(np.__version__):
        raise ToolError(f"NumPy {np.__version__} is installed, and {NUMPY.reason}: pip install '{NUMPY.asked}'")
