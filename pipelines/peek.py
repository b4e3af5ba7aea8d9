"""Peek: what some rows of a dataset's shards spell, document by document, special tokens and padding told apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.text import Text

from columns.errors import OutputError
from columns.files import PartName, Place
from columns.hashing import unit_hash
from pipelines.dataset import Dataset
from pipelines.finished import Finished
from pipelines.lookup import FileName, find
from pipelines.wording import count, counted, plain
from shards import Shard, ShardSet, Tokenizer, load_tokenizer, open_shard
from shards.forming import FORMS

COLOURS = ("cyan", "green", "yellow", "magenta", "blue")
LINES = 12
_ORDERS = {"psm": "rearranged: prefix, suffix, middle", "spm": "rearranged: suffix, prefix, middle"}


@dataclass(frozen=True)
class Segment:
    """Some ids of a document: ordinary ``text``, or one special token by its name; ``before`` the document's text."""

    text: str
    special: bool = False
    before: bool = False


@dataclass(frozen=True)
class SeenPiece:
    """A piece of a document in a row; ``offset`` is which of the document's tokens it begins with.

    Of transformed documents ``form`` is "plain", "psm" or "spm" (else ""), ``prefix`` the tokens before the document's
    text, and ``joined`` whether it stands behind another file of its repository in one document.
    """

    doc_id: str
    name: str
    language: str
    start: int
    length: int
    offset: int
    segments: tuple[Segment, ...]
    form: str = ""
    prefix: int = 0
    joined: bool = False


