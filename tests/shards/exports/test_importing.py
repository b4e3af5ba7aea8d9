"""Token files of others become shards: every document once, in an order that does not depend on theirs."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from columns.errors import InputError
from columns.files import Place
from shards.exports import FORMATS, ROWS, Source, import_documents, read_flat, read_megatron, read_rows
from shards.exports.identity import identities
from shards.manifest import read_manifest, verify
from shards.packing import Documents, PackConfig
from shards.reader import ShardSet

CONFIG = PackConfig(seq_len=16, shard_tokens=64, tail="pad", validation_fraction=0.3)


def documents_of(lists: list[list[int]], dtype: type = np.uint16) -> Documents:
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in lists])]).astype(np.int64)
    ids = np.array([number for one in lists for number in one], dtype)
    return Documents(ids, offsets, identities(ids, offsets))


def texts(place: Place) -> list[list[int]]:
    return sorted(one.ids.tolist() for one in ShardSet(place).documents())


def files(place: Place) -> dict[str, bytes]:
    return {name: place.child("shards").read(name) for name in place.child("shards").names()} | {
        "manifest": place.read("manifest.json")
    }


@pytest.mark.parametrize("name", ["megatron", "bin"])
@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_what_was_exported_comes_back(made, tmp_path, name, dtype):
    source, out = made(dtype), Place(str(tmp_path / "out"))
    FORMATS[name](source, out)
    prefix = out.path("train")
    kind = np.dtype(dtype).name
    back = read_megatron(prefix, 0) if name == "megatron" else read_flat(f"{prefix}.bin", 0, kind)
    given_ids = [
        back.ids[start:end].tolist() for start, end in zip(back.offsets, back.offsets[1:], strict=False)
    ]
    assert [[*one, 0] for one in given_ids] == [one.ids.tolist() for one in source.documents()]


SOURCES = {"huggingface": "train", "mds": "train", "tfrecord": "train.index", "webdataset": ""}


def lists_of(found: Documents) -> list[list[int]]:
    bounds = found.offsets.tolist()
    return [found.ids[start:end].tolist() for start, end in pairwise(bounds)]


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_rows_that_were_exported_come_back_as_documents(made, tmp_path, name, dtype):
    source, out = made(dtype), Place(str(tmp_path / "out"))
    FORMATS[name](source, out)
    found = read_rows(ROWS[name](out.path(SOURCES[name]).rstrip("/")), 0, name)
    expected = [one.ids.tolist() for one in source.documents() if len(one.ids) > 1]
    assert [[*one, 0] for one in lists_of(found)] == expected


@pytest.mark.parametrize("name", ROWS)
def test_padding_on_the_left_is_left_out(made, tmp_path, name):
    source, out = made(lengths=[3, 9, 14], method="single", pad="left"), Place(str(tmp_path / "out"))
    FORMATS[name](source, out)
    found = read_rows(ROWS[name](out.path(SOURCES[name]).rstrip("/")), 0, name, whole=True)
    assert [[*one, 0] for one in lists_of(found)] == [one.ids.tolist() for one in source.documents()]


def test_ids_that_no_model_has_are_refused():
    with pytest.raises(InputError, match="rows: id 4294967296 does not fit 32 bits"):
        read_rows([np.array([1, 2**32])], 0, "rows")


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 3), max_size=6), max_size=8), st.booleans())
def test_rows_are_cut_where_the_slow_twin_cuts_them(rows, whole):
    expected, held = [], []
    for row in rows:
        for number in row:
            if number:
                held.append(number)
            if not number and held:
                expected.append(held)
                held = []
        if whole and held:
            expected.append(held)
            held = []
    expected += [held] if held else []
    given_rows = [np.array(row, np.uint16) for row in rows]
    assert lists_of(read_rows(given_rows, 0, "rows", whole=whole)) == expected


def test_mds_of_other_writers(tmp_path):
    """LLM Foundry's older layout: int64 bytes without a fixed size, beside another column."""
    text = json.dumps({}).encode()
    samples = []
    for ids, word in (([5, 6, 0], b"one"), ([7, 0], b"second")):
        body = np.array(ids, "<i8").tobytes()
        samples.append(np.array([len(word), len(body)], "<u4").tobytes() + word + body)
    first = 4 + 4 * 3 + len(text)
    ends = first + np.cumsum([0, *map(len, samples)])
    data = np.uint32(2).tobytes() + ends.astype("<u4").tobytes() + text + b"".join(samples)
    (tmp_path / "shard.00000.mds").write_bytes(data)
    entry = {
        "column_encodings": ["str", "bytes"], "column_names": ["set", "tokens"], "column_sizes": [None, None],
        "raw_data": {"basename": "shard.00000.mds"}, "samples": 2, "zip_data": None,
    }  # fmt: skip
    (tmp_path / "index.json").write_text(json.dumps({"shards": [entry], "version": 2}))
    assert [row.tolist() for row in ROWS["mds"](str(tmp_path))] == [[5, 6, 0], [7, 0]]
    (tmp_path / "shard.00000.mds").write_bytes(data[:-1])
    with pytest.raises(InputError, match=r"shard\.00000\.mds: ends at byte"):
        list(ROWS["mds"](str(tmp_path)))


@pytest.mark.parametrize(
    ("name", "file", "said"),
    [
        ("mds", "index.json", "expected shards"),
        ("huggingface", "state.json", "expected _data_files"),
        ("tfrecord", "x.tfrecords", "damaged at byte 0"),
        ("webdataset", "x.tar", "not a tar archive"),
    ],
)
def test_what_is_not_of_the_format_is_named(tmp_path, name, file, said):
    path = tmp_path / file
    path.write_bytes(b"[1, 2, 3] and nothing that anybody would expect to find here")
    source = str(tmp_path if file.endswith("json") else path)
    with pytest.raises(InputError, match=f"{path}: {said}"):
        list(ROWS[name](source))
    path.unlink()
    if not file.endswith("tar"):
        with pytest.raises(InputError, match="missing"):
            list(ROWS[name](source))


