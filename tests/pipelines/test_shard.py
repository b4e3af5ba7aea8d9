"""Shard: the plan, the sample, the account of tokens; given tokenizers; datasets of nothing and of one file."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.document import DOCUMENT
from columns.errors import InputError
from columns.files import Place
from columns.tables import read_whole, write_documents, write_table
from columns.testing import documents
from pipelines.dataset import Dataset, Names
from pipelines.shard import PackShard, _plan, tokens_account
from pipelines.trained import SAMPLE, SampleTexts
from shards import (
    PackConfig,
    ShardSet,
    TokenizerConfig,
    load_tokenizer,
    make_tokenizer,
    read_manifest,
    verify,
)
from tests.pipelines.building import build
from tests.pipelines.corpus import write_tree

SMALL = """
extends: codex
name: small
layout: {part_bytes: 262144}
"""
PACK = "pack: {seq_len: 32, shard_tokens: 2048, validation_fraction: 0.2}\n"
TRAIN = "tokenizer: {vocab_size: 400}\n"
NOISE = "".join(map(chr, range(97, 123)))


def text(n: int) -> str:
    """Files that share too little to be near copies."""
    rng = np.random.default_rng(n)
    words = ["".join(rng.choice(list(NOISE), 5)) for _ in range(60)]
    return "".join(f"{a} = {b}({n})\n" for a, b in zip(words[::2], words[1::2], strict=True))


FILES = {f"f{n:02d}.py": text(n) for n in range(40)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("shard")


@pytest.fixture(scope="module")
def tree(folder):
    return write_tree(folder / "tree", FILES)


@pytest.fixture(scope="module")
def built(folder, tree):
    return build(folder, folder / "out", [tree], text=SMALL + PACK + TRAIN)


def manifest(place: Place) -> dict:
    return json.loads(place.read("manifest.json"))


def assert_whole(place: Place) -> dict:
    """A dataset that every reader accepts."""
    found = manifest(place)
    assert verify(place, read_manifest(place)) == []
    tokens, shards = found["tokens"], ShardSet(place.url)
    assert tokens["produced"] == tokens["written"] + sum(tokens["dropped"].values())
    assert tokens["produced"] == sum(tokens["by_split"].values()) == sum(tokens["by_language"].values())
    assert sum(info["tokens"] for info in found["shards"]) == tokens["written"]
    assert len(shards.shards) == len(found["shards"])
    assert place.exists("report.html")
    return found


@given(train=st.integers(0, 10**12), validation=st.integers(0, 10**9), size=st.integers(2048, 1 << 26))
def test_the_plan_has_enough_shards_for_each_split(train, validation, size):
    plan = dict(_plan({"split.train": train, "split.validation": validation}, PackConfig(shard_tokens=size)))
    assert list(plan) == ["train", "validation"]
    for split, tokens in (("train", train), ("validation", validation)):
        assert plan[split] >= 1
        assert (plan[split] - 1) * size < max(tokens, 1) <= max(1, plan[split]) * size


def test_without_tokens_each_split_has_one_shard():
    assert _plan({}, PackConfig()) == (("train", 1), ("validation", 1))


@given(train=st.integers(1, 50), validation=st.integers(1, 50))
def test_units_count_through_the_plan(train, validation):
    work = PackShard(
        Dataset(Place("x")), Names(1), PackConfig(), (("train", train), ("validation", validation))
    )
    found = [work._place_of(unit) for unit in range(train + validation)]
    assert found == [("train", n, train) for n in range(train)] + [
        ("validation", n, validation) for n in range(validation)
    ]
    with pytest.raises(IndexError):
        work._place_of(train + validation)


@given(counts=st.dictionaries(st.sampled_from(["shard_tail", "other"]), st.integers(0, 99)))
def test_the_account_lists_what_was_counted(counts):
    shards = {
        "counts": {"produced": 9, "written": 5, "padding": 2, "split_documents": 1}
        | {f"dropped.{rule}": n for rule, n in counts.items()},
        "counted": {
            "documents": 3,
            "split.train": 4,
            "split.validation": 5,
            "language.python": 8,
            "language.c.h": 1,
        },
    }
    assert tokens_account(shards) == {
        "produced": 9, "written": 5, "padding": 2, "split_documents": 1, "dropped": counts, "documents": 3,
        "by_split": {"train": 4, "validation": 5}, "by_language": {"python": 8, "c.h": 1},
    }  # fmt: skip


def sampled(folder, texts: list[str | None], kept: list[bool], rate: float, seed: int = 0) -> list[str]:
    dataset, names = Dataset(Place(str(folder))), Names(1)
    batches = [documents(texts[:3]), documents(texts[3:])]
    write_documents(dataset.documents, names.part(0), batches, DOCUMENT)
    ledger = pa.RecordBatch.from_pydict({"kept": pa.array(kept, pa.bool_())})
    write_table(dataset.ledger, names.part(0), [ledger], ledger.schema)
    found = list(SampleTexts(dataset, names, rate, seed)(0))
    assert all(batch.schema == SAMPLE for batch in found)
    return [text for batch in found for text in batch.column("content").to_pylist()]


def test_a_full_rate_takes_every_kept_file_and_no_other(tmp_path):
    texts = [f"x = {n}" for n in range(20)]
    kept = [n % 3 != 0 for n in range(20)]
    expected = [text for text, good in zip(texts, kept, strict=True) if good]
    for rate in (1.0, 50.0):
        assert sampled(tmp_path, texts, kept, rate) == expected


def test_a_files_place_in_the_sample_is_its_own_affair(tmp_path):
    texts = [f"x = {n}" for n in range(2000)]
    some = sampled(tmp_path, texts, [True] * 2000, 0.25)
    assert 400 < len(some) < 600
    assert set(sampled(tmp_path, texts, [True] * 2000, 0.1)) < set(some)
    assert set(sampled(tmp_path, texts[::2], [True] * 1000, 0.25)) == set(some) & set(texts[::2])
    assert set(sampled(tmp_path, texts, [True] * 2000, 0.25, seed=1)) != set(some)
    assert sampled(tmp_path, texts, [True] * 2000, 0.0) == []


def test_the_tokenizer_sees_no_more_than_its_sample(folder, tree, tmp_path):
    change = "tokenizer: {vocab_size: 400, sample_bytes: 4000}\n"
    found = assert_whole(build(folder, tmp_path / "out", [tree], text=SMALL + PACK + change))
    size = len(text(0))
    assert 1 <= found["tokenizer"]["sampled_files"] <= 4000 // size


def test_the_manifest_says_what_the_shards_are(built):
    found = assert_whole(built)
    assert found["tokenizer"]["kind"] == "train"
    assert found["tokenizer"]["sampled_files"] == found["tokens"]["documents"] == 40
    assert found["tokenizer"]["sha256"] == load_tokenizer(built.child("tokenizer")).sha256
    names = [info["name"] for info in found["shards"]]
    assert names == sorted(names)
    assert len([name for name in names if name.startswith("train-")]) > 1
    assert {info["split"] for info in found["shards"]} == {"train", "validation"}
    for info in found["shards"]:
        assert info["bytes"] == built.child("shards").size(info["name"])


def test_no_document_is_in_two_shards(built):
    seen: dict[bytes, int] = {}
    for number, shard in enumerate(ShardSet(built.url).shards):
        for identity in {document.doc_id for document in shard.documents()}:
            assert seen.setdefault(identity, number) == number


def test_padding_keeps_every_token(folder, built, tmp_path, tree):
    place = build(folder, tmp_path / "out", [tree], text=SMALL + PACK.replace("}", ", tail: pad}") + TRAIN)
    padded, plain = assert_whole(place)["tokens"], manifest(built)["tokens"]
    assert padded["produced"] == padded["written"] == plain["produced"]
    assert padded["dropped"] == {"shard_tail": 0}
    assert padded["padding"] > 0 == plain["padding"]
    assert (
        sum(info["rows"] for info in manifest(place)["shards"]) * 32 == padded["written"] + padded["padding"]
    )


def documents_of(place: Place) -> list[tuple[bytes, list[int]]]:
    return sorted((found.doc_id, found.ids.tolist()) for found in ShardSet(place.url).documents())


@pytest.mark.parametrize(
    "method",
    [
        "tail: pool",
        "tail: pool, pad: left",
        "method: best_fit",
        "method: best_fit, pad: left",
        "method: single",
    ],
)
def test_other_ways_to_pack_lose_nothing(folder, built, tmp_path, tree, method):
    place = build(folder, tmp_path / "out", [tree], text=SMALL + PACK.replace("}", f", {method}}}") + TRAIN)
    found, plain = assert_whole(place)["tokens"], manifest(built)["tokens"]
    assert found["produced"] == found["written"] == plain["produced"]
    assert sum(found["dropped"].values()) == 0
    padded = build(folder, tmp_path / "pad", [tree], text=SMALL + PACK.replace("}", ", tail: pad}") + TRAIN)
    assert documents_of(place) == documents_of(padded)
    for doc_id, ids in documents_of(place)[:5]:
        assert sum(piece.length for piece in ShardSet(place.url).find(doc_id)) == len(ids)
    assert not place.child("shards").child("rests").names()
    rows = sum(info["rows"] for info in manifest(place)["shards"])
    assert rows * 32 == found["written"] + found["padding"]


def test_a_pool_is_finished_after_an_interruption(folder, tmp_path, tree, monkeypatch):
    text = SMALL + PACK.replace("}", ", tail: pool}") + TRAIN
    whole = build(folder, tmp_path / "whole", [tree], text=text)
    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(PackShard, "pool", interrupted)
        build(folder, tmp_path / "out", [tree], text=text)
    place = build(folder, tmp_path / "out", [tree], text=text)
    assert manifest(place)["shards"] == manifest(whole)["shards"]


def interrupted(_work: PackShard, _unit: int) -> None:
    raise RuntimeError


def test_a_changed_row_length_keeps_tokenizer_and_tokens(folder, tmp_path, tree):
    place = build(folder, tmp_path / "out", [tree], text=SMALL + PACK + TRAIN)
    commits = [tmp_path / "out" / name / "_stage.json" for name in ("ledger", "tokenizer", "tokens")]
    stamps = [path.stat().st_mtime_ns for path in commits]
    build(folder, tmp_path / "out", [tree], text=SMALL + PACK.replace("32", "64") + TRAIN)
    assert [path.stat().st_mtime_ns for path in commits] == stamps
    assert {shard.seq_len for shard in ShardSet(place.url).shards} == {64}
    assert_whole(place)


@pytest.mark.parametrize(
    ("content", "kept"),
    [(text(1), 1), ("x", 1), ("", 0), ("+-*/ ()[]\n" * 40, 0)],
    ids=["one file", "one character", "one empty file", "nothing kept"],
)
def test_one_file_gives_a_valid_dataset(folder, tmp_path, content, kept):
    tree = write_tree(tmp_path / "tree", {"a.py": content})
    pad = PACK.replace("}", ", tail: pad}")
    found = assert_whole(build(folder, tmp_path / "out", [tree], text=SMALL + pad + TRAIN))
    assert found["documents"]["files"] == 1
    assert found["funnel"][-1]["files"] == found["tokens"]["documents"] == kept
    assert sum(info["rows"] for info in found["shards"]) >= kept


def test_files_without_text_give_a_valid_dataset(folder, tmp_path):
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a.py").write_bytes(bytes(64))
    found = assert_whole(build(folder, tmp_path / "out", [tree], text=SMALL + PACK + TRAIN))
    assert found["documents"]["problems"] == {"binary": 1}
    assert found["tokens"]["produced"] == 0
    assert found["funnel"][-1]["files"] == 0


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_a_split_may_have_nothing(folder, tmp_path, tree, fraction):
    pack = PACK.replace("0.2", str(fraction))
    found = assert_whole(build(folder, tmp_path / "out", [tree], text=SMALL + pack + TRAIN))
    assert [split for split, n in found["tokens"]["by_split"].items() if n] == [
        "validation" if fraction else "train"
    ]


@pytest.fixture(scope="module")
def rank_file(folder):
    """A tiktoken rank file, as a trained tokenizer saves it."""
    place = Place(str(folder / "given"))
    make_tokenizer(TokenizerConfig(vocab_size=350), list(FILES.values())).save(place)
    (name,) = (name for name in place.names() if name.endswith(".tiktoken"))
    return folder / "given" / name


@pytest.fixture(scope="module")
def tokenizer_json(folder):
    tokenizers = pytest.importorskip("tokenizers")
    made = tokenizers.ByteLevelBPETokenizer()
    made.train_from_iterator(
        FILES.values(), vocab_size=400, special_tokens=["<|endoftext|>"], show_progress=False
    )
    path = folder / "tokenizer.json"
    made.save(str(path))
    return path


@pytest.mark.parametrize("kind", ["tiktoken", "tokenizers"])
def test_a_given_tokenizer_is_used_as_it_is(kind, folder, tmp_path, tree, rank_file, tokenizer_json):
    path = f"{rank_file}#cl100k" if kind == "tiktoken" else tokenizer_json
    place = build(
        folder, tmp_path / "out", [tree], text=SMALL + PACK + f"tokenizer: {{spec: '{kind}:{path}'}}\n"
    )
    found = assert_whole(place)
    assert (found["tokenizer"]["kind"], found["tokenizer"]["sampled_files"]) == (kind, 0)
    tokenizer = load_tokenizer(place.child("tokenizer"))
    texts = {row["doc_id"]: row["path"] for row in ledger(place)}
    whole = 0
    for document in ShardSet(place.url).documents():
        ids = [token for token in document.ids.tolist() if token != tokenizer.eot_id]
        assert FILES[texts[document.doc_id]].startswith(tokenizer.decode(ids).rstrip("�"))
        whole += FILES[texts[document.doc_id]] == tokenizer.decode(ids)
    assert whole > 30


def ledger(place: Place) -> list[dict]:
    names = [name for name in place.child("ledger").names() if name.startswith("part-")]
    return [row for name in names for row in read_whole(place.child("ledger"), name).to_pylist()]


def test_another_text_in_the_given_file_is_another_tokenizer(folder, tmp_path, tree, rank_file):
    path = tmp_path / "mine.tiktoken"
    path.write_bytes(rank_file.read_bytes())
    text = SMALL + PACK + f"tokenizer: {{spec: 'tiktoken:{path}#cl100k'}}\n"
    before = manifest(build(folder, tmp_path / "out", [tree], text=text))["tokenizer"]
    path.write_bytes(b"".join(rank_file.read_bytes().splitlines(keepends=True)[:-20]))
    after = manifest(build(folder, tmp_path / "out", [tree], text=text))["tokenizer"]
    assert after["sha256"] != before["sha256"]
    assert after["vocab_size"] == before["vocab_size"] - 20


def test_a_missing_tokenizer_is_said_before_anything_is_read(folder, tmp_path, tree):
    with pytest.raises(InputError, match=r"no\.json"):
        build(folder, tmp_path / "out", [tree], text=SMALL + "tokenizer: {spec: 'tokenizers:no.json'}\n")
    assert not (tmp_path / "out" / "documents").exists()