@dataclass(frozen=True)
class SeenRow:
    """A row: ``left`` and ``right`` ids are padding, the others lie in ``pieces``."""

    shard: str
    split: str
    row: int
    left: int
    right: int
    pieces: tuple[SeenPiece, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``; text as it is, not made harmless."""
        return asdict(self)


def peek(place: Place, number: int, seed: int = 0) -> list[SeenRow]:
    """Up to ``number`` rows, every row equally likely, the same for the same seed, in the order of the shards.

    Reads the rows drawn, and one pass over the ledger's names. `OutputError` where the place holds no dataset.
    """
    look = _Look(place)
    ends = np.cumsum([0, *(shard.rows for shard in look.shards)])
    drawn = _drawn(int(ends[-1]), number, seed)
    at = np.searchsorted(ends, drawn, side="right") - 1
    places = [
        (look.shards[shard], int(row - ends[shard])) for shard, row in zip(at.tolist(), drawn, strict=True)
    ]
    return look.rows(places)


def peek_document(place: Place, file: str) -> list[SeenRow]:
    """Every piece of one document, in its order; `OutputError` for a file that is not in the shards."""
    look = _Look(place)
    doc_id = bytes.fromhex(_identity(look.dataset, file))
    found = sorted(look.whole.find(doc_id), key=lambda piece: piece.doc_offset)
    if not found:
        what = f"{plain(file)}: not in the shards"
        raise OutputError(what, hint=f"thresher explain {place.url} {plain(file)} says why")
    rows = look.rows([(open_shard(look.whole.place, piece.shard), piece.row) for piece in found])
    return [_only(row, piece.start) for row, piece in zip(rows, found, strict=True)]


def _identity(dataset: Finished, file: str) -> str:
    number = find(dataset, file)
    return dataset.by_row([number])[number].doc_id.hex()


def _only(row: SeenRow, start: int) -> SeenRow:
    pieces = tuple(piece for piece in row.pieces if piece.start == start)
    return SeenRow(row.shard, row.split, row.row, 0, 0, pieces)


def _drawn(rows: int, number: int, seed: int) -> list[int]:
    """Distinct rows by hash, sorted.

    >>> len(set(_drawn(5, 9, 0))), _drawn(10**12, 2, 1) == _drawn(10**12, 2, 1)
    (5, True)
    """
    if number >= rows:
        return list(range(rows))
    found: dict[int, None] = {}
    step = 0
    while len(found) < number:
        names = [f"{draw}".encode() for draw in range(step, step + number)]
        found |= dict.fromkeys((unit_hash(f"peek/{seed}", names) % np.uint64(rows)).tolist())
        step += number
    return sorted(list(found)[:number])


class _Look:
    """A dataset opened to look at rows."""

    def __init__(self, place: Place) -> None:
        self.dataset = Finished.open(place)
        self.whole = ShardSet(place.child("shards"))
        self.shards = self.whole.shards
        self._tokenizer = load_tokenizer(Dataset(place).tokenizer)

    def rows(self, places: Sequence[tuple[Shard, int]]) -> list[SeenRow]:
        """Rows with the names of their documents."""
        lines = [(shard, row, _line(shard, row)) for shard, row in places]
        wanted = {doc_id for _, _, line in lines for doc_id in line["doc_ids"]}
        names = {
            doc_id: (FileName.of(one).shown(), one.language or "")
            for doc_id, one in self.dataset.by_doc_id(wanted).items()
        }
        return [self._row(shard, row, line, names) for shard, row, line in lines]

    def _row(
        self, shard: Shard, row: int, line: dict[str, Any], names: dict[bytes, tuple[str, str]]
    ) -> SeenRow:
        ids, starts = shard.row(row), line["doc_starts"]
        first = starts[0] if starts else 0
        ends = [*starts[1:], first + line["n_tokens"]]
        pieces = []
        for number, (doc_id, start, end) in enumerate(zip(line["doc_ids"], starts, ends, strict=False)):
            name, language = names.get(doc_id, (doc_id.hex(), ""))
            note = {key: values[number] for key, values in line.items() if isinstance(values, list)}
            offset, lead = note["doc_offsets"], note.get("doc_prefixes", 0)
            spelled = (*segments(ids[start:end], self._tokenizer, before=max(0, lead - offset)),)
            piece = SeenPiece(doc_id.hex(), name, language, start, end - start, offset, spelled)
            pieces.append(replace(piece, **_transformed(note)))
        right = shard.seq_len - first - line["n_tokens"]
        return SeenRow(shard.name, PartName.parse(shard.name).stem, row, first, right, tuple(pieces))


def _line(shard: Shard, row: int) -> dict[str, Any]:
    """One row's columns but its ids."""
    batch: pa.RecordBatch
    for batch in shard.batches:
        if row < batch.num_rows:
            return dict(batch.drop_columns(["input_ids"]).slice(row, 1).to_pylist()[0])
        row -= batch.num_rows
    raise IndexError(row)


def _transformed(note: dict[str, Any]) -> dict[str, Any]:
    """What shards note of a piece's document, as `SeenPiece` has it; nothing without transforms."""
    if "doc_forms" not in note:
        return {}
    form, joined = FORMS[note["doc_forms"]], bool(note.get("doc_befores"))
    return {"form": form, "prefix": note["doc_prefixes"], "joined": joined}


def segments(ids: np.ndarray, tokenizer: Tokenizer, before: int = 0) -> Iterator[Segment]:
    """Ids as text, with each special token apart and by its name; the first ``before`` stand before the text."""
    if before:
        yield from (replace(part, before=True) for part in segments(ids[:before], tokenizer))
        ids = ids[before:]
    names = {number: name for name, number in tokenizer.vocabulary.specials.items()}
    special = np.flatnonzero(np.isin(ids, list(names)))
    start = 0
    for at in special.tolist():
        if at > start:
            yield Segment(tokenizer.decode(ids[start:at]))
        yield Segment(names[int(ids[at])], special=True)
        start = at + 1
    if start < len(ids):
        yield Segment(tokenizer.decode(ids[start:]))


def render(rows: Sequence[SeenRow], console: Console, *, lines: int | None = LINES) -> None:
    """Print rows; of each piece the first ``lines`` lines (None: all). Text from files is shown as harmless text."""
    for number, row in enumerate(rows):
        if number:
            console.print()
        _render_row(row, console, lines)
    if not rows:
        console.print("no rows")


def _render_row(row: SeenRow, console: Console, lines: int | None) -> None:
    _say(console, Text.assemble((f"{row.split} row {count(row.row)}", "bold"), (f"  {row.shard}", "dim")))
    _padding(console, row.left)
    for number, piece in enumerate(row.pieces):
        colour = COLOURS[number % len(COLOURS)]
        _say(
            console,
            Text.assemble(
                (f"{_corner(piece)} ", colour), (piece.name, f"bold {colour}"), (f"  {_about(piece)}", "dim")
            ),
        )
        shown = piece_text(piece).split("\n", allow_blank=True)
        for line in shown[:lines]:
            _say(console, Text.assemble(("│ ", colour), line))
        if lines is not None and len(shown) > lines:
            more = counted(len(shown) - lines, "more line")
            end = [part for part in piece.segments[-1:] if part.special]
            _say(
                console,
                Text.assemble(("│ ", colour), (f"… {more} ", "dim"), *(_special(part) for part in end)),
            )
    _padding(console, row.right)


def _corner(piece: SeenPiece) -> str:
    """Where a file goes on in the document of the one before, the line does too."""
    return "├" if piece.joined and not piece.offset else "┌"


def _about(piece: SeenPiece) -> str:
    tokens = counted(piece.length, "token")
    whence = f", from its token {count(piece.offset)} on" if piece.offset else ""
    said = [piece.language or "unknown language", f"{tokens}{whence}"]
    said += [_ORDERS[piece.form]] if piece.form in _ORDERS else []
    said += [f"{count(piece.prefix)} before its text"] if piece.prefix and not piece.offset else []
    said += ["joined to the file before"] if piece.joined and not piece.offset else []
    return " · ".join(said)


def piece_text(piece: SeenPiece) -> Text:
    """A piece as harmless text, special tokens standing out."""
    made = Text()
    for part in piece.segments:
        style = "italic dim" if part.before else ""
        made.append_text(_special(part) if part.special else Text(plain(part.text, lines=True), style))
    return made


def _special(part: Segment) -> Text:
    return Text(plain(part.text), "reverse yellow")


def _padding(console: Console, number: int) -> None:
    if number:
        _say(console, Text(f"· {counted(number, 'id')} of padding", "dim"))


def _say(console: Console, line: Text) -> None:
    """One line: cut at a terminal's edge, whole where a program reads it."""
    line.expand_tabs(4)
    if console.is_terminal:
        line.truncate(console.width, overflow="ellipsis")
    console.print(line, soft_wrap=True)
