"""Records: what crosses the pipes between the parent and the parser process, in fixed-size pieces."""

from __future__ import annotations

import struct
from typing import NamedTuple

OK, TIMEOUT, MEMORY, ERROR, SIZE, NONE = range(6)
VERDICTS = ("ok", "unparsed:timeout", "unparsed:memory", "unparsed:error", "unparsed:size", "none")

READY_MARK = b"parser\0\0"
READY = struct.Struct("<8sq")  # the mark, process that parses
REQUEST = struct.Struct("<qq")  # grammar, bytes of text that follow
OUT_OF_MEMORY = 17  # exit status of a child that caught its own MemoryError
VALIDITY = -1  # stands for a grammar in a request: is the text Python?
NO_GRAMMAR = 18  # exit status of a child that could not load a grammar


class Limits(NamedTuple):
    """What one parse may cost; the child gets it as text."""

    work: int
    work_per_byte: int
    memory: int
    seconds: int


class Record(NamedTuple):
    """What the child says of one request; all whole numbers, counts unless said otherwise."""

    verdict: int
    nodes: int = 0
    error_bytes: int = 0
    code_lines: int = 0
    functions: int = 0
    imports: int = 0
    returns: int = 0
    single_returns: int = 0
    passes: int = 0
    variables: int = 0
    mains: int = 0
    plain: int = 0
    valid: int = 0
    work: int = 0


REPLY = struct.Struct(f"<{len(Record._fields)}q")
