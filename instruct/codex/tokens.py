"""Tokens: prompts and solutions as rows of equal length, with no loss on the prompt.

Shorter prompts are padded on the left, so that the first tokens of all solutions stand at the same place; source:
Codex, arXiv 2107.03374, section 4.4, where it is the longest prompt of a batch that sets the place. Here it is the
recipe, so that rows do not depend on which others stand beside them (ours).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

IGNORED = -100
OVER_LONG = "over_long"
_LISTS = frozenset({"input_ids", "labels"})

Encode = Callable[[str], Sequence[int]]


@dataclass(frozen=True)
class TokenConfig:
    """Of a row's ``length`` tokens the first ``prompt`` are the prompt's.

    >>> TokenConfig(length=8, prompt=8)
    Traceback (most recent call last):
    ValueError: tokens: expected 1 <= prompt < length, got prompt 8 and length 8
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    length: int = 1024
    prompt: int = 512

    def __post_init__(self) -> None:
        if not 1 <= self.prompt < self.length:
            what = f"got prompt {self.prompt} and length {self.length}"
            raise ValueError(f"tokens: expected 1 <= prompt < length, {what}")


def token_schema(config: TokenConfig) -> pa.Schema:
    """Columns of `masked_rows`; metadata says how lists are padded.

    Lists have the config's length or are null. Their type does not say so: Parquet cannot give back a list of fixed
    length that is null (pyarrow 25). `fixed_rows` makes it so where nothing is null.
    """
    row = pa.list_(pa.int32())
    about = {
        "task_id": "the problem",
        "input_ids": "pad, prompt, solution, end, pad",
        "labels": f"the ids that there is loss on: solution and end; else {IGNORED}",
        "prompt_len": "tokens of the prompt",
        "solution_len": "tokens of the solution, the end too",
        "dropped": f"{OVER_LONG}: prompt or solution does not fit, the lists are null; null: it fits",
    }
    kinds = [pa.string(), row, row, pa.int32(), pa.int32(), pa.string()]
    columns = [
        pa.field(name, kind, metadata={"about": text})
        for (name, text), kind in zip(about.items(), kinds, strict=True)
    ]
    return pa.schema(columns, {"pad_side": "left", "prompt": str(config.prompt)})


def masked_rows(
    ids: Sequence[str],
    prompts: Sequence[str],
    solutions: Sequence[str],
    encode: Encode,
    config: TokenConfig,
    *,
    pad: int,
    end: int,
) -> tuple[pa.Table, Counter[str]]:
    """Encode prompts and solutions, each by itself, and lay them out; obeys the batch law.

    ``encode`` turns a text into token ids; ``end`` is put behind every solution, ``pad`` fills. The first solution
    token of every row is at ``config.prompt``. What does not fit is never cut: its row says `OVER_LONG`. Counts
    ``rows``, ``over_long`` and ``loss_tokens``.

    >>> def encode(text: str) -> list[int]:
    ...     return [ord(one) - 100 for one in text]
    >>> table, _ = masked_rows(["a"], ["pq"], ["xyz"], encode, TokenConfig(8, 3), pad=0, end=9)
    >>> table["input_ids"][0].as_py(), table["labels"][0].as_py()
    ([0, 12, 13, 20, 21, 22, 9, 0], [-100, -100, -100, 20, 21, 22, 9, -100])
    """
    rows = len(ids)
    inputs = np.full((rows, config.length), pad, np.int32)
    labels = np.full((rows, config.length), IGNORED, np.int32)
    long = np.zeros(rows, np.bool_)
    sizes = np.zeros((rows, 2), np.int32)
    for at, (prompt, solution) in enumerate(zip(prompts, solutions, strict=True)):
        head, tail = encode(prompt), [*encode(solution), end]
        sizes[at] = len(head), len(tail)
        long[at] = len(head) > config.prompt or len(tail) > config.length - config.prompt
        if not long[at]:
            inputs[at, config.prompt - len(head) : config.prompt] = head
            inputs[at, config.prompt : config.prompt + len(tail)] = tail
            labels[at, config.prompt : config.prompt + len(tail)] = tail
    columns = [
        pa.array(ids, pa.string()),
        _lists(inputs, long),
        _lists(labels, long),
        pa.array(sizes[:, 0]),
        pa.array(sizes[:, 1]),
        pa.array([OVER_LONG if one else None for one in long.tolist()], pa.string()),
    ]
    counts = Counter(
        {"rows": rows, OVER_LONG: int(long.sum()), "loss_tokens": int((labels != IGNORED).sum())}
    )
    return pa.Table.from_arrays(columns, schema=token_schema(config)), +counts


def _lists(values: np.ndarray, missing: np.ndarray) -> pa.Array:
    sizes = np.where(missing, 0, values.shape[1])
    ends = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    flat = pa.array(values[~missing].reshape(-1))
    return pa.ListArray.from_arrays(pa.array(ends), flat, mask=pa.array(missing))


def fixed_rows(table: pa.Table, config: TokenConfig) -> pa.Table:
    """The rows of `masked_rows` that fit, as lists of fixed length; without the column ``dropped``.

    >>> config = TokenConfig(4, 2)
    >>> made, _ = masked_rows(["a", "b"], ["p", "pppp"], ["x", "x"], lambda text: [1] * len(text), config, pad=0, end=2)
    >>> str(fixed_rows(made, config).schema.field("labels").type)
    'fixed_size_list<item: int32>[4]'
    """
    fitting = table.filter(pc.is_null(table["dropped"])).drop_columns("dropped").combine_chunks()
    kind = pa.list_(pa.int32(), config.length)
    fields = [
        pa.field(f.name, kind if f.name in _LISTS else f.type, metadata=f.metadata) for f in fitting.schema
    ]
    columns = [
        pa.FixedSizeListArray.from_arrays(pc.list_flatten(fitting[f.name]).combine_chunks(), config.length)
        if f.name in _LISTS
        else fitting[f.name]
        for f in fitting.schema
    ]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields, table.schema.metadata))
