"""Own signals and rules: a user's plain functions on Arrow arrays, in one small Python file named in the recipe.

The file travels as its text (`OwnCode`): into the recipe, into fingerprints and to the workers, so changed code is
never taken for done work. It is the user's own program and runs with the user's rights; only name files you trust.
"""

from __future__ import annotations

import difflib
import inspect
import linecache
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from columns.document import DOCUMENT, document_batch
from columns.errors import RecipeError
from columns.hashing import content_hashes
from filters.signals.detected import DETECTED
from filters.signals.paths import PATHS
from filters.signals.text import SIGNALS, measure_signals

Kind = Literal["signal", "rule"]
ResultType = Literal["bool", "int64", "float64", "string"]
Function = TypeVar("Function", bound=Callable[..., Any])

RESULTS: Mapping[ResultType, pa.DataType] = {
    "bool": pa.bool_(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "string": pa.string(),
}
KNOWN_FACTS = frozenset([*DOCUMENT.names, *SIGNALS.names, *PATHS.names, *DETECTED.names])
_GUIDE = "docs/own-rules.md has an example"


@dataclass(frozen=True)
class OwnCode:
    """A file of own signals and rules: its name, for messages, and its text."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    name: str
    text: str


class OwnFunction(NamedTuple):
    """One decorated function; ``parameters`` are document columns or facts, by name."""

    kind: Kind
    name: str
    version: int
    about: str
    result: ResultType
    parameters: tuple[str, ...]
    call: Callable[..., Any]


_registered: ContextVar[list[OwnFunction] | None] = ContextVar("registered", default=None)


def own_signal(*, version: int, about: str, type: ResultType = "float64") -> Callable[[Function], Function]:
    """Make a function a signal: parameters are columns by name, the result one value per row.

    ``type`` is what the signal holds, ``"bool"``, ``"int64"``, ``"float64"`` or ``"string"``: known before any data.

    >>> @own_signal(version=1, about="share of lines that hold a URL")
    ... def url_line_fraction(content: pa.Array) -> pa.Array: ...
    """

    def decorate(function: Function) -> Function:
        _register(_described("signal", function, version, about, type))
        return function

    return decorate


def own_rule(*, version: int, about: str) -> Callable[[Function], Function]:
    """Make a function a rule: parameters are facts by name, the result true where a file is dropped.

    A rule sees facts only, never the text: decisions are made again in seconds, without reading content.

    >>> @own_rule(version=1, about="short and full of links")
    ... def boring(url_line_fraction: pa.Array, lines: pa.Array) -> pa.Array: ...
    """

    def decorate(function: Function) -> Function:
        _register(_described("rule", function, version, about, "bool"))
        return function

    return decorate


def _described(kind: Kind, function: Any, version: Any, about: Any, result: Any) -> OwnFunction:
    name = getattr(function, "__name__", repr(function))
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise RecipeError(f"{kind} {name}: version: expected a whole number from 1, got {version!r}")
    if not isinstance(about, str) or not about.strip():
        raise RecipeError(f"{kind} {name}: about: expected what it means, in words, got {about!r}")
    if result not in RESULTS:
        raise RecipeError(f"{kind} {name}: type: expected one of {list(RESULTS)}, got {result!r}")
    if not inspect.isfunction(function) or inspect.iscoroutinefunction(function):
        raise RecipeError(f"{kind} {name}: expected a plain function, got {type(function).__name__}")
    parameters = inspect.signature(function).parameters.values()
    odd = [p.name for p in parameters if p.kind not in _BY_NAME or p.default is not p.empty]
    if odd or not parameters:
        said = f"got {', '.join(odd)} with a default or a star" if odd else "got none"
        raise RecipeError(f"{kind} {name}: expected parameters that are column names, {said}", hint=_GUIDE)
    return OwnFunction(kind, name, version, about, result, tuple(p.name for p in parameters), function)


_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def _register(function: OwnFunction) -> None:
    listed = _registered.get()
    if listed is not None:
        listed.append(function)


def load_own(path: str | Path, facts: Collection[str] = KNOWN_FACTS) -> OwnCode:
    """Read and check a file of own signals and rules; ``facts`` are the names that parameters may have.

    `RecipeError`, with file and line, when the file is missing or not Python, holds no decorated function, names a
    parameter that is no column, or gives a name that is taken.
    """
    file = Path(path)
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        said = problem.strerror if isinstance(problem, OSError) else "not UTF-8 text"
        raise RecipeError(f"{file}: {said}", hint="own: expected the path of a Python file") from problem
    code = OwnCode(file.name, text.replace("\r\n", "\n"))
    check_names(code, facts)
    return code


def check_names(code: OwnCode, facts: Collection[str]) -> None:
    """`RecipeError` unless every parameter is a known column and every name is new."""
    functions = own_functions(code)
    if not functions:
        raise RecipeError(f"{code.name}: no function with @own_signal or @own_rule", hint=_GUIDE)
    signals: list[str] = []
    for function in functions:
        where = f"{code.name}:{_line(function)}: {function.kind} {function.name}"
        if [other.name for other in functions].count(function.name) > 1:
            raise RecipeError(f"{where}: there are two functions of this name", hint="rename one of them")
        if function.name in facts:
            raise RecipeError(f"{where}: the name is taken by a built-in column", hint="choose another name")
        allowed = [*facts, *signals] if function.kind == "signal" else _facts_of_rules(facts, functions)
        unknown = [name for name in function.parameters if name not in allowed]
        if unknown:
            raise RecipeError(
                f"{where}: unknown parameter {unknown[0]!r}", hint=_nearest(unknown[0], allowed)
            )
        signals += [function.name] if function.kind == "signal" else []


def _facts_of_rules(facts: Collection[str], functions: Collection[OwnFunction]) -> list[str]:
    return [
        *(name for name in facts if name != "content"),
        *(f.name for f in functions if f.kind == "signal"),
    ]


def _nearest(name: str, allowed: Collection[str]) -> str:
    if name == "content":
        return "a rule sees facts, not text; measure what it needs with @own_signal"
    close = difflib.get_close_matches(name, allowed, 1)
    return f"did you mean {close[0]}?" if close else f"allowed: {', '.join(sorted(allowed))}"


@lru_cache(maxsize=32)
def own_functions(code: OwnCode) -> tuple[OwnFunction, ...]:
    """The decorated functions of a file, in its order; the file is run once per process and text."""
    module = ModuleType(f"own_{sha256(code.text.encode()).hexdigest()[:16]}")
    module.__file__ = code.name
    sys.modules[module.__name__] = module
    linecache.cache[code.name] = (len(code.text), None, code.text.splitlines(keepends=True), code.name)
    listed: list[OwnFunction] = []
    token = _registered.set(listed)
    try:
        with _explained(code, "cannot be loaded"):
            exec(compile(code.text, code.name, "exec"), module.__dict__)
    finally:
        _registered.reset(token)
    return tuple(listed)


@contextmanager
def _explained(code: OwnCode, what: str, where: str = "") -> Iterator[None]:
    """Turn whatever the user's code raises into a `RecipeError` that names its file and line."""
    try:
        yield
    except SyntaxError as problem:
        said, hint = f"{code.name}:{problem.lineno}: {what}: {problem.msg}", _source(code, problem.lineno)
        raise RecipeError(said, hint=hint) from problem
    except (Exception, SystemExit) as problem:
        line = _line_of(code, problem)
        said = problem.what if isinstance(problem, RecipeError) else f"{type(problem).__name__}: {problem}"
        place = f" ({where})" if where else ""
        raise RecipeError(f"{code.name}:{line}: {what}: {said}{place}", hint=_source(code, line)) from problem


def _line_of(code: OwnCode, problem: BaseException) -> int | None:
    found, trace = None, problem.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == code.name:
            found = trace.tb_lineno
        trace = trace.tb_next
    return found


def _source(code: OwnCode, line: int | None) -> str | None:
    text = linecache.getline(code.name, line).strip() if line else ""
    return f"the line is: {text}" if text else None


def _line(function: OwnFunction) -> int:
    return function.call.__code__.co_firstlineno


def own_schema(code: OwnCode) -> pa.Schema:
    """The columns that a file's signals add to the facts."""
    return pa.schema(
        [
            pa.field(f.name, RESULTS[f.result], metadata={"about": f.about})
            for f in own_functions(code)
            if f.kind == "signal"
        ]
    )


def own_rules(code: OwnCode) -> tuple[OwnFunction, ...]:
    """The rules of a file, in the order in which they are blamed."""
    return tuple(function for function in own_functions(code) if function.kind == "rule")


def own_parameters(code: OwnCode) -> frozenset[str]:
    """The columns that a file's functions read, its own signals apart."""
    read = {name for function in own_functions(code) for name in function.parameters}
    return frozenset(read - set(own_schema(code).names))


def own_signals(
    code: OwnCode, batch: pa.RecordBatch, facts: pa.RecordBatch, where: str = ""
) -> pa.RecordBatch:
    """Measure documents with a file's signals: one row of `own_schema` per row, null where content is null.

    ``facts`` are the built-in signals of the same rows; a signal may use those defined before it. ``where`` names the
    rows in messages. `RecipeError` with file, line and message when a function raises or gives something else than
    one value of its type per row.
    """
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    columns |= dict(zip(facts.schema.names, facts.columns, strict=True))
    present = pc.is_valid(batch.column("content"))
    schema = own_schema(code)
    for function in own_functions(code):
        if function.kind == "signal":
            result = _call(code, function, columns, batch.num_rows, where)
            columns[function.name] = pc.if_else(present, result, None)
    return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)


