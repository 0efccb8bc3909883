"""The result stream of a batch, taken apart: for each image its record, and its features where they follow it.

The stream is refused unless its checksum is the one that the kernel sent, and its length, the flags and the sequence
numbers fit each other. Compiled code, where that was built at installation, sees to all of it in one call. NumPy goes
in steps from one image with features to the next; it also says what is wrong where the compiled code found that
something is.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import TransferError
from pynq_ee.network import spec as _spec
from pynq_ee.network.spec import RESULT_BYTES, RESULT_FEATURES, Spec

try:
    from pynq_ee.driver import _native_results as _native
except ImportError:  # no compiler at installation
    _native = None  # type: ignore[assignment]

#: The result record of one image, as the circuit writes it.
RECORD = np.dtype([("logits", "<i2", _spec.CLASSES), ("sequence", "<u2"), ("flags", "<u2")])

#: Records that are looked through at once for the next one that features follow.
_WINDOW = 64

#: The last word of each record of a batch without fault and without features: the sequence number, and flags of zero
#: above it; and what features add to it.
_TAILS = np.arange(_spec.SEQUENCE_MODULUS, dtype=np.uint32)
_FLAG_BYTE, _FOLLOWED = RESULT_BYTES - 2, np.uint32(RESULT_FEATURES << 16)

_NONE = -1

#: CRC-32 of a contiguous array or of bytes.
crc32 = zlib.crc32 if _native is None else _native.crc32

Bytes = npt.NDArray[np.uint8]


class Results(NamedTuple):
    """What the fabric returned for one batch.

    ``logits`` (n, 10) int16 is a copy. ``stream`` uint8 is all that came, a *view* into the slot's buffer, valid until
    the slot is filled again; ``places`` (n,) is where in it each image's features begin, -1 where they were not sent.
    ``clocks`` are those of the batch, where the device counts them.
    """

    logits: npt.NDArray[np.int16]
    stream: Bytes
    places: npt.NDArray[np.intp]
    clocks: int | None = None

    def has_features(self) -> npt.NDArray[np.bool_]:
        """Which images' features were sent, bool (n,)."""
        sent: npt.NDArray[np.bool_] = self.places != _NONE
        return sent

    def features(self, rows: npt.NDArray[np.intp], spec: Spec) -> Bytes:
        """Packed features (m, bytes an image) of images whose features were sent, a copy.

        Raises
        ------
        TransferError
            One of them has none.
        """
        places = self.places[rows]
        if not len(places):
            return np.empty((0, spec.feature_bytes), np.uint8)
        if np.minimum.reduce(places) == _NONE:
            raise TransferError(
                f"the features of image {int(rows[places.argmin()])} were not sent: its logits are further apart than "
                "the feature_margin of its batch",
                stage="using results",
            )
        width = spec.feature_bytes
        windows: Bytes = np.ndarray((len(self.stream) - width + 1, width), np.uint8, self.stream, strides=(1, 1))
        copied: Bytes = windows[places]
        return copied

    def kept(self) -> Results:
        """The same, of which nothing is a view into a buffer."""
        return self._replace(stream=self.stream.copy())


def possible_length(spec: Spec, count: int, features: bool, nbytes: int) -> bool:
    """Whether ``nbytes`` may be the results of ``count`` images: their records, and the features of some of them."""
    blocks, rest = divmod(nbytes - count * RESULT_BYTES, spec.feature_block_bytes)
    return rest == 0 and 0 <= blocks <= (count if features else 0)


def parse(stream: Bytes, count: int, spec: Spec, crc: int | None = None) -> Results:
    """Take the stream of a batch apart.

    Parameters
    ----------
    stream
        uint8 array (bytes,), contiguous.
    count
        Images of the batch, 1 to 65536.
    spec
        The fabric's numbers.
    crc
        Checksum of the stream as the kernel sent it. None: it is not compared.

    Raises
    ------
    TransferError
        A stream of another checksum, records that are not those of a whole batch of so many images, or a stream that
        is shorter or longer than its flags say.
    """
    if _native is not None:
        logits, places = np.empty((count, _spec.CLASSES), np.int16), np.empty(count, np.intp)
        if _native.parse(stream, crc, RESULT_FEATURES, spec.feature_block_bytes, logits, places):
            return Results(logits, stream, places)
    return _parse_in_steps(stream, count, spec, crc)


def _parse_in_steps(stream: Bytes, count: int, spec: Spec, crc: int | None) -> Results:
    if crc is not None and (read := zlib.crc32(stream.data)) != crc:
        raise TransferError(
            f"checking results: what was read has the checksum 0x{read:08x}, what the kernel sent has results_crc "
            f"0x{crc:08x} ({count} images, {len(stream)} bytes): a bit was flipped, or the cache not invalidated",
            stage="checking results",
            bytes_moved=len(stream),
        )
    records, places, ends_at = _split(stream, count, spec.feature_block_bytes)
    found = len(places)
    tails = _TAILS[:found] + (places != _NONE) * _FOLLOWED
    wrong = records.view(np.uint32)[:, -1] != tails
    if wrong.any():
        first = int(np.argmax(wrong))
        record = records[first].view(RECORD)[0]
        due = RESULT_FEATURES if places[first] != _NONE else 0
        what = f"carries flags 0x{record['flags']:x}, 0x{due:x} is due"
        if record["sequence"] != first:
            sequence = record["sequence"]
            what = f"came back with sequence number {sequence}: a result was lost, repeated or not written"
        raise _refusal(f"image {first} {what}", count, first, len(stream))
    if found < count:
        what = f"the results end within those of image {found}: {len(stream)} bytes are fewer than their flags say"
        raise _refusal(what, count, found, len(stream))
    if ends_at != len(stream):
        what = f"{len(stream) - ends_at} bytes are left behind the last image: flags and length do not fit each other"
        raise _refusal(what, count, count, len(stream))
    return Results(records.view(np.int16)[:, : _spec.CLASSES], stream, places)


def _refusal(what: str, count: int, done: int, nbytes: int) -> TransferError:
    return TransferError(
        f"checking results: {what} ({count} images)", stage="checking results", images_done=done, bytes_moved=nbytes
    )


def _split(stream: Bytes, count: int, block: int) -> tuple[Bytes, npt.NDArray[np.intp], int]:
    """Records (found, 24), where each one's features begin, and where the last image ends; whole images alone."""
    places = np.full(count, _NONE, np.intp)
    if len(stream) == count * RESULT_BYTES:
        return stream.reshape(count, RESULT_BYTES).copy(), places, len(stream)
    if len(stream) == count * (RESULT_BYTES + block):
        places[:] = np.arange(count) * (RESULT_BYTES + block) + RESULT_BYTES
        return stream.reshape(count, -1)[:, :RESULT_BYTES].copy(), places, len(stream)
    records = np.empty((count, RESULT_BYTES), np.uint8)
    index = position = 0
    while index < count:
        rows = min(_WINDOW, count - index, (len(stream) - position) // RESULT_BYTES)
        if not rows:
            break
        window = stream[position : position + rows * RESULT_BYTES].reshape(rows, RESULT_BYTES)
        followed = window[:, _FLAG_BYTE] & RESULT_FEATURES != 0
        plain = int(followed.argmax())  # records before the first one with features
        if not followed[plain]:
            plain = rows
        records[index : index + plain] = window[:plain]
        index, position = index + plain, position + plain * RESULT_BYTES
        if plain < rows:
            end = position + RESULT_BYTES + block
            if end > len(stream):
                break
            records[index], places[index] = window[plain], position + RESULT_BYTES
            index, position = index + 1, end
    return records[:index], places[:index], position
