"""Documents of pools: those that lie wholly in the last shard are read like all others."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from columns.batch import concat
from columns.files import Place
from shards import PackConfig, ShardSet, pack, pool, shard_names, write_shard


@settings(max_examples=25, deadline=None)
@given(
    shards=st.lists(st.lists(st.integers(1, 12), max_size=5), min_size=1, max_size=4),
    seq_len=st.integers(2, 9),
)
def test_every_document_is_read(tmp_path_factory, stream, shards, seq_len):
    place = Place(str(tmp_path_factory.mktemp("pooled")))
    config = PackConfig(seq_len=seq_len, shard_tokens=seq_len, tail="pool")
    names, rests, expected = shard_names("train", len(shards) + 1), [], {}
    for number, lengths in enumerate(shards):
        documents = stream(lengths, first=100 * number)
        for at, doc_id in enumerate(documents.doc_ids.to_pylist()):
            expected[doc_id] = [*documents.ids[documents.offsets[at] : documents.offsets[at + 1]].tolist(), 0]
        packed = pack(documents, 0, config)
        rests.append(packed.rest)
        write_shard(place, names[number], packed, config, tokenizer_sha256="", eot_id=0)
    last = pool(concat(rests, rests[0].schema), 0, config)
    write_shard(place, names[-1], last, config, tokenizer_sha256="", eot_id=0)
    found = {one.doc_id: one for one in ShardSet(place).documents()}
    assert {doc_id: one.ids.tolist() for doc_id, one in found.items()} == expected
    assert all(one.complete for one in found.values())
    assert sum(len(one.ids) for one in ShardSet(place).documents()) == sum(map(len, expected.values()))
    assert isinstance(rests[0], pa.RecordBatch)
    assert np.array_equal(sorted(found), sorted(expected))
