"""Rules: a signal, a threshold and who says so. A file is dropped when a rule is true of its facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from columns.errors import RecipeError

Op = Literal["gt", "ge", "lt", "le", "is"]
Status = Literal["published", "de-facto", "ours"]

SYMBOLS: Mapping[Op, str] = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "is": "is"}
STATUSES: Mapping[Status, str] = {
    "published": "read in the named paper or page",
    "de-facto": "the paper gives no value; this is the one later public code uses",
    "ours": "our own choice",
}
_LARGEST = 2**53
_COMPARE: Mapping[Op, Callable[..., Any]] = {
    "gt": pc.greater,
    "ge": pc.greater_equal,
    "lt": pc.less,
    "le": pc.less_equal,
    "is": pc.equal,
}


@dataclass(frozen=True)
class Rule:
    """Drop a file when ``signal op value`` is true; ``source`` cites where the value comes from.

    >>> str(Rule(name="line_max", signal="line_max", op="gt", value=1000, status="published", source="a paper"))
    'line_max > 1000'
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    name: str
    signal: str
    op: Op
    value: bool | int | float
    status: Status
    source: str
    note: str = ""

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"rule name: expected letters, digits and '_', got {self.name!r}")
        if self.op not in SYMBOLS:
            raise ValueError(f"rule {self.name}: op: expected one of {list(SYMBOLS)}, got {self.op!r}")
        if self.status not in STATUSES:
            raise ValueError(
                f"rule {self.name}: status: expected one of {list(STATUSES)}, got {self.status!r}"
            )
        self._check_value()

    def _check_value(self) -> None:
        wanted = "true or false" if self.op == "is" else "a number"
        if isinstance(self.value, bool) != (self.op == "is") or not isinstance(self.value, int | float):
            raise ValueError(
                f"rule {self.name}: value for {self.op!r}: expected {wanted}, got {self.value!r}"
            )
        if not abs(self.value) <= _LARGEST:
            raise ValueError(
                f"rule {self.name}: value: expected at most 2**53 either way, got {self.value!r}"
            )

    def __str__(self) -> str:
        value = str(self.value).lower() if self.op == "is" else str(self.value)
        return f"{self.signal} {SYMBOLS[self.op]} {value}"


@dataclass(frozen=True)
class FilterConfig:
    """Rules in the order in which they are blamed: a file that fails several is dropped by the first."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        names = [rule.name for rule in self.rules]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"rules: expected different names, got {twice} twice")


def check_rules(config: FilterConfig, facts: pa.Schema) -> None:
    """`RecipeError` when a rule's signal is not among the facts, or not of the kind its ``op`` compares.

    >>> check_rules(FilterConfig((Rule("r", "lins", "gt", 1, "ours", "us"),)), pa.schema([("lines", pa.int64())]))
    Traceback (most recent call last):
    columns.errors.RecipeError: rule r: unknown signal 'lins'
    hint: allowed signals: lines
    """
    for rule in config.rules:
        if facts.get_field_index(rule.signal) < 0 or not _comparable(facts.field(rule.signal).type):
            allowed = ", ".join(field.name for field in facts if _comparable(field.type))
            raise RecipeError(
                f"rule {rule.name}: unknown signal {rule.signal!r}", hint=f"allowed signals: {allowed}"
            )
        if pa.types.is_boolean(facts.field(rule.signal).type) != (rule.op == "is"):
            hint = "'is' compares true/false signals, the other ops numbers"
            raise RecipeError(f"rule {rule.name}: {rule.op!r} does not fit signal {rule.signal!r}", hint=hint)


def _comparable(kind: pa.DataType) -> bool:
    return bool(pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind))


def failed(facts: pa.RecordBatch | pa.Table, config: FilterConfig) -> pa.RecordBatch:
    """Which rules each file fails: one ``bool`` column per rule, in order, row-aligned with ``facts``.

    A null signal fails no rule: a file without content is dropped for its problem, not for its text. `RecipeError`
    as in `check_rules`. Reads facts only, so other thresholds cost milliseconds.

    >>> facts = pa.RecordBatch.from_pydict({"line_max": [10, 2000, None]})
    >>> config = FilterConfig((Rule("line_max", "line_max", "gt", 1000, "published", "a paper"),))
    >>> failed(facts, config).to_pydict()
    {'line_max': [False, True, False]}
    """
    check_rules(config, facts.schema)
    columns = [_verdicts(facts.column(rule.signal), rule) for rule in config.rules]
    fields = [pa.field(rule.name, pa.bool_()) for rule in config.rules]
    if not fields:
        return pa.RecordBatch.from_struct_array(pa.array([{}] * facts.num_rows, pa.struct([])))
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def _verdicts(signal: pa.Array | pa.ChunkedArray, rule: Rule) -> pa.Array:
    if isinstance(signal, pa.ChunkedArray):
        signal = signal.combine_chunks()
    return pc.fill_null(_COMPARE[rule.op](signal, rule.value), False)


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
