"""Training: the same file for any order and any threads, every run of spaces a token, nothing unreachable."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from shards.tokenizers import Tokenizer, TokenizerConfig, make_tokenizer
from shards.tokenizers.bpe import SPACE_RUNS, dump_ranks, parse_ranks, split_token, train_ranks

TRAIN_IN_A_PROCESS = """
import json, random, sys
from shards.tokenizers.bpe import dump_ranks, train_ranks
import hashlib
texts = json.load(open(sys.argv[1]))
random.Random(int(sys.argv[2])).shuffle(texts)
print(hashlib.sha256(dump_ranks(train_ranks(texts, 1500))).hexdigest())
"""


def column(values: list[str | None]) -> pa.Array:
    return pa.array(values, pa.large_string())


def ranks_of(tokenizer: Tokenizer) -> dict[bytes, int]:
    return parse_ranks(tokenizer.vocabulary.data, "ranks")


def test_training_gives_the_same_file_for_any_order_and_any_threads(library_texts, tmp_path):
    corpus = tmp_path / "texts.json"
    corpus.write_text(json.dumps(library_texts[:12]))
    root = Path(__file__).resolve().parents[2]
    digests = set()
    for seed, threads in (("1", "1"), ("2", "4")):
        environment = {
            **os.environ,
            "RAYON_NUM_THREADS": threads,
            "PYTHONPATH": str(root),
            "PYTHONHASHSEED": seed,
        }
        command = [sys.executable, "-c", TRAIN_IN_A_PROCESS, str(corpus), seed]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        digests.add(done.stdout.strip())
    digests.add(hashlib.sha256(dump_ranks(train_ranks(library_texts[:12], 1500))).hexdigest())
    assert len(digests) == 1


def test_training_reads_a_generator(library_texts):
    assert train_ranks((text for text in library_texts[:2]), 400) == train_ranks(library_texts[:2], 400)


def test_every_run_of_spaces_is_one_token(tokenizer):
    for run in SPACE_RUNS:
        ids, _ = tokenizer.encode_batch(column([run.decode()]))
        assert len(ids) == 1, f"{len(run)} spaces became {len(ids)} tokens"


def test_indentation_costs_one_token(tokenizer):
    ids, _ = tokenizer.encode_batch(column(["\n" + " " * 12 + "x"]))
    assert len(ids) == 3


def test_tabs_and_newlines_are_learned(library_texts):
    ranks = train_ranks(["\t\tif x:\n\n\t\t\treturn\n\n"] * 50, 400)
    assert b"\t\t" in ranks or b"\n\n" in ranks


def test_ranks_are_dense_and_begin_with_the_bytes(tokenizer):
    ranks = ranks_of(tokenizer)
    assert sorted(ranks.values()) == list(range(len(ranks)))
    assert [token for token, rank in sorted(ranks.items(), key=lambda item: item[1])[:256]] == [
        bytes([value]) for value in range(256)
    ]


def test_nearly_every_token_is_reachable_from_two_lower_ones(tokenizer):
    ranks = ranks_of(tokenizer)
    unreachable = [token for token in ranks if len(token) > 1 and len(split_token(token, ranks)) != 2]
    assert len(unreachable) <= 0.001 * len(ranks)


@pytest.mark.parametrize("corpus", [[], [""], ["a"], ["\x00" * 50], ["é" * 9]])
def test_training_on_almost_nothing_still_encodes_everything(corpus):
    small = make_tokenizer(TokenizerConfig(vocab_size=300), corpus)
    ids, _ = small.encode_batch(column(["any text ü"]))
    assert small.decode(ids) == "any text ü"
    assert 281 <= small.vocab_size <= 300
    assert small.eot_id == small.vocab_size - 1


def test_one_endless_line_does_not_stop_training():
    line = "".join(random.Random(5).choices("abcdefgh", k=300_000))
    assert len(train_ranks([line], 1000)) > 900


def test_vocabulary_size_is_respected(tokenizer):
    assert tokenizer.vocab_size == 2000
    assert len(ranks_of(tokenizer)) == 1999
    assert tokenizer.dtype == np.uint16
