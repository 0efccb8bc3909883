"""The board's side of pynq's remote device, in front of a simulated board: the services that pynq 4.0 ships, on gRPC.

pynq's own server is C++ on the boards' SD card images; only its interface (``pynq.remote``) is in the package. This one
answers what ``pynq.pl_server.remote_device.RemoteDevice`` asks for: files, bitstreams, registers and buffers.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from pynq.bitstream import Bitstream
from pynq.pl_server.embedded_device import bit2bin
from pynq.pl_server.remote_device import BS_FPGA_MAN, BS_FPGA_MAN_FLAGS, FIRMWARE
from pynq.remote import (
    buffer_pb2,
    buffer_pb2_grpc,
    mmio_pb2,
    mmio_pb2_grpc,
    remote_device_pb2,
    remote_device_pb2_grpc,
)

from pynq_ee.sim import SimulatedDevice

#: Bytes of one message of a stream.
CHUNK = 1 << 20


class Files(remote_device_pb2_grpc.RemoteDeviceServicer):
    """The board's file system, as far as pynq looks at it; the FPGA manager's file programs the fabric."""

    def __init__(self, device: SimulatedDevice, board: str) -> None:
        self._device = device
        self.programmed = 0
        self.builds = [Path(device.bitfile)]
        self.files = {
            "/proc/version": f"Linux version 5.15 ({device.arch})".encode(),
            "/proc/device-tree/chosen/pynq_board": board.encode() + b"\0",
            "/sys/class/fpga_manager/fpga0/state": b"operating\n",
            BS_FPGA_MAN_FLAGS: b"0\n",
        }

    def existsfile(self, request: Any, context: Any) -> Any:
        return remote_device_pb2.ExistsFileResponse(exists=request.file_path in self.files)

    def readfile(self, request: Any, context: Any) -> Iterator[Any]:
        yield remote_device_pb2.ReadFileResponse(data=self.files[request.file_path])

    def writefile(self, requests: Iterator[Any], context: Any) -> Any:
        content: dict[str, bytes] = {}
        for request in requests:
            content[request.file_path] = content.get(request.file_path, b"") + request.data
        self.files.update(content)
        if BS_FPGA_MAN in content:
            self._program(self.files[FIRMWARE + content[BS_FPGA_MAN].decode()])
        return remote_device_pb2.WriteFileResponse()

    def set_bitstream_attrs(self, request: Any, context: Any) -> Any:
        return remote_device_pb2.SetBitstreamAttrsResponse(status=True)

    def _program(self, firmware: bytes) -> None:
        if firmware not in [bit2bin(build.read_bytes()) for build in self.builds]:
            raise ValueError("this is no bitstream of the simulated board's circuit")
        self.loaded = firmware
        Bitstream(self._device.bitfile, device=self._device).download()
        self.programmed += 1


class Registers(mmio_pb2_grpc.MmioServicer):
    """Registers, by the address at which a window was opened."""

    def __init__(self, device: SimulatedDevice) -> None:
        self._device = device
        self._bases: dict[str, int] = {}

    def get_mmio(self, request: Any, context: Any) -> Any:
        name = f"{request.base_addr:x}"
        self._bases[name] = request.base_addr
        return mmio_pb2.GetMmioResponse(status=True, mmio_id=name)

    def read(self, request: Any, context: Any) -> Any:
        value = self._device.read_word(self._bases[request.mmio_id] + request.offset)
        return mmio_pb2.ReadResponse(status=True, data=value)

    def write(self, request: Any, context: Any) -> Any:
        for place, word in enumerate(np.frombuffer(request.data, "<u4").tolist()):
            self._device.write_word(self._bases[request.mmio_id] + request.offset + 4 * place, word)
        return mmio_pb2.WriteResponse(status=True)


class Buffers(buffer_pb2_grpc.RemoteBufferServicer):
    """Contiguous memory of the board; the caller has a copy of its own of each buffer."""

    def __init__(self, device: SimulatedDevice) -> None:
        self._device = device
        self._names = map(str, itertools.count())
        self.buffers: dict[str, Any] = {}

    def allocate(self, request: Any, context: Any) -> Any:
        name = next(self._names)
        self.buffers[name] = self._device.allocate((request.size,), np.uint8)
        return buffer_pb2.AllocateResponse(buffer_id=name)

    def write(self, requests: Iterator[Any], context: Any) -> Any:
        position = 0
        for request in requests:
            data = np.frombuffer(request.data, np.uint8)
            self.buffers[request.buffer_id][position : position + len(data)] = data
            position += len(data)
        return buffer_pb2.BufferWriteResponse()

    def read(self, request: Any, context: Any) -> Iterator[Any]:
        content = self.buffers[request.buffer_id].tobytes()
        for start in range(0, len(content), CHUNK):
            yield buffer_pb2.BufferReadResponse(data=content[start : start + CHUNK])

    def flush(self, request: Any, context: Any) -> Any:
        self.buffers[request.buffer_id].flush()
        return buffer_pb2.FlushResponse()

    def invalidate(self, request: Any, context: Any) -> Any:
        self.buffers[request.buffer_id].invalidate()
        return buffer_pb2.InvalidateResponse()

    def physical_address(self, request: Any, context: Any) -> Any:
        return buffer_pb2.AddressResponse(address=self.buffers[request.buffer_id].physical_address)

    def freebuffer(self, request: Any, context: Any) -> Any:
        self.buffers.pop(request.buffer_id).freebuffer()
        return buffer_pb2.FreeBufferResponse()


@contextmanager
def serving(device: SimulatedDevice, board: str) -> Iterator[tuple[int, Files, Buffers]]:
    """Serve a board on a port of this machine's loopback interface: the port, and what it serves."""
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    files, buffers = Files(device, board), Buffers(device)
    remote_device_pb2_grpc.add_RemoteDeviceServicer_to_server(files, server)
    mmio_pb2_grpc.add_MmioServicer_to_server(Registers(device), server)
    buffer_pb2_grpc.add_RemoteBufferServicer_to_server(buffers, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port, files, buffers
    finally:
        server.stop(None).wait()
