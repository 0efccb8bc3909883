"""The dask workers that boards live on: those of a scheduler that is there, or new ones on this machine."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import Any

from pynq_ee.errors import DeviceError, InputError, ToolError


def connect(boards: Any, security: Any, seconds: float, owned: ExitStack) -> Any:
    """A ``distributed.Client`` of a scheduler that has at least one worker; what is made here closes with ``owned``.

    Parameters are those of :class:`~pynq_ee.cluster.Cluster`, ``seconds`` the longest wait for each step.

    Raises
    ------
    ToolError
        ``distributed`` is not installed.
    InputError
        ``boards`` is neither an address, a client that is not asynchronous, nor a number of workers.
    DeviceError
        No scheduler there, or no worker that joins it in time.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise ToolError(f"several boards need distributed ({error}): pip install 'pynq_ee[cluster]'") from error
    if isinstance(boards, Client):
        if boards.asynchronous:
            raise InputError("the client is asynchronous; give one that is not")
        return _with_worker(boards, seconds)
    if not isinstance(boards, (int, str)) or not boards or str(boards).startswith("-"):
        raise InputError(f"boards is {boards!r}; give a scheduler's address, a client, or a number of workers")
    address: Any = boards
    if isinstance(boards, int):
        address = owned.enter_context(LocalCluster(n_workers=boards, threads_per_worker=1, dashboard_address=":0"))
    options = {"security": security} if security else {}
    try:
        client = Client(address, timeout=seconds, set_as_default=False, direct_to_workers=True, **options)
    except (OSError, ValueError) as error:  # the latter: an address that is none
        raise DeviceError(f"no scheduler at {boards!r} ({error}); start one: `dask scheduler`") from error
    return _with_worker(owned.enter_context(client), seconds)


def _with_worker(client: Any, seconds: float) -> Any:
    try:
        client.wait_for_workers(1, timeout=seconds)
    except (TimeoutError, asyncio.TimeoutError) as error:
        raise DeviceError(
            f"no worker has joined the scheduler within {seconds:g} s; start one on each board: `dask worker "
            f"{client.scheduler.address} --nworkers 1 --nthreads 1`"
        ) from error
    return client