def failed_own(code: OwnCode, facts: pa.RecordBatch | pa.Table, where: str = "") -> pa.RecordBatch:
    """Which of a file's rules each row of facts fails: one ``bool`` column per rule; null counts as false."""
    rules = own_rules(code)
    if not rules:
        return pa.RecordBatch.from_struct_array(pa.array([{}] * facts.num_rows, pa.struct([])))
    columns = {name: _whole(facts.column(name)) for name in facts.schema.names}
    results = [pc.fill_null(_call(code, rule, columns, facts.num_rows, where), False) for rule in rules]
    return pa.RecordBatch.from_arrays(results, names=[rule.name for rule in rules])


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return whole.dictionary_decode() if pa.types.is_dictionary(whole.type) else whole


def _call(
    code: OwnCode, function: OwnFunction, columns: Mapping[str, pa.Array], rows: int, where: str
) -> pa.Array:
    title = f"{code.name}:{_line(function)}: {function.kind} {function.name}"
    missing = [name for name in function.parameters if name not in columns]
    if missing:
        raise RecipeError(
            f"{title}: no column {missing[0]!r} among the facts", hint=_nearest(missing[0], columns)
        )
    with _explained(code, f"{function.kind} {function.name}", where):
        result = function.call(**{name: columns[name] for name in function.parameters})
    return _checked(result, function, rows, title)