def test_damage_inside_a_record_is_found(made, tmp_path):
    out = Place(str(tmp_path / "out"))
    FORMATS["tfrecord"](made(), out)
    path = next((tmp_path / "out").glob("*.tfrecords"))
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="damaged between bytes 0 and"):
        list(ROWS["tfrecord"](str(path)))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(st.integers(1, 99), max_size=40), max_size=12), st.randoms(use_true_random=False))
def test_every_document_is_in_the_shards_whatever_the_order(tmp_path_factory, lists, random):
    one, other = (Place(str(tmp_path_factory.mktemp("import"))) for _ in range(2))
    manifest = import_documents(documents_of(lists), one, CONFIG, eot_id=0, vocab_size=100)
    assert texts(one) == sorted([*item, 0] for item in lists)
    assert manifest.tokens["produced"] == manifest.tokens["written"] == sum(len(item) + 1 for item in lists)
    shuffled = [*lists]
    random.shuffle(shuffled)
    import_documents(documents_of(shuffled), other, CONFIG, eot_id=0, vocab_size=100)
    assert files(one) == files(other)


def test_what_is_imported_is_a_dataset(tmp_path, stream):
    place = Place(str(tmp_path))
    import_documents(stream([30] * 40), place, CONFIG, eot_id=0, vocab_size=61_000)
    manifest = read_manifest(place)
    assert verify(place, manifest) == []
    assert {entry["split"] for entry in manifest.shards} == {"train", "validation"}
    assert manifest.tokens["by_split"]["validation"] > 0
    from pipelines.verification import verify_dataset

    assert all(check.passed for check in verify_dataset(place))


def test_megatron_sequences_of_one_document_are_joined(tmp_path):
    """Two sequences in the first document, one in the second; a last one without its end of text."""
    from struct import pack

    lengths, pointers, bounds = [2, 3, 2], [0, 4, 10], [0, 2, 3]
    index = b"MMIDIDX\x00\x00" + pack("<QBQQ", 1, 8, 3, 3) + pack("<3i", *lengths) + pack("<3q", *pointers)
    (tmp_path / "x.idx").write_bytes(index + pack("<3q", *bounds))
    (tmp_path / "x.bin").write_bytes(np.array([1, 2, 3, 4, 0, 5, 6], np.uint16).tobytes())
    found = read_megatron(str(tmp_path / "x"), 0)
    assert (found.ids.tolist(), found.offsets.tolist()) == ([1, 2, 3, 4, 5, 6], [0, 4, 6])


def test_equal_documents_are_told_apart():
    found = documents_of([[1, 2], [1, 2], [1], []])
    assert len(set(found.doc_ids.to_pylist())) == 4
    assert found.doc_ids[0] == documents_of([[1, 2]]).doc_ids[0]


def test_a_file_without_a_last_end_of_text(tmp_path):
    path = tmp_path / "x.bin"
    path.write_bytes(np.array([0, 5, 6, 0, 7], np.uint16).tobytes())
    found = read_flat(str(path), 0)
    assert (found.ids.tolist(), found.offsets.tolist()) == ([5, 6, 7], [0, 0, 2, 3])
    path.write_bytes(b"")
    assert read_flat(str(path), 0).offsets.tolist() == [0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda idx, raw: (b"", raw), "not a Megatron index"),
        (lambda idx, raw: (b"X" + idx[1:], raw), "not a Megatron index"),
        (lambda idx, raw: (idx[:9] + b"\x02" + idx[10:], raw), "version 2"),
        (lambda idx, raw: (idx[:17] + b"\x07" + idx[18:], raw), "ids of type 7"),
        (lambda idx, raw: (idx[:-1], raw), "ends at byte"),
        (lambda idx, raw: (idx, raw[:-2]), "does not fit"),
        (lambda idx, raw: (idx, raw[:-1]), "no whole number"),
        (lambda idx, raw: (idx[:-8] + bytes(8), raw), "not its sequences"),
    ],
)
def test_damaged_megatron_files_are_named(made, tmp_path, change, said):
    out = Place(str(tmp_path / "out"))
    FORMATS["megatron"](made(), out)
    index, data = change(out.read("train.idx"), out.read("train.bin"))
    out.write_bytes("train.idx", index)
    out.write_bytes("train.bin", data)
    with pytest.raises(InputError, match=said):
        read_megatron(out.path("train"), 0)


def test_what_cannot_be_imported_is_refused(tmp_path, stream):
    place = Place(str(tmp_path))
    with pytest.raises(InputError, match="missing"):
        read_megatron(str(tmp_path / "none"), 0)
    with pytest.raises(InputError, match="missing"):
        read_flat(str(tmp_path / "none.bin"), 0)
    with pytest.raises(InputError, match="dtype: expected"):
        read_flat(str(tmp_path / "none.bin"), 0, "int8")
    with pytest.raises(InputError, match="the vocabulary has 5"):
        import_documents(stream([9]), place, CONFIG, eot_id=0, vocab_size=5)
    pooled = PackConfig(seq_len=16, shard_tokens=64, tail="pool")
    with pytest.raises(InputError, match="got pool"):
        import_documents(stream([9]), place, pooled, eot_id=0, vocab_size=50)
    assert place.names() == []


def test_a_source_of_no_dataset(tmp_path):
    from columns.errors import OutputError

    with pytest.raises(OutputError, match="no shards of train"):
        list(Source(Place(str(tmp_path)), "train", 9).documents())
