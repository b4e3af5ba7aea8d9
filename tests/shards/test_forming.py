"""Forming: parts and shards of transformed documents, whatever the parts were."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from columns.files import Place
from columns.testing import documents
from shards import (
    Documents,
    PackConfig,
    TokenizerConfig,
    formed,
    gather_rows,
    make_tokenizer,
    pack,
    tokenise_part,
    write_tokens,
)
from shards.forming import TransformConfig
from shards.infilling import InfillConfig, original_text
from shards.packing.chunks import chunked
from shards.packing.pieces import refined
from shards.prefixes import PrefixConfig
from shards.repositories import RepositoryConfig

SPECIAL = ("<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<file_sep>", "<begin>")
EVERYTHING = TransformConfig(
    InfillConfig(rate=0.8), PrefixConfig(language=0.5), RepositoryConfig(join=True, token="<file_sep>")
)
PACK = PackConfig(seq_len=40, shard_tokens=40, tail="pad")


@pytest.fixture(scope="module")
def special(library_texts):
    return make_tokenizer(TokenizerConfig(vocab_size=500, special_tokens=SPECIAL), library_texts[:5])


@pytest.fixture(scope="module")
def beginning(library_texts):
    config = TokenizerConfig(vocab_size=500, special_tokens=SPECIAL, bos="<begin>")
    return make_tokenizer(config, library_texts[:5])


def batch(count: int, repos: int = 3) -> pa.RecordBatch:
    """Files of several repositories: each imports the one before it in its repository."""
    found = []
    for repo in range(repos):
        names = [f"m{number}.py" for number in range(repo, count, repos)]
        texts = [f"import m{int(name[1:-3]) + repos}\nx = {name!r}\n" * 2 for name in names]
        found.append(documents(texts, names, repo=f"r{repo}"))
    return pa.Table.from_batches(found).combine_chunks().to_batches()[0]


def ledger(rows: int) -> pa.Table:
    return pa.table({"kept": pa.array([True] * rows), "split": pa.array(["train"] * rows)})


def tokens(tokenizer, found: pa.RecordBatch, config: TransformConfig, step: int = 1000) -> pa.Table:
    batches = [found.slice(at, step) for at in range(0, found.num_rows, step)]
    return tokenise_part(batches, ledger(found.num_rows), tokenizer, 7, config)


def shard(
    tokenizer, place: Place, parts: list[pa.Table], config: TransformConfig, packing: PackConfig = PACK
):
    names = [f"part-{n:05d}-of-{len(parts):05d}.arrow" for n in range(len(parts))]
    for name, part in zip(names, parts, strict=True):
        write_tokens(place, name, part)
    return formed(gather_rows(place, names, 0, None, "train"), config, packing, tokenizer)


@pytest.mark.parametrize("step", [1, 4, 7])
def test_batching_changes_nothing(special, step):
    whole = tokens(special, batch(20), EVERYTHING)
    whole.validate(full=True)
    assert tokens(special, batch(20), EVERYTHING, step).equals(whole)


def test_parts_change_nothing(special, tmp_path):
    rows = batch(30)
    one = shard(special, Place(str(tmp_path / "one")), [tokens(special, rows, EVERYTHING)], EVERYTHING)
    cut = [tokens(special, rows.slice(at, 7), EVERYTHING) for at in range(0, 30, 7)]
    for name, parts in (("cut", cut), ("turned", cut[::-1])):
        other = shard(special, Place(str(tmp_path / name)), parts, EVERYTHING)
        assert other.counts == one.counts
        assert other.documents.ids.tolist() == one.documents.ids.tolist()
        assert other.documents.notes.equals(one.documents.notes)
        assert pack(other.documents, special.eot_id, PACK).rows.equals(
            pack(one.documents, special.eot_id, PACK).rows
        )


def test_repositories_are_whole_and_in_order(special, tmp_path):
    rows = batch(30)
    found = shard(special, Place(str(tmp_path)), [tokens(special, rows, EVERYTHING)], EVERYTHING)
    path = dict(
        zip(
            rows.column("doc_id").to_pylist(),
            zip(rows.column("repo").to_pylist(), rows.column("path").to_pylist(), strict=True),
            strict=True,
        )
    )
    order = [path[one] for one in found.documents.doc_ids.to_pylist()]
    repos = [repo for repo, _ in order]
    assert [repo for at, repo in enumerate(repos) if not at or repos[at - 1] != repo] == list(
        dict.fromkeys(repos)
    )
    for repo in set(repos):
        numbers = [int(name[1:-3]) for one, name in order if one == repo]
        assert numbers == sorted(numbers, reverse=True)
    assert found.documents.ended.tolist() == [at == 29 or repos[at + 1] != repos[at] for at in range(30)]
    assert found.counts["forms.joined"] == 27
    assert found.counts["split.train"] == found.documents.lengths.sum() == found.counts["language.python"]


def test_a_token_that_begins_documents_begins_each_repository_once(beginning, tmp_path):
    begin = beginning.special_id("<begin>")
    for number, config in enumerate((EVERYTHING, TransformConfig(InfillConfig(rate=0.8)))):
        rows = batch(12)
        found = shard(
            beginning, Place(str(tmp_path / str(number))), [tokens(beginning, rows, config)], config
        )
        made = found.documents
        firsts = np.append(True, made.ended[:-1]) if made.ended is not None else np.ones(12, np.bool_)
        assert (made.ids == begin).sum() == firsts.sum()
        assert (made.ids[made.offsets[:-1]][firsts] == begin).all()
        texts = dict(zip(rows.column("doc_id").to_pylist(), rows.column("content").to_pylist(), strict=True))
        for at, note in enumerate(made.notes.to_pylist()):
            ids = made.ids[made.offsets[at] : made.offsets[at + 1]][note["doc_prefixes"] :]
            text = original_text(ids, note["doc_forms"], beginning, config.infill)
            assert text == texts[made.doc_ids[at].as_py()]
            assert note["doc_lengths"] == made.lengths[at]


def test_files_of_no_repository_stand_alone(special, tmp_path):
    rows = batch(6, repos=1)
    rows = rows.set_column(1, rows.schema.field(1), pa.nulls(6, pa.string()))
    config = TransformConfig(repository=RepositoryConfig(join=True, order="tree"))
    found = shard(special, Place(str(tmp_path)), [tokens(special, rows, config)], config)
    assert found.documents.ended.all()
    assert found.counts["forms.joined"] == 0


@pytest.mark.parametrize("method", ["concat", "best_fit", "single"])
def test_nothing_is_lost_between_files_of_a_repository(special, tmp_path, method):
    config = TransformConfig(repository=RepositoryConfig(join=True))
    packing = PackConfig(seq_len=16, shard_tokens=16, method=method, tail="pad")
    found = shard(special, Place(str(tmp_path)), [tokens(special, batch(9), config)], config, packing)
    packed = pack(found.documents, special.eot_id, packing)
    assert packed.produced == packed.written == int(found.documents.lengths.sum())
    pieces: dict[bytes, list] = {}
    for row in packed.rows.to_pylist():
        ends = [*row["doc_starts"][1:], row["n_tokens"]]
        for one in zip(row["doc_ids"], row["doc_offsets"], row["doc_starts"], ends, strict=True):
            pieces.setdefault(one[0], []).append((one[1], row["input_ids"][one[2] : one[3]]))
    made = found.documents
    for at, doc_id in enumerate(made.doc_ids.to_pylist()):
        ids = [one for _, some in sorted(pieces[doc_id]) for one in some]
        assert ids == made.ids[made.offsets[at] : made.offsets[at + 1]].tolist() + [special.eot_id] * int(
            made.ended[at]
        )


@settings(max_examples=80)
@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=15), st.integers(1, 12))
def test_pieces_of_joined_documents_are_those_of_the_stream(items, seq_len):
    """Where documents are joined does not change a stream that is cut every so many tokens."""
    ended = np.array([end for _, end in items])
    ended[-1] = True
    lengths = np.array([length for length, _ in items]) + ended
    first = np.flatnonzero(np.append(True, ended[:-1]))
    found = refined(chunked(np.add.reduceat(lengths, first), seq_len), lengths, ended)
    some = np.flatnonzero(lengths)
    expected = chunked(lengths[some], seq_len)
    assert some[expected.document].tolist() == found.document.tolist()
    for name in ("offset", "length", "row", "start", "rows"):
        assert np.array_equal(getattr(found, name), getattr(expected, name))


def test_no_documents_are_fine(special, tmp_path):
    for number, config in enumerate((EVERYTHING, TransformConfig(InfillConfig(rate=1.0, level="document")))):
        part = tokens(special, batch(3).slice(0, 0), config)
        found = shard(special, Place(str(tmp_path / str(number))), [part], config)
        packed = pack(found.documents, special.eot_id, PACK)
        assert packed.rows.num_rows == 0
        assert "doc_forms" in packed.rows.schema.names


def test_nothing_is_asked_for_by_default():
    config = TransformConfig()
    assert (config.active, config.columns, config.special_tokens()) == (False, (), ())
    assert EVERYTHING.special_tokens() == ("<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<file_sep>")
    assert isinstance(Documents(np.empty(0), np.zeros(1), pa.array([])).lengths, np.ndarray)