def _checked(result: Any, function: OwnFunction, rows: int, title: str) -> pa.Array:
    if isinstance(result, np.ndarray) and result.ndim == 1:
        result = pa.array(result)
    if not isinstance(result, pa.Array | pa.ChunkedArray):
        raise RecipeError(f"{title}: expected an Arrow array, got {type(result).__name__}", hint=_GUIDE)
    if len(result) != rows:
        hint = "a row says nothing about another one: give one value per row, null where there is none"
        raise RecipeError(f"{title}: expected {rows} values, one per row, got {len(result)}", hint=hint)
    wanted, found = RESULTS[function.result], _whole(result)
    if not _fits(found.type, function.result):
        hint = "say type= in @own_signal" if function.kind == "signal" else "a rule is true or false"
        raise RecipeError(f"{title}: expected {wanted} values, got {found.type}", hint=hint)
    try:
        return found if found.type == wanted else found.cast(wanted)
    except pa.ArrowInvalid as problem:
        raise RecipeError(f"{title}: not {wanted} values: {problem}", hint="return another type") from problem


def _fits(found: pa.DataType, wanted: ResultType) -> bool:
    if pa.types.is_null(found):
        return True
    kinds: Mapping[ResultType, tuple[Callable[[pa.DataType], bool], ...]] = {
        "bool": (pa.types.is_boolean,),
        "int64": (pa.types.is_integer,),
        "float64": (pa.types.is_floating, pa.types.is_integer),
        "string": (pa.types.is_string, pa.types.is_large_string),
    }
    return any(kind(found) for kind in kinds[wanted])


