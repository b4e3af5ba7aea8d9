"""Language and origin by name and text: what a file is, whether that is what it is said to be, who wrote it.

The name decides first; only an extension that several languages share, or a name without one, makes the first bytes
of the text count. Every pattern is RE2's, so the time is linear in the text whatever the text is, and the same rules
run on every platform: a detector that is a library would give other facts with every one of its versions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from columns.document import text_buffers
from filters.signals.paths import extensions, path_matches

DETECTED = pa.schema(
    [
        pa.field(
            "detected_language",
            pa.string(),
            metadata={"about": "language by file name and text; null: unknown"},
        ),
        pa.field(
            "language_agrees",
            pa.bool_(),
            metadata={"about": "the detected language is the stated one; null when either is unknown"},
        ),
        pa.field(
            "generated", pa.bool_(), metadata={"about": "by its path or its own words written by a program"}
        ),
    ]
)
_MINIFIED = pa.array(["js", "css"])
_GENERATED_BYTES = 4096
_SOURCE_MAP = rb"\n?/[*/][#@] source(?:Mapping)?URL=[^\n]*\n?\n?$"
_SHEBANG = r"\A#!\s*(?:\S*/)?(?:env\s+(?:-\S+\s+|\w+=\S*\s+)*(?:\S*/)?)?(?P<name>[A-Za-z_+-]+[0-9]*)"
_MODELINE = (
    r"(?i)-\*-.*?(?:mode:\s*)?(?P<emacs>[a-z+#-]+)\s*(?:;.*)?-\*-"
    r"|\bvim?:.*\b(?:ft|filetype|syntax)=(?P<vim>\w+)"
)


@dataclass(frozen=True)
class DetectedConfig:
    """How much of a text is looked at.

    ``head_bytes``: rules on the text see this many first bytes (51,200 as in GitHub Linguist's heuristics.rb).
    ``minified_line_mean``: a JavaScript or CSS file whose lines are longer than this many bytes on average counts as
    generated (110 as in GitHub Linguist's generated.rb).
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    head_bytes: int = 51_200
    minified_line_mean: int = 110

    def __post_init__(self) -> None:
        for name in ("head_bytes", "minified_line_mean"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected 1 or more, got {getattr(self, name)}")


_DEFAULT = DetectedConfig()


class TextRule(NamedTuple):
    """A language and the expression that finds it in a text; None always does."""

    language: str
    regex: str | None


class Marker(NamedTuple):
    """What generated files of some extensions (none: of every extension) say in their first ``lines``."""

    extensions: tuple[str, ...]
    lines: int
    regex: str
    source: str


class Tables(NamedTuple):
    """The data file, ready for look-ups: names and extensions in lower case."""

    by_name: Mapping[str, str]
    by_extension: Mapping[str, str]
    by_interpreter: Mapping[str, str]
    ambiguous: Mapping[str, tuple[TextRule, ...]]
    unnamed: tuple[TextRule, ...]
    generated: tuple[Marker, ...]


@cache
def tables() -> Tables:
    """The rules of ``detected.yaml``.

    >>> tables().by_extension["rs"], tables().by_interpreter["python3"], tables().by_name["dockerfile"]
    ('rust', 'python', 'dockerfile')
    """
    data = yaml.safe_load((resources.files("filters.signals") / "detected.yaml").read_text("utf-8"))
    by = {
        kind: {
            word: name for name, entry in data["languages"].items() for word in entry.get(kind, "").split()
        }
        for kind in ("names", "extensions", "interpreters")
    }
    ambiguous = {one: _rules(rules) for shared, rules in data["ambiguous"].items() for one in shared.split()}
    markers = tuple(
        Marker(
            tuple(entry.get("extensions", "").split()), entry["lines"], _any(entry["any"]), entry["source"]
        )
        for entry in data["generated"]
    )
    return Tables(
        by["names"], by["extensions"], by["interpreters"], ambiguous, _rules(data["unnamed"]), markers
    )


def _rules(listed: Sequence[Mapping[str, Any]]) -> tuple[TextRule, ...]:
    return tuple(TextRule(rule["language"], _any(rule["any"]) if "any" in rule else None) for rule in listed)


def _any(patterns: Sequence[str]) -> str:
    return "(?m)" + "|".join(f"(?:{pattern})" for pattern in patterns)


def measure_detected(batch: pa.RecordBatch, config: DetectedConfig = _DEFAULT) -> pa.RecordBatch:
    """Measure documents (``content``, ``path``, ``language``): one row of `DETECTED` per row, null without content.

    About as fast as the paths are looked up where names decide; texts are read only where they must be, and of them
    the first ``head_bytes``. A language that the tables do not know stays null.

    >>> columns = {"path": ["a.h"], "language": ["c"], "content": pa.array(["class A {};"], pa.large_string())}
    >>> measure_detected(pa.RecordBatch.from_pydict(columns)).to_pylist()[0]["detected_language"]
    'c++'
    """
    present = pc.is_valid(batch.column("content"))
    texts = Texts(*text_buffers(batch.column("content")))
    path = pc.fill_null(batch.column("path"), "")
    extension = extensions(path)
    language = detect(path, extension, texts, config)
    written = generated(path, extension, texts, config)
    stated = pc.utf8_lower(batch.column("language"))
    arrays = [language, pc.equal(language, stated), written]
    return pa.RecordBatch.from_arrays([pc.if_else(present, one, None) for one in arrays], schema=DETECTED)


class Texts(NamedTuple):
    """The texts of a batch as `columns.document.text_buffers` gives them."""

    data: np.ndarray
    offsets: np.ndarray

    def heads(self, rows: np.ndarray, limit: int) -> pa.Array:
        """The first ``limit`` bytes of some rows, ``large_binary[len(rows)]``."""
        starts, stops = self.offsets[:-1][rows], self.offsets[1:][rows]
        spans = zip(starts.tolist(), np.minimum(stops, starts + limit).tolist(), strict=True)
        return pa.array([self.data[start:stop].tobytes() for start, stop in spans], pa.large_binary())

    def tails(self, rows: np.ndarray, limit: int) -> pa.Array:
        """The last ``limit`` bytes of some rows."""
        starts, stops = self.offsets[:-1][rows], self.offsets[1:][rows]
        spans = zip(np.maximum(starts, stops - limit).tolist(), stops.tolist(), strict=True)
        return pa.array([self.data[start:stop].tobytes() for start, stop in spans], pa.large_binary())


def detect(path: pa.Array, extension: pa.Array, texts: Texts, config: DetectedConfig) -> pa.Array:
    """The language of each file, ``string[n]``: by whole name, by extension, then by text."""
    known = tables()
    name = pc.utf8_lower(pc.struct_field(pc.extract_regex(path, r"(?s)(?P<name>[^/]*)$"), "name"))
    named = _look_up(name, known.by_name)
    found = np.asarray(
        pc.fill_null(pc.coalesce(named, _look_up(extension, known.by_extension)), ""), dtype=object
    )
    unnamed = np.asarray(pc.is_null(named))
    for shared, every in _rows_by(extension, known.ambiguous):
        rows = every[unnamed[every]]
        found[rows] = _first(texts.heads(rows, config.head_bytes), known.ambiguous[shared])
    bare = np.flatnonzero(np.asarray(pc.equal(extension, "")) & unnamed)
    found[bare] = _by_first_lines(texts.heads(bare, _GENERATED_BYTES), known)
    return pa.array(found, pa.string(), mask=found == "")


def _look_up(keys: pa.Array, table: Mapping[str, str]) -> pa.Array:
    at = pc.index_in(keys, value_set=pa.array(list(table), keys.type))
    return pa.array(list(table.values()), pa.string()).take(at)


def _rows_by(extension: pa.Array, wanted: Mapping[str, Any]) -> Iterator[tuple[str, np.ndarray]]:
    at = pc.fill_null(pc.index_in(extension, value_set=pa.array(list(wanted), extension.type)), -1).to_numpy()
    names = list(wanted)
    for index in np.unique(at[at >= 0]).tolist():
        yield names[index], np.flatnonzero(at == index)


def _first(heads: pa.Array, rules: Sequence[TextRule]) -> np.ndarray:
    """The language of the first rule that finds something in each text; empty where none does."""
    found = np.full(len(heads), "", dtype=object)
    left = np.arange(len(heads))
    for rule in rules:
        if not len(left):
            break
        hit = (
            np.ones(len(left), bool)
            if rule.regex is None
            else matches(heads.take(pa.array(left)), rule.regex)
        )
        found[left[hit]] = rule.language
        left = left[~hit]
    return found


def matches(texts: pa.Array, regex: str) -> np.ndarray:
    """Whether an RE2 expression is found in each text, ``bool[n]``; bytes are read as Latin-1."""
    return np.asarray(pc.match_substring_regex(texts, regex))


def _by_first_lines(heads: pa.Array, known: Tables) -> np.ndarray:
    interpreter = _captured(heads, _SHEBANG, "name")
    editor = pc.coalesce(_captured(heads, _MODELINE, "emacs"), _captured(heads, _MODELINE, "vim"))
    names = {name: name for name in known.by_extension.values()}
    modes = {**known.by_interpreter, **known.by_extension, **names}
    said = pc.coalesce(
        _look_up(interpreter, known.by_interpreter),
        _look_up(pc.utf8_lower(_unversioned(interpreter)), known.by_interpreter),
        _look_up(editor, modes),
    )
    found = np.asarray(pc.fill_null(said, ""), dtype=object)
    rest = found == ""
    found[rest] = _first(heads.filter(pa.array(rest)), known.unnamed)
    return found


def _captured(heads: pa.Array, regex: str, group: str) -> pa.Array:
    found = pc.struct_field(pc.extract_regex(heads, regex), group)
    words = pc.cast(pc.if_else(pc.greater(pc.binary_length(found), 0), found, None), pa.large_string())
    return pc.utf8_lower(words).cast(pa.string())


def _unversioned(words: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(words, r"[0-9.-]+$", "")


def generated(path: pa.Array, extension: pa.Array, texts: Texts, config: DetectedConfig) -> pa.Array:
    """Whether a program wrote each file, ``bool[n]``: by path, by its own first lines, or minified."""
    found = np.array(path_matches(path, "generated_path"))
    for marker in tables().generated:
        rows = np.flatnonzero(~found & _has_extension(extension, marker.extensions))
        heads = _lines(texts.heads(rows, _GENERATED_BYTES), marker.lines)
        found[rows[matches(heads, marker.regex)]] = True
    rows = np.flatnonzero(~found & np.asarray(pc.is_in(extension, value_set=_MINIFIED)))
    found[rows[minified(texts, rows, config.minified_line_mean)]] = True
    rows = rows[~found[rows]]
    found[rows[matches(texts.tails(rows, _GENERATED_BYTES), _SOURCE_MAP.decode())]] = True
    return pa.array(found)


def _has_extension(extension: pa.Array, wanted: tuple[str, ...]) -> np.ndarray:
    if not wanted:
        return np.ones(len(extension), bool)
    return np.asarray(pc.is_in(extension, value_set=pa.array(wanted, extension.type)))


def _lines(heads: pa.Array, count: int) -> pa.Array:
    first = (b"\n".join(head.split(b"\n", count)[:count]) for head in heads.to_pylist())
    return pa.array(list(first), pa.large_binary())


def minified(texts: Texts, rows: np.ndarray, line_mean: int) -> np.ndarray:
    """Whether the lines of each row are longer than ``line_mean`` bytes on average, ``bool[len(rows)]``.

    Counted as GitHub Linguist does: line ends left out, and a line end at the end starts one more, empty line.

    >>> texts = Texts(*text_buffers(pa.array(["abcd\\nab", "ab\\n"], pa.large_string())))
    >>> minified(texts, np.arange(2), 2).tolist()
    [True, False]
    """
    found = np.zeros(len(rows), bool)
    for at, row in enumerate(rows.tolist()):
        text = texts.data[texts.offsets[row] : texts.offsets[row + 1]]
        ends = int(np.count_nonzero(text == 10))
        found[at] = (len(text) - ends) // (ends + 1) > line_mean
    return found
