"""Token parts: kept documents only, in key order, and slices that do not depend on the parts."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from columns.errors import OutputError
from columns.files import Place
from columns.testing import documents
from shards.order import key_range, order_keys
from shards.tokens import count_tokens, gather, tokenise_part, write_tokens


def texts(count: int) -> list[str | None]:
    return [
        None if index % 17 == 5 else f"def f{index}():\n    return {index}\n" * (index % 7)
        for index in range(count)
    ]


def ledger_of(count: int, start: int = 0) -> pa.Table:
    rows = range(start, start + count)
    kept = [index % 5 != 0 and index % 17 != 5 for index in rows]
    split = [
        None if not keep else ("validation" if index % 4 == 1 else "train")
        for index, keep in zip(rows, kept, strict=True)
    ]
    return pa.table({"kept": pa.array(kept, pa.bool_()), "split": pa.array(split, pa.string())})


def part(tokenizer, count: int, start: int = 0, cuts: int = 1) -> pa.Table:
    batch = documents(texts(start + count), [f"f{i}.py" for i in range(start + count)]).slice(start)
    step = -(-count // cuts) or 1
    batches = [batch.slice(at, step) for at in range(0, count, step)]
    return tokenise_part(batches, ledger_of(count, start), tokenizer, 7)


def test_only_kept_documents_are_there_in_order(tokenizer):
    table = part(tokenizer, 100)
    table.validate(full=True)
    assert table.num_rows == sum(ledger_of(100)["kept"].to_pylist())
    order = [(r["split"], r["key"], r["doc_id"]) for r in table.drop_columns("ids").to_pylist()]
    assert order == sorted(order)
    assert set(table["split"].to_pylist()) == {"train", "validation"}


def test_ids_and_keys_are_the_documents_own(tokenizer):
    table = part(tokenizer, 40)
    content = dict(
        zip(
            *(
                documents(texts(40), [f"f{i}.py" for i in range(40)]).column(c).to_pylist()
                for c in ("doc_id", "content")
            ),
            strict=True,
        )
    )
    for row in table.to_pylist():
        assert tokenizer.decode(row["ids"]) == content[row["doc_id"]]
    assert table["key"].to_pylist() == order_keys(table["doc_id"].combine_chunks(), 7).tolist()


@settings(max_examples=12)
@given(st.integers(1, 60), st.integers(1, 9))
def test_batching_changes_nothing(tokenizer, count, cuts):
    assert part(tokenizer, count, cuts=cuts).equals(part(tokenizer, count))


def test_no_rows_are_fine(tokenizer, tmp_path):
    table = tokenise_part([], ledger_of(0), tokenizer, 0)
    place = Place(str(tmp_path))
    assert write_tokens(place, "part-00000-of-00001.arrow", table) == 0
    found = gather(place, place.names(), 0, None, "train")
    assert (len(found.ids), found.offsets.tolist(), len(found.doc_ids)) == (0, [0], 0)
    assert found.ids.dtype == tokenizer.dtype


def test_a_ledger_of_another_length_is_refused(tokenizer):
    for rows in (3, 9):
        with pytest.raises(OutputError, match=f"6 documents but {rows} ledger rows"):
            tokenise_part([documents(texts(6))], ledger_of(rows), tokenizer, 0)


def test_no_parts_are_refused(tmp_path):
    with pytest.raises(OutputError, match="no token parts"):
        gather(Place(str(tmp_path)), [], 0, None, "train")


def spread(tokenizer, place: Place, bounds: list[int]) -> None:
    for number, (start, stop) in enumerate(pairwise(bounds)):
        table = part(tokenizer, stop - start, start)
        write_tokens(place, f"part-{number:05d}-of-{len(bounds) - 1:05d}.arrow", table)


def as_plain(found) -> list[tuple[bytes, list[int]]]:
    pieces = [found.ids[a:b].tolist() for a, b in zip(found.offsets, found.offsets[1:], strict=False)]
    return list(zip(found.doc_ids.to_pylist(), pieces, strict=True))


@pytest.mark.parametrize("bounds", [[0, 120], [0, 1, 40, 120], [0, 60, 60, 61, 120]])
@pytest.mark.parametrize("split", ["train", "validation"])
def test_gather_is_the_same_however_documents_are_spread(tokenizer, tmp_path, monkeypatch, bounds, split):
    monkeypatch.setattr("shards.tokens.BATCH_ROWS", 16)
    one, many = Place(str(tmp_path / "one")), Place(str(tmp_path / "many"))
    spread(tokenizer, one, [0, 120])
    spread(tokenizer, many, bounds)
    for index in range(3):
        lo, hi = key_range(index, 3)
        left, right = gather(one, one.names(), lo, hi, split), gather(many, many.names()[::-1], lo, hi, split)
        assert as_plain(left) == as_plain(right)
        keys = order_keys(left.doc_ids, 7)
        assert (np.sort(keys) == keys).all()
        assert all(lo <= key and (hi is None or key < hi) for key in keys.tolist())


def test_ranges_together_are_everything_once(tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr("shards.tokens.BATCH_ROWS", 10)
    place = Place(str(tmp_path))
    spread(tokenizer, place, [0, 70, 150])
    pieces = [as_plain(gather(place, place.names(), *key_range(i, 5), "train")) for i in range(5)]
    assert [item for piece in pieces for item in piece] == as_plain(
        gather(place, place.names(), 0, None, "train")
    )


def test_gather_opens_only_the_batches_it_needs(tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr("shards.tokens.BATCH_ROWS", 8)
    place = Place(str(tmp_path))
    spread(tokenizer, place, [0, 150])
    import shards.tokens as module

    seen = []
    between = module._between
    monkeypatch.setattr(
        module, "_between", lambda batch, lo, hi: seen.append(batch.num_rows) or between(batch, lo, hi)
    )
    gather(place, place.names(), *key_range(0, 10), "train")
    assert 1 <= len(seen) <= 3


def test_tokens_are_counted_with_their_end_of_text(tokenizer):
    table = part(tokenizer, 50)
    total = sum(len(ids) + 1 for ids in table["ids"].to_pylist())
    assert count_tokens(table, "language") == {"python": total}
    by_split = count_tokens(table, "split")
    assert list(by_split) == ["train", "validation"]
    assert sum(by_split.values()) == total


def test_tokens_without_a_language_are_unknown():
    table = pa.table(
        {"language": pa.array([None], pa.string()), "ids": pa.array([[1]], pa.large_list(pa.uint16()))}
    )
    assert count_tokens(table, "language") == {"unknown": 2}


def test_token_files_are_the_same_bytes_each_time(tokenizer, tmp_path):
    first, second = Place(str(tmp_path / "a")), Place(str(tmp_path / "b"))
    spread(tokenizer, first, [0, 30])
    spread(tokenizer, second, [0, 30])
    assert first.read(first.names()[0]) == second.read(second.names()[0])
