"""Rules: a signal, a threshold and who says so. A file is dropped when a rule is true of its facts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from columns.errors import RecipeError
from columns.hashing import unit_hash
from filters.thresholds import FactReader, table_columns

Op = Literal["gt", "ge", "lt", "le", "is", "in", "not_in"]
Status = Literal["published", "de-facto", "unverified", "ours"]
Value = bool | int | float | str | tuple[str, ...] | None

SYMBOLS: Mapping[Op, str] = {
    "gt": ">", "ge": ">=", "lt": "<", "le": "<=", "is": "is", "in": "in", "not_in": "not in"
}  # fmt: skip
STATUSES: Mapping[Status, str] = {
    "published": "read in the named paper, page or public code",
    "de-facto": "the paper gives no value; this is the one later public code uses",
    "unverified": "known second-hand; check it before you rely on it",
    "ours": "our own choice",
}
_LARGEST = 2**53
_MOST_SHOWN = 9
_MEMBERSHIP = ("in", "not_in")
_COMPARE: Mapping[Op, Callable[..., Any]] = {
    "gt": pc.greater,
    "ge": pc.greater_equal,
    "lt": pc.less,
    "le": pc.less_equal,
    "is": pc.equal,
}
_COMPARE_EACH: Mapping[Op, Callable[..., Any]] = {
    "gt": np.greater,
    "ge": np.greater_equal,
    "lt": np.less,
    "le": np.less_equal,
}
_UPSTREAM_FIELDS = ("signal", "op", "value", "languages", "except_languages", "probability", "table")


@dataclass(frozen=True)
class Rule:
    """Drop a file when ``signal op value`` is true; ``source`` cites where the value comes from.

    * ``op``: ``gt ge lt le`` compare numbers, ``is`` true/false signals, ``in`` and ``not_in`` look a string
      signal up in ``value``, a tuple of strings.
    * ``languages``, ``except_languages``: the rule is for files whose fact ``language`` is (not) listed. A
      null language is in no list.
    * ``probability``: the share of the files it is true of that are dropped, chosen by the hash of rule
      name, `FilterConfig.seed` and content hash: equal files share their fate, on every machine.
    * ``table``: a packaged column (`filters.thresholds.table_columns`) that gives each file its own threshold
      by language and extension. An empty cell means no rule; ``value`` is for files that are not in the
      table, None for no rule. With ``not_in`` the rule is true of files without a positive cell.
    * ``compat``: pairs (field, value) that make the rule what the upstream program does where that is a known
      bug; used with `FilterConfig.bug_compat` only.

    >>> str(Rule(name="line_max", signal="line_max", op="gt", value=1000, status="published", source="a paper"))
    'line_max > 1000'
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    name: str
    signal: str
    op: Op
    value: Value
    status: Status = "ours"
    source: str = "this recipe"
    note: str = ""
    languages: tuple[str, ...] = ()
    except_languages: tuple[str, ...] = ()
    probability: float = 1.0
    table: str = ""
    compat: tuple[tuple[str, Value], ...] = ()

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"rule name: expected letters, digits and '_', got {self.name!r}")
        self._expect("op", self.op in SYMBOLS, f"one of {list(SYMBOLS)}", self.op)
        self._expect("status", self.status in STATUSES, f"one of {list(STATUSES)}", self.status)
        self._check_scope()
        self._check_value()
        self._check_compat()

    def _expect(self, what: str, holds: bool, expected: str, got: object) -> None:
        if not holds:
            raise ValueError(f"rule {self.name}: {what}: expected {expected}, got {got!r}")

    def _check_scope(self) -> None:
        for name in ("languages", "except_languages"):
            self._expect(name, _is_strings(getattr(self, name)), "a list of names", getattr(self, name))
        one = not (self.languages and self.except_languages)
        self._expect("languages", one, "languages or except_languages, not both", self.languages)
        self._expect("probability", 0.0 <= self.probability <= 1.0, "0 to 1", self.probability)
        if self.table:
            self._expect(
                "table", self.table in table_columns(), f"one of {list(table_columns())}", self.table
            )
            self._expect("op with a table", self.op not in ("is", "in"), "gt, ge, lt, le or not_in", self.op)

    def _check_value(self) -> None:
        if self.table and (self.value is None or self.op == "not_in"):
            self._expect("value for 'not_in' with a table", self.value is None, "none", self.value)
        elif self.op in _MEMBERSHIP:
            fits = bool(self.value) and _is_strings(self.value)
            self._expect(f"value for {self.op!r}", fits, "a list of strings", self.value)
        else:
            self._check_number()

    def _check_number(self) -> None:
        wanted = "true or false" if self.op == "is" else "a number"
        kind = isinstance(self.value, int | float) and isinstance(self.value, bool) == (self.op == "is")
        self._expect(f"value for {self.op!r}", kind, wanted, self.value)
        number = self.value if isinstance(self.value, int | float) else 0
        self._expect("value", abs(number) <= _LARGEST, "at most 2**53 either way", self.value)

    def _check_compat(self) -> None:
        unknown = [name for name, _ in self.compat if name not in _UPSTREAM_FIELDS]
        self._expect("compat", not unknown, f"fields of {list(_UPSTREAM_FIELDS)}", unknown)
        self.upstream()

    def upstream(self) -> Rule:
        """The rule as the upstream program has it, its known bugs included.

        >>> Rule("r", "chars", "gt", 9, "ours", "us", compat=(("signal", "bytes"),)).upstream().signal
        'bytes'
        """
        if not self.compat:
            return self
        changes: dict[str, Any] = dict(self.compat)
        return dataclasses.replace(self, compat=(), **changes)

    def changed(self, value: Value, source: str) -> Rule:
        """The rule with a value of the user's own for every file: no table, no compat, status ours.

        >>> str(Rule("r", "line_max", "gt", 9, "published", "a paper", table="starcoder.line_max").changed(7, "me"))
        'line_max > 7'
        """
        return dataclasses.replace(self, value=value, status="ours", source=source, table="", compat=())

    def __str__(self) -> str:
        return " ".join([self.signal, SYMBOLS[self.op], self._threshold(), *self._scope()])

    def _threshold(self) -> str:
        if self.table:
            return self.table if self.value is None else f"{self.table} ({self.value} when not listed)"
        if isinstance(self.value, tuple):
            return f"[{', '.join(self.value)}]"
        return str(self.value).lower() if self.op == "is" else str(self.value)

    def _scope(self) -> list[str]:
        found = [f"for {_shortened(self.languages)}"] if self.languages else []
        found += [f"except for {_shortened(self.except_languages)}"] if self.except_languages else []
        return found + ([f"with probability {self.probability:g}"] if self.probability < 1 else [])