_TEXTS = (
    "import os\nprint(os.name)\n", "", None, "x" * 2000, "é中🎉\r\n\tü\n", "# see https://example.org/a\n" * 3,
    "\0\ufffd\x85", "// Auto-generated\nclass A {}\n",
)  # fmt: skip


def check_own(
    code: OwnCode, measure: Callable[[pa.RecordBatch], pa.RecordBatch] = measure_signals
) -> tuple[str, ...]:
    """Run a file's functions on eight small documents, whole and cut in two; what is said differs is wrong.

    ``measure`` gives the built-in facts of a batch. An empty result means that no difference was found, which is no
    proof; a function that raises is a `RecipeError` here, before a build starts.
    """
    batch = _built_in()
    whole = _facts(code, batch, measure)
    found = []
    for cut in (1, batch.num_rows // 2, batch.num_rows - 1):
        pieces = [_facts(code, part, measure) for part in (batch.slice(0, cut), batch.slice(cut))]
        for name in whole.schema.names:
            joined = pa.chunked_array([piece.column(name) for piece in pieces])
            if repr(whole.column(name).to_pylist()) != repr(joined.to_pylist()):
                found.append(name)
    return tuple(
        f"{code.name}: {name}: gives another result when its rows come in two batches; a value may depend on its own "
        "row only, and never on chance or time"
        for name in dict.fromkeys(found)
    )


def _facts(
    code: OwnCode, batch: pa.RecordBatch, measure: Callable[[pa.RecordBatch], pa.RecordBatch]
) -> pa.RecordBatch:
    facts = measure(batch)
    signals = own_signals(code, batch, facts, "built-in check")
    known = [name for name in batch.schema.names if name not in facts.schema.names]
    columns = {name: batch.column(name) for name in known}
    for part in (facts, signals):
        columns |= dict(zip(part.schema.names, part.columns, strict=True))
    verdicts = failed_own(code, pa.RecordBatch.from_pydict(columns), "built-in check")
    names = [*signals.schema.names, *verdicts.schema.names]
    return pa.RecordBatch.from_arrays([*signals.columns, *verdicts.columns], names=names)


def _built_in() -> pa.RecordBatch:
    content = pa.array(_TEXTS, pa.large_string())
    rows = len(_TEXTS)
    languages = ["python", "python", None, "c", "go", "shell", "javascript", "java"]
    columns = {
        "doc_id": [bytes([row]) * 16 for row in range(rows)],
        "repo": ["lab/check"] * rows,
        "path": [f"src/file_{row}.{'py' if row % 2 else 'c'}" for row in range(rows)],
        "content": content,
        "content_hash": content_hashes(content),
        "language": languages,
        "size": [None if text is None else len(text.encode()) for text in _TEXTS],
        "problem": [None if text is not None else "unreadable" for text in _TEXTS],
    }
    return document_batch(columns, rows)
