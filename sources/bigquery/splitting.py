"""Splitting: a read stream as a Beam restriction that a runner can cut in two while it is read.

`SplitReadStream` cuts a stream into a primary and a residual one, which together have its rows in its order. The
residual becomes an element of its own, read by whoever is free. The reader goes on in the primary at the offset it had
reached: a primary that ends before that offset is no cut, and nothing has changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from apache_beam.io.iobase import RestrictionProgress, RestrictionTracker
from apache_beam.transforms.core import RestrictionProvider

from sources.bigquery.config import BigQueryConfig
from sources.bigquery.streams import Message, StreamUnit, cut, messages


@dataclass(frozen=True)
class StreamRange:
    """What one reader reads: a whole stream by its name at the service.

    ``share`` of the listed stream's bytes. ``mark`` names the piece among those of the listed stream; the first one
    keeps the empty mark, so a piece that is read again has the name it had.
    """

    stream: str
    settings: BigQueryConfig
    share: float = 1.0
    mark: str = ""


class Claim(NamedTuple):
    """A message that is about to be given on: the stream it came from, the offset after it, and how much of the stream
    that is. ``after`` None claims the end of the stream."""

    stream: str
    after: int | None
    read: float = 1.0


class StreamTracker(RestrictionTracker):
    """Which rows the reader has claimed. A claim on a stream that was cut meanwhile fails: the row may belong to the
    residual, so the reader asks the primary for it again."""

    def __init__(self, restriction: StreamRange) -> None:
        self._range = restriction
        self._offset = 0
        self._read = 0.0
        self._done = False

    def current_restriction(self) -> StreamRange:
        """What is being read."""
        return self._range

    def current_progress(self) -> RestrictionProgress:
        """The share of the stream that was claimed, as the service states it with each answer."""
        return RestrictionProgress(fraction=1.0 if self._done else self._read)

    def try_claim(self, position: Claim) -> bool:
        """Claim a message, or the end of the stream."""
        if self._done or position.stream != self._range.stream:
            return False
        if position.after is None:
            self._done = True
            return True
        self._offset, self._read = position.after, min(1.0, max(self._read, position.read))
        return True

    def try_split(self, fraction_of_remainder: float) -> tuple[StreamRange, StreamRange] | None:
        """Cut the stream at a share of what is left; None where the service or the reader's progress forbids it.

        Costs two calls, during which the reader waits with its next claim.
        """
        at = self._read + fraction_of_remainder * (1 - self._read)
        if self._done or not 0 < at < 1:
            return None
        found = cut(self._range.stream, at, self._offset, self._range.settings)
        if found is None:
            return None
        primary, residual = found
        mark = f"{self._range.mark}.{hashlib.sha256(residual.encode()).hexdigest()[:12]}"
        share, self._read = self._range.share, min(1.0, self._read / at)
        self._range = replace(self._range, stream=primary, share=share * at)
        return self._range, replace(self._range, stream=residual, share=share * (1 - at), mark=mark)

    def check_done(self) -> bool:
        """Whether the stream was read to its end; ``ValueError`` when it was not."""
        if not self._done:
            raise ValueError(f"{self._range.stream}: read up to row {self._offset} and not to its end")
        return True

    def is_bounded(self) -> bool:
        """A stream ends."""
        return True


class StreamRanges(RestrictionProvider):
    """Restrictions of elements (number, `StreamUnit`), for ``beam.DoFn.RestrictionParam``."""

    def initial_restriction(self, element: tuple[int, StreamUnit]) -> StreamRange:
        """The whole stream."""
        return StreamRange(element[1].location, element[1].settings)

    def create_tracker(self, restriction: StreamRange) -> StreamTracker:
        """A tracker at the beginning of a stream."""
        return StreamTracker(restriction)

    def restriction_size(self, element: tuple[int, StreamUnit], restriction: StreamRange) -> int:
        """Bytes, as listed."""
        return int(element[1].bytes * restriction.share)


@dataclass(frozen=True)
class ClaimedStream(StreamUnit):
    """A stream that is read as far as a tracker lets claim it; made where it is read, and never sent."""

    tracker: Any = None

    @classmethod
    def of(cls, unit: StreamUnit, tracker: Any) -> ClaimedStream:
        """The unit, read through a tracker (`StreamTracker`, or Beam's view of one)."""
        return cls(unit.name, unit.location, unit.bytes, unit.schema, unit.header, unit.settings, tracker)

    def messages(self, client: Any) -> Iterator[Message]:
        """The messages that could be claimed; where the stream is cut, those of its primary from there on."""
        offset = 0
        while True:
            stream = self.tracker.current_restriction().stream
            for message in messages(client, stream, attempts=self.settings.attempts, offset=offset):
                after = message.offset + message.rows
                if not self.tracker.try_claim(Claim(stream, after, message.read)):
                    break
                offset = after
                yield message
            else:
                if self.tracker.try_claim(Claim(stream, None)):
                    return
