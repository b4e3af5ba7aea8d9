"""thresher tokenizer: train gives the same bytes for any order, show and count say what the library says."""

from __future__ import annotations

import contextlib
import io
import json
import random
import sys
from typing import NamedTuple

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from columns.errors import InputError, OutputError
from columns.files import Place
from pipelines import cli
from pipelines.tokenizing import (
    ALL,
    Rate,
    input_texts,
    named_tokenizer,
    rates,
    sampled_texts,
    survivor_texts,
    train_tokenizer,
)
from shards import TokenizerConfig, make_tokenizer
from tests.pipelines.building import build
from tests.pipelines.corpus import sources, write_tree

SCHEMA = pa.schema([
    pa.field("content_hash", pa.binary(32)), pa.field("language", pa.string()), pa.field("content", pa.large_string()),
])  # fmt: skip
TEXTS = [f"def f{n}(x):\n\treturn {'x' * (n % 7)}\n" for n in range(60)]


def batches(texts, cuts: int = 1, languages=("python",)):
    names = [languages[n % len(languages)] for n in range(len(texts))]
    hashes = [str(text).encode().ljust(32, b".")[-32:] for text in texts]
    table = pa.table([hashes, names, texts], SCHEMA)
    return table.to_batches(max_chunksize=max(1, len(texts) // cuts))


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return write_tree(tmp_path_factory.mktemp("tokenizing") / "tree", dict(list(sources().items())[:40]))


# the sample


@settings(max_examples=40)
@given(st.integers(1, 3000), st.integers(1, 60), st.randoms(use_true_random=False), st.integers(0, 2))
def test_a_sample_depends_on_the_set_of_texts_only(limit, cuts, order, seed):
    expected = sampled_texts(batches(TEXTS), limit, seed)
    shuffled = [*TEXTS, *TEXTS[:5]]
    order.shuffle(shuffled)
    assert sampled_texts(batches(shuffled, cuts), limit, seed) == expected
    assert sum(map(len, expected)) <= limit or len(expected) == 1


def test_another_seed_draws_other_texts():
    assert sampled_texts(batches(TEXTS), 500, 0) != sampled_texts(batches(TEXTS), 500, 1)


def test_null_and_empty_texts_are_not_sampled():
    assert sampled_texts(batches(["", None, "x"]), 100, 0) == ["x"]


# training


def test_training_gives_the_same_files_for_any_order(tmp_path):
    config = TokenizerConfig(vocab_size=320, sample_bytes=900)
    shuffled = random.Random(3).sample(TEXTS, len(TEXTS))
    one, two = Place(str(tmp_path / "one")), Place(str(tmp_path / "two"))
    found = train_tokenizer(batches(TEXTS), config, one)
    assert train_tokenizer(batches(shuffled, 9), config, two) == found
    assert one.names() == two.names()
    assert all(one.read(name) == two.read(name) for name in one.names())


def test_nothing_to_train_on_is_said(tmp_path):
    with pytest.raises(InputError, match="no text to train on"):
        train_tokenizer(batches(["", None]), TokenizerConfig(), Place(str(tmp_path)))


# rates


def test_rates_are_counted_by_language_and_summed():
    small = make_tokenizer(TokenizerConfig(vocab_size=300), TEXTS)
    plain = make_tokenizer(TokenizerConfig(vocab_size=281, runs="none"))
    found = rates(batches([*TEXTS, None, ""], 4, ("python", "go", None)), [plain, small])
    assert [rate.language for rate in found] == ["go", "python", "unknown", ALL]
    texts = pa.array([*TEXTS, ""], pa.large_string())
    total = found[-1]
    assert total.tokens == tuple(len(one.encode_batch(texts)[0]) for one in (plain, small))
    assert (total.files, total.bytes) == (61, sum(map(len, TEXTS)))
    assert total.bytes == sum(rate.bytes for rate in found[:-1])
    assert total.tokens[0] == total.bytes
    assert total.bytes_per_token[0] == 1.0
    assert total.saved == (0.0, 1 - total.tokens[1] / total.tokens[0])


def test_rates_of_nothing_are_zero():
    tokenizer = make_tokenizer(TokenizerConfig(vocab_size=300), TEXTS)
    (only,) = rates([], [tokenizer])
    assert only == Rate(ALL, 0, 0, (0,))
    assert (only.bytes_per_token, only.saved) == ((0.0,), (0.0,))


def test_rates_do_not_depend_on_batches():
    tokenizer = make_tokenizer(TokenizerConfig(vocab_size=300), TEXTS)
    assert rates(batches(TEXTS), [tokenizer]) == rates(batches(TEXTS, 13), [tokenizer])


# what is read


def test_inputs_are_read_as_for_a_build(tree):
    read = pa.Table.from_batches(input_texts([str(tree), str(tree)]))
    assert read.num_rows == 40
    assert set(read.column("language").to_pylist()) == {"python"}
    with pytest.raises(InputError, match="no files to read"):
        list(input_texts([str(tree)], ["go"]))


def test_a_folder_that_is_no_dataset_is_refused(tmp_path):
    with pytest.raises(OutputError, match="no finished ingest"):
        list(survivor_texts(Place(str(tmp_path))))


@pytest.mark.parametrize(("name", "message"), [("codx", "no tokenizer codx"), ("train", "train one first")])
def test_a_tokenizer_that_is_not_there_is_refused(name, message):
    with pytest.raises(InputError, match=message):
        named_tokenizer(name)


# the command line


class Said(NamedTuple):
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


def called(*words: str) -> Said:
    """``thresher tokenizer`` with these words."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setattr(sys, "argv", ["thresher", "tokenizer", *words])
        patch.setenv("COLUMNS", "200")
        try:
            cli.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Said(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def trained(tree, tmp_path_factory):
    place = tmp_path_factory.mktemp("trained") / "tokenizer"
    options = ("--vocab-size", "600", "--runs", "tabs", "--json")
    done = called("train", str(place), "--input", str(tree), *options)
    assert done.code == 0, done.err
    assert json.loads(done.out)["files"] == 40
    return place


def test_a_trained_tokenizer_is_shown(trained):
    done = called("show", str(trained), "def f(x):\n\t\t\treturn '\x1b[31m<|endoftext|>'")
    assert done.code == 0, done.err
    assert "vocab_size 600" in done.out
    assert "bytes/token" in done.out
    assert "\x1b[31m" not in done.out
    found = json.loads(called("show", str(trained), "x = 1", "--json").out)
    assert len(found["ids"]) <= found["bytes"] == 5
    assert found["eot"] == 599


def test_a_file_is_shown(trained, tmp_path):
    path = tmp_path / "a.py"
    path.write_bytes(b"x = 1\n\xff\x00")
    assert called("show", str(trained), "--file", str(path)).code == 0
    missing = called("show", str(trained), "--file", str(tmp_path / "none"))
    assert missing.code == 2
    assert "cannot read" in missing.err


def test_inputs_are_counted(trained, tree):
    done = called("count", str(trained), str(trained), "--input", str(tree), "--json")
    found = json.loads(done.out)
    assert [one["language"] for one in found["languages"]] == ["python", ALL]
    assert found["languages"][0]["saved"] == [0.0, 0.0]
    table = called("count", str(trained), "--input", str(tree))
    assert "bytes per token" in table.out
    assert "python" in table.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["count", "codex"], "one of them"),
        (["count", "codex", "--input", ".", "--dataset", "x"], "one of them"),
        (["count", "codex", "--dataset", "x", "--language", "go"], "does not go with --dataset"),
        (["count", "no-such", "--input", "."], "no tokenizer no-such"),
        (["show", "tokenizers:nowhere.json"], "cannot read the vocabulary"),
        (["train", "out", "--input", ".", "--vocab-size", "5"], "vocab_size: expected at least"),
        (["train", "out", "--input", ".", "--special", "<|endoftext|>"], "special_tokens"),
    ],
)
def test_mistakes_are_one_clear_line(words, message):
    done = called(*words)
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err


# a dataset

RECIPE_OF_TABS = """
extends: codex
name: tabs
layout: {part_bytes: 262144}
tokenizer: {vocab_size: 600, runs: tabs, special_tokens: ["<|fim_middle|>"]}
pack: {seq_len: 64, shard_tokens: 4096}
"""


@pytest.fixture(scope="module")
def dataset(tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dataset")
    return build(folder, folder / "out", [tree], text=RECIPE_OF_TABS)


def test_a_recipe_names_runs_and_special_tokens(dataset):
    tokenizer = named_tokenizer(dataset.url)
    assert tokenizer.special_id("<|fim_middle|>") == tokenizer.vocab_size - 1 == tokenizer.eot_id + 1
    about = json.loads(dataset.read("manifest.json"))["tokenizer"]
    assert (about["vocab_size"], about["padded_vocab_size"]) == (tokenizer.vocab_size, tokenizer.vocab_size)


def test_a_dataset_is_counted_as_its_manifest_says(dataset):
    done = called("count", dataset.url, "--dataset", dataset.url, "--json")
    assert done.code == 0, done.err
    total = json.loads(done.out)["languages"][-1]
    tokens = json.loads(dataset.read("manifest.json"))["tokens"]
    assert total["tokens"][0] + total["files"] == sum(tokens["by_language"].values())


def test_a_tokenizer_is_trained_on_what_a_dataset_keeps(dataset, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for place in (one, two):
        done = called("train", str(place), "--dataset", dataset.url, "--vocab-size", "500")
        assert done.code == 0, done.err
        assert "500 ids from" in done.out
    assert (one / "ranks.tiktoken").read_bytes() == (two / "ranks.tiktoken").read_bytes()
    kept = sum(batch.num_rows for batch in survivor_texts(dataset))
    assert f"{kept} files" in done.out