def _shortened(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:_MOST_SHOWN])
    return shown if len(names) <= _MOST_SHOWN else f"{shown} and {len(names) - _MOST_SHOWN} more"


def _is_strings(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(item, str) for item in value)


@dataclass(frozen=True)
class FilterConfig:
    """Rules in the order in which they are blamed: a file that fails several is dropped by the first.

    ``seed`` salts the rules that drop with a probability. ``bug_compat``: follow the upstream program in its
    known bugs too (`Rule.compat`).
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    rules: tuple[Rule, ...] = ()
    seed: int = 0
    bug_compat: bool = False

    def __post_init__(self) -> None:
        names = [rule.name for rule in self.rules]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"rules: expected different names, got {twice} twice")

    @property
    def active(self) -> tuple[Rule, ...]:
        """The rules as they are applied: those of `Rule.upstream` with ``bug_compat``."""
        return tuple(rule.upstream() for rule in self.rules) if self.bug_compat else self.rules


def needed(config: FilterConfig) -> frozenset[str]:
    """The facts that the rules read: signals, and what languages, tables and probabilities ask for.

    >>> sorted(needed(FilterConfig((Rule("r", "lines", "gt", 9, "ours", "us", languages=("c",)),))))
    ['language', 'lines']
    """
    return frozenset(name for rule in config.active for name in (rule.signal, *_keys(rule)))


def _keys(rule: Rule) -> list[str]:
    keys = ["language"] if rule.languages or rule.except_languages or rule.table else []
    return keys + ["extension"] * bool(rule.table) + ["content_hash"] * (rule.probability < 1)


def check_rules(config: FilterConfig, facts: pa.Schema, families: Mapping[str, str] | None = None) -> None:
    """`RecipeError` when a rule's signal is not among the facts, or not of the kind its ``op`` compares.

    ``families`` says which family measures a signal; it makes the hint for one that was not measured.

    >>> check_rules(FilterConfig((Rule("r", "lins", "gt", 1, "ours", "us"),)), pa.schema([("lines", pa.int64())]))
    Traceback (most recent call last):
    columns.errors.RecipeError: rule r: unknown signal 'lins'
    hint: allowed signals: lines
    """
    for rule in config.active:
        for name in (rule.signal, *_keys(rule)):
            if facts.get_field_index(name) < 0:
                raise _missing(rule, name, facts, families or {})
        kind = facts.field(rule.signal).type
        if not (_comparable(kind) or _fits(rule.op, kind)):
            raise _missing(rule, rule.signal, facts, {})
        if not _fits(rule.op, kind):
            hint = "'is' compares true/false signals, 'in' and 'not_in' strings, the other ops numbers"
            raise RecipeError(f"rule {rule.name}: {rule.op!r} does not fit signal {rule.signal!r}", hint=hint)


def _missing(rule: Rule, name: str, facts: pa.Schema, families: Mapping[str, str]) -> RecipeError:
    if name in families:
        hint = f"the family {families[name]!r} measures it"
        return RecipeError(f"rule {rule.name}: signal {name!r} is not measured", hint=hint)
    allowed = ", ".join(field.name for field in facts if _comparable(field.type))
    if name == rule.signal:
        return RecipeError(f"rule {rule.name}: unknown signal {name!r}", hint=f"allowed signals: {allowed}")
    return RecipeError(f"rule {rule.name}: needs the fact {name!r}, which is not there")


def _comparable(kind: pa.DataType) -> bool:
    return bool(pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _fits(op: Op, kind: pa.DataType) -> bool:
    if op in _MEMBERSHIP:
        return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
    return _comparable(kind) and bool(pa.types.is_boolean(kind)) == (op == "is")


def failed(facts: pa.RecordBatch | pa.Table, config: FilterConfig) -> pa.RecordBatch:
    """Which rules each file fails: one ``bool`` column per rule, in order, row-aligned with ``facts``.

    A null signal fails no rule: a file without content is dropped for its problem, not for its text. `RecipeError`
    as in `check_rules`. Reads the facts in `needed` only, so other thresholds cost milliseconds; a rule with a
    probability hashes, about 1 microsecond for each file that it is true of.

    >>> facts = pa.RecordBatch.from_pydict({"line_max": [10, 2000, None]})
    >>> config = FilterConfig((Rule("line_max", "line_max", "gt", 1000, "published", "a paper"),))
    >>> failed(facts, config).to_pydict()
    {'line_max': [False, True, False]}
    """
    check_rules(config, facts.schema)
    reader = FactReader(facts)
    columns = [pa.array(_verdicts(reader, rule, config.seed)) for rule in config.active]
    fields = [pa.field(rule.name, pa.bool_()) for rule in config.rules]
    if not fields:
        return pa.RecordBatch.from_struct_array(pa.array([{}] * facts.num_rows, pa.struct([])))
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def _verdicts(reader: FactReader, rule: Rule, seed: int) -> np.ndarray:
    hit = _compare(reader, rule)
    if rule.languages:
        hit = hit & reader.spoken(rule.languages)
    if rule.except_languages:
        hit = hit & ~reader.spoken(rule.except_languages)
    return hit if rule.probability == 1 else _drawn(reader, hit, rule, seed)


def _compare(reader: FactReader, rule: Rule) -> np.ndarray:
    signal = reader.column(rule.signal)
    if rule.table:
        return _compare_each(reader, signal, rule)
    if rule.op in _MEMBERSHIP:
        listed = pc.is_in(signal, pa.array(rule.value, signal.type))
        hit = pc.and_(signal.is_valid(), listed if rule.op == "in" else pc.invert(listed))
    else:
        hit = pc.fill_null(_COMPARE[rule.op](signal, rule.value), False)
    return np.asarray(hit)


def _compare_each(reader: FactReader, signal: pa.Array, rule: Rule) -> np.ndarray:
    if rule.op == "not_in":
        return np.asarray(signal.is_valid()) & ~(reader.thresholds(rule.table, None) > 0)
    value = rule.value if isinstance(rule.value, int | float) else None
    measured = signal.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return _COMPARE_EACH[rule.op](measured, reader.thresholds(rule.table, value))


def _drawn(reader: FactReader, hit: np.ndarray, rule: Rule, seed: int) -> np.ndarray:
    rows = np.flatnonzero(hit)
    hashes = reader.column("content_hash").take(pa.array(rows)).to_pylist()
    drawn = unit_hash(f"rule/{rule.name}/{seed}", [digest or b"" for digest in hashes])
    chosen = np.zeros(reader.rows, np.bool_)
    chosen[rows] = drawn < np.uint64(int(rule.probability * 2**64))
    return chosen


def first_failed(verdicts: pa.RecordBatch) -> pa.Array:
    """The rule that drops each file: ``string[n]``, the first one it fails, null when it fails none.

    >>> first_failed(pa.RecordBatch.from_pydict({"size": [True, False], "line_max": [True, False]})).to_pylist()
    ['size', None]
    """
    first = np.full(verdicts.num_rows, verdicts.num_columns, np.int64)
    for index in reversed(range(verdicts.num_columns)):
        first[verdicts.column(index).to_numpy(zero_copy_only=False)] = index
    names = pa.array([*verdicts.schema.names, None], pa.string())
    return names.take(pa.array(first))
