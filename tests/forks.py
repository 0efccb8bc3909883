"""What holds in a fork of the process, and in one that may take little more memory."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from pathlib import Path


def holds(question: Callable[[], bool]) -> bool:
    """Whether a fork of this process answers yes."""
    child = os.fork()
    if not child:
        code = 1  # of an error, too: the fork must not go on with the tests
        try:
            code = 0 if question() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def allow_more(megabytes: int) -> None:
    """Let this process take so much more memory: with a few stacks of 8 MB there are no more threads."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + (megabytes << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
