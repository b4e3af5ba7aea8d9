"""Gather: rows of mapped shards into one array, by one compiled pass over their addresses.

Kernels read memory by address, so what they are given must come from `training.mapped` and stay mapped.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import carray, njit, types
from numba.extending import intrinsic

IDS, LENGTHS, OFFSETS, STARTS = range(4)
FOUND, CLOSED, OUTSIDE = range(3)
_LINE, _PAGE = 64, 4096


def _pointer_to(kind: Any) -> Any:
    """A compiled ``int64 address -> pointer to kind``, the opposite of ``array.ctypes.data``."""

    @intrinsic
    def pointer(_context, address):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        signature = types.CPointer(kind)(types.int64)

        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        return signature, generate

    return pointer


@intrinsic
def _prefetch(_context, address):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Ask the processor for a line of memory, to be read once; nothing happens for an address that is not mapped."""

    def generate(context, builder, _signature, arguments):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        call = builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
        builder.call(call, [builder.inttoptr(arguments[0], pointer), number(0), number(0), number(1)])
        return context.get_dummy_value()

    return types.void(types.int64), generate


_uint16_at = _pointer_to(types.uint16)
_uint32_at = _pointer_to(types.uint32)
_int32_at = _pointer_to(types.int32)


@njit(nogil=True, cache=True)
def address_rows(rows, row_starts, batch_starts, batch_rows, places):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Where rows lie: ``places int64[n, 2]`` gets the batch in the table of addresses, and the row in it.

    Returns `FOUND`, `CLOSED` when a shard is not mapped (its ``batch_rows`` are 0), or `OUTSIDE`.
    """
    for at in range(len(rows)):
        if not 0 <= rows[at] < row_starts[-1]:
            return OUTSIDE
        shard = np.searchsorted(row_starts, rows[at], side="right") - 1
        if batch_rows[shard] == 0:
            return CLOSED
        batch, row = divmod(rows[at] - row_starts[shard], batch_rows[shard])
        places[at, 0], places[at, 1] = batch_starts[shard] + batch, row
    return FOUND


@njit(nogil=True, cache=True)
def gather_ids(places, table, item_bytes, ids, spans):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Copy rows: ``ids any[n, seq_len]`` and ``spans int32[n, 2]``, where text begins and ends, are filled.

    Text of a full row is all of it; of another one it begins where its first piece does. Cost: that of the copy; the
    beginning of the next row is fetched meanwhile, since rows lie anywhere.
    """
    width = ids.shape[1]
    near = min(width * item_bytes, _PAGE)
    for at in range(len(places)):
        if at + 1 < len(places):
            batch, row = places[at + 1]
            address = table[batch, IDS] + row * width * item_bytes
            for line in range(0, near, _LINE):
                _prefetch(address + line)
        batch, row = places[at]
        length = carray(_int32_at(table[batch, LENGTHS] + 4 * row), 1)[0]
        begin = 0
        if length < width:
            offsets = carray(_int32_at(table[batch, OFFSETS] + 4 * row), 2)
            if offsets[1] > offsets[0]:
                begin = carray(_int32_at(table[batch, STARTS] + 4 * offsets[0]), 1)[0]
        spans[at, 0], spans[at, 1] = begin, begin + length
        address = table[batch, IDS] + row * width * item_bytes
        if item_bytes == 2:
            short = carray(_uint16_at(address), width)
            for column in range(width):
                ids[at, column] = short[column]
        else:
            wide = carray(_uint32_at(address), width)
            for column in range(width):
                ids[at, column] = wide[column]


@njit(nogil=True, cache=True)
def count_pieces(places, table):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Pieces of documents in each row, ``int64[n]``."""
    found = np.empty(len(places), np.int64)
    for at in range(len(places)):
        offsets = carray(_int32_at(table[places[at, 0], OFFSETS] + 4 * places[at, 1]), 2)
        found[at] = offsets[1] - offsets[0]
    return found


@njit(nogil=True, cache=True)
def gather_starts(places, table, starts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Where pieces begin in their rows, row after row, into ``starts int32[sum(count_pieces)]``."""
    to = 0
    for at in range(len(places)):
        offsets = carray(_int32_at(table[places[at, 0], OFFSETS] + 4 * places[at, 1]), 2)
        values = carray(_int32_at(table[places[at, 0], STARTS]), offsets[1])
        for index in range(offsets[0], offsets[1]):
            starts[to] = values[index]
            to += 1
