"""TFRecord files as jaxformer and mesh-transformer-jax read them: a ``tf.train.Example`` a row, its ids in ``text``.

A record is its length (uint64), the masked CRC-32C of that, the message, and the message's (TensorFlow,
``core/lib/io/record_writer.h``). The message is ``Example{features{feature{"text": int64_list}}}`` in protocol
buffers' wire format. File names end with their number of records, and ``SPLIT.index`` lists them: so they are counted.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from columns.errors import InputError
from columns.files import Place
from shards.exports.source import Exported, Source, row_tokens

_POLYNOMIAL = 0x82F63B78
_MASK_DELTA = 0xA282EAD8
_HEAD = 64
_BYTES = 2


def write_tfrecord(source: Source, place: Place) -> Exported:
    """Write one file per shard, and the index; rows are whole, padding (the end of text) included."""
    names = []
    for number, shard in enumerate(source.shards):
        names.append(f"{source.split}_{number:05d}_{shard.rows}.tfrecords")
        with place.write(names[-1]) as sink:
            for ids in shard.views:
                sink.write(records(ids))
    index = f"{source.split}.index"
    place.write_bytes(index, "".join(f"{name}\n" for name in names).encode())
    return Exported((*names, index), source.whole.rows(), row_tokens(source))


def records(ids: np.ndarray) -> bytes:
    """Records of rows, ``uint16|uint32[n, seq_len]``, one behind the other."""
    out = np.empty(len(ids) * (_HEAD + 5 * ids.shape[1]), np.uint8)
    return out[: _fill(ids, TABLE, out)].tobytes()


def ids_of(message: bytes) -> np.ndarray:
    """The ids of a message, ``int64[n]``; none where it has no list of whole numbers ``text``.

    >>> ids_of(records(np.array([[5, 300]], np.uint16))[12:-4]).tolist()
    [5, 300]
    """
    for features in _parts(message, 1):
        for entry in _parts(features, 1):
            if b"text" in _parts(entry, 1):
                lists = [part for feature in _parts(entry, 2) for part in _parts(feature, 3)]
                packed = b"".join(part for one in lists for part in _parts(one, 1))
                return _whole_numbers(np.frombuffer(packed, np.uint8))
    return np.zeros(0, np.int64)


def _parts(message: bytes, wanted: int) -> list[bytes]:
    """The values of a field that is bytes or a message, by its number; InputError for anything else."""
    found, at = [], 0
    while at < len(message):
        tag, size, at = message[at], 0, at + 1
        for shift in range(0, 70, 7):
            if at >= len(message) or tag & 7 != _BYTES:
                raise InputError("not a tf.train.Example of packed lists")
            size, at = size | (message[at] & 127) << shift, at + 1
            if message[at - 1] < 128:
                break
        if tag >> 3 == wanted:
            found.append(message[at : at + size])
        at += size
    return found


@njit(nogil=True, cache=True)
def _whole_numbers(data):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Varints one behind the other, ``uint8[b] -> int64[n]``."""
    found = np.empty(len(data), np.int64)
    count, value, shift = 0, np.uint64(0), np.uint64(0)
    for byte in data:
        value |= np.uint64(byte & np.uint8(127)) << shift
        shift += np.uint64(7)
        if byte < 128:
            found[count] = np.int64(value)
            count, value, shift = count + 1, np.uint64(0), np.uint64(0)
    return found[:count]


def crc_table() -> np.ndarray:
    """The 256 remainders of CRC-32C (Castagnoli), ``uint32[256]``."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(_POLYNOMIAL), table >> 1).astype(np.uint32)
    return table


TABLE = crc_table()


def masked_crc(data: bytes) -> int:
    """The masked CRC-32C of some bytes; that of ``123456789``, not masked, is 0xE3069283 (RFC 3720, B.4).

    >>> hex(masked_crc(b"123456789")) == hex((((0xE3069283 >> 15) | (0xE3069283 << 17)) + 0xA282EAD8) % 2**32)
    True
    """
    view = np.frombuffer(data, np.uint8)
    return int(_masked(view, 0, len(view), TABLE))


@njit(nogil=True, cache=True)
def _masked(data, start, end, table):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    crc = np.uint32(0xFFFFFFFF)
    for at in range(start, end):
        crc = np.uint32((crc >> np.uint32(8)) ^ table[(crc ^ data[at]) & np.uint32(255)])
    crc = np.uint32(crc ^ np.uint32(0xFFFFFFFF))
    turned = np.uint64(np.uint32((crc >> np.uint32(15)) | np.uint32(crc << np.uint32(17))))
    return (turned + np.uint64(_MASK_DELTA)) & np.uint64(0xFFFFFFFF)


@njit(nogil=True, cache=True)
def _varint(value, out, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Seven bits a byte, least first, the high bit where more follow; returns the place behind."""
    value = np.uint64(value)
    while value >= np.uint64(128):
        out[at] = np.uint8(value & np.uint64(127)) | np.uint8(128)
        value >>= np.uint64(7)
        at += 1
    out[at] = np.uint8(value)
    return at + 1


@njit(nogil=True, cache=True)
def _varint_size(value):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    size, value = 1, np.uint64(value)
    while value >= np.uint64(128):
        value >>= np.uint64(7)
        size += 1
    return size


@njit(nogil=True, cache=True)
def _fixed(value, width, out, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    value = np.uint64(value)
    for _ in range(width):
        out[at] = np.uint8(value & np.uint64(255))
        value >>= np.uint64(8)
        at += 1
    return at


@njit(nogil=True, cache=True)
def _tagged(tag, size, out, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    out[at] = tag
    return _varint(size, out, at + 1)


@njit(nogil=True, cache=True)
def _fill(ids, table, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write the records of all rows; returns how many bytes they are. Sizes are nested from the inside."""
    at = 0
    for row in range(len(ids)):
        packed = 0
        for column in range(ids.shape[1]):
            packed += _varint_size(ids[row, column])
        values = 1 + _varint_size(packed) + packed
        feature = 1 + _varint_size(values) + values
        entry = 6 + 1 + _varint_size(feature) + feature
        features = 1 + _varint_size(entry) + entry
        begin = at
        at = _fixed(1 + _varint_size(features) + features, 8, out, at)
        at = _fixed(_masked(out, begin, begin + 8, table), 4, out, at)
        message = at
        at = _tagged(0x0A, features, out, at)
        at = _tagged(0x0A, entry, out, at)
        at = _tagged(0x0A, 4, out, at)
        for letter in (116, 101, 120, 116):
            out[at] = letter
            at += 1
        at = _tagged(0x12, feature, out, at)
        at = _tagged(0x1A, values, out, at)
        at = _tagged(0x0A, packed, out, at)
        for column in range(ids.shape[1]):
            at = _varint(ids[row, column], out, at)
        at = _fixed(_masked(out, message, at, table), 4, out, at)
    return at
