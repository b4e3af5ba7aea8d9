"""MinHash: bit for bit what datasketch 2 makes of the same shingles, and as accurate as theory says."""

from __future__ import annotations

import random
import re
import sysconfig
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.testing import assert_batch_law, documents
from columns.words import word_hashes
from dedup import (
    MinHashConfig,
    estimate,
    permutations,
    shingles,
    signature_matrix,
    signature_type,
    signatures,
)

datasketch = pytest.importorskip("datasketch", minversion="2.0")

TEXTS = st.lists(st.none() | st.text(st.sampled_from("abz_0 .\né"), max_size=80), max_size=6)
SMALL = MinHashConfig(num_perm=16, ngram=2)


def column(texts: list[str | None]) -> pa.Array:
    return pa.array(texts, pa.large_string())


def standard_library(count: int) -> list[str]:
    root = Path(sysconfig.get_paths()["stdlib"])
    return [path.read_text("utf-8", "replace") for path in sorted(root.glob("*.py"))[:count]]


def as_datasketch(content: pa.Array, config: MinHashConfig) -> list[list[int] | None]:
    """datasketch's own signatures of our 32-bit shingle hashes."""
    found = shingles(content, ngram=config.ngram)
    rows = []
    for start, end in zip(found.starts[:-1], found.starts[1:], strict=True):
        sketch = datasketch.MinHash(num_perm=config.num_perm, seed=config.seed, hashfunc=int)
        sketch.update_batch(found.hashes[start:end].tolist())
        rows.append(sketch.hashvalues.tolist() if end > start else None)
    return rows


def signature_slow(hashes: set[int], config: MinHashConfig) -> list[int]:
    """One signature, written for reading."""
    a, b = (values.tolist() for values in permutations(config))
    mixed = []
    for value in hashes:
        half = (value ^ value >> 16) * 0x85EBCA6B & 0xFFFFFFFF
        full = (half ^ half >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
        mixed.append(full ^ full >> 16)
    return [min((x * value + y) & 0xFFFFFFFF for value in mixed) for x, y in zip(a, b, strict=True)]


@given(TEXTS, st.integers(1, 4), st.sampled_from([1, 7, 16, 33]), st.integers(0, 3))
def test_equals_its_slow_twin(texts, ngram, num_perm, seed):
    config = MinHashConfig(num_perm=num_perm, ngram=ngram, seed=seed)
    found = shingles(column(texts), ngram=ngram)
    for row, sketch in enumerate(signatures(column(texts), config).to_pylist()):
        hashes = set(found.hashes[found.starts[row] : found.starts[row + 1]].tolist())
        assert sketch == (signature_slow(hashes, config) if hashes else None)


@given(TEXTS, st.data())
def test_batch_law(texts, data):
    cut = data.draw(st.integers(0, len(texts)))

    def kernel(batch: pa.RecordBatch) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays([signatures(batch.column("content"), SMALL)], ["signature"])

    assert_batch_law(kernel, documents(texts), cut)


@pytest.mark.parametrize("config", [MinHashConfig(), MinHashConfig(num_perm=100, ngram=3, seed=42)])
def test_bit_equal_to_datasketch_on_the_standard_library(config):
    content = column([*standard_library(25), None, "", "too few words"])
    assert signatures(content, config).to_pylist() == as_datasketch(content, config)


def test_bit_equal_to_datasketch_on_github(github_sample):
    import pyarrow.parquet as pq

    content = pq.read_table(github_sample, columns=["content"]).column("content").combine_chunks()
    content = content.take(pa.array(range(0, len(content), 45)))
    assert signatures(content).to_pylist() == as_datasketch(content, MinHashConfig())


@pytest.mark.parametrize("count", [1, 7, 8, 9, 1023, 1024, 1025, 2048, 9000, 30000])
def test_every_size_of_file(count):
    """Around the group of eight, the 1,024 held and the table of 8,192, with and without repeats."""
    config = MinHashConfig(num_perm=20, ngram=1)
    texts = [" ".join(f"w{i}" for i in range(count)), " ".join(f"w{i % 97}" for i in range(count))]
    assert signatures(column(texts), config).to_pylist() == as_datasketch(column(texts), config)


def test_permutations_are_those_of_datasketch():
    ours, theirs = permutations(MinHashConfig(seed=7)), datasketch.MinHash(num_perm=256, seed=7).permutations
    assert np.array_equal(np.array(ours), theirs)


def test_repeats_order_and_neighbours_change_nothing():
    lines = [f"line {i} of some text {i * i}" for i in range(50)]
    config = MinHashConfig(ngram=1)
    once, again = " ".join(lines), " ".join([*lines, *reversed(lines)])
    alone, _, other = signatures(column([once, "x y", again]), config).to_pylist()
    assert alone == other == signatures(column([once]), config).to_pylist()[0]


def mutated(text: str, share: float, seed: int) -> str:
    """The text with a share of its words replaced in one stretch, so that similarity is spread."""
    words = re.findall(r"[A-Za-z0-9_]+", text)
    draw = random.Random(seed)
    at = draw.randrange(len(words))
    size = int(share * len(words))
    return " ".join(words[:at] + [f"new{draw.random()}" for _ in words[at : at + size]] + words[at + size :])


def shingle_sets(texts: list[str]) -> list[set[tuple[str, ...]]]:
    found = [re.findall(r"[A-Za-z0-9_]+", text) for text in texts]
    return [{tuple(words[i : i + 5]) for i in range(len(words) - 4)} for words in found]


def test_estimates_are_as_good_as_theory_and_as_datasketch_default():
    originals = [text for text in standard_library(60) if len(text) > 4000][:40]
    changed = [mutated(text, (i % 10) / 12, i) for i, text in enumerate(originals)]
    left, right = shingle_sets(originals), shingle_sets(changed)
    truth = np.array([len(a & b) / len(a | b) for a, b in zip(left, right, strict=True)])
    ours = estimate(*(signature_matrix(signatures(column(texts)))[0] for texts in (originals, changed)))
    theirs = np.array([sha1(a).jaccard(sha1(b)) for a, b in zip(left, right, strict=True)])
    theory = np.sqrt(truth * (1 - truth) / 256)
    assert np.all(np.abs(ours - truth) <= 5 * theory + 1e-6)
    assert np.sqrt(np.mean((ours - truth) ** 2)) <= 1.5 * np.sqrt(np.mean(theory**2))
    assert np.all(np.abs(ours - theirs) <= 7 * theory + 1e-6)


def sha1(shingle_set: set[tuple[str, ...]]) -> datasketch.MinHash:
    sketch = datasketch.MinHash(num_perm=256)
    sketch.update_batch([" ".join(shingle).encode() for shingle in sorted(shingle_set)])
    return sketch


def test_files_of_few_words_have_no_signature():
    texts = [None, "", "print(x)", "import os", "a b c d", "a b c d e"]
    assert signatures(column(texts)).is_valid().to_pylist() == [False] * 5 + [True]


@given(TEXTS)
def test_given_words_change_nothing(texts):
    content = column(texts)
    assert signatures(content, SMALL, words=word_hashes(content)).equals(signatures(content, SMALL))


def test_type_and_matrix_of_slices():
    found = signatures(column(["a b c", None, "d e f", "g h"]), SMALL)
    assert found.type == signature_type(SMALL)
    matrix, present = signature_matrix(found.slice(1, 2))
    assert present.tolist() == [False, True]
    assert matrix[1].tolist() == found[2].as_py()
    assert signature_matrix(found.slice(4))[0].shape == (0, 16)


def test_no_rows():
    assert len(signatures(column([]))) == 0


def test_golden():
    text = "def add(left, right):\n    return left + right  # the sum of both\n"
    assert signatures(column([text])).to_pylist()[0][:4] == GOLDEN


@pytest.mark.parametrize(("name", "value"), [("num_perm", 0), ("num_perm", 4097), ("ngram", 0), ("seed", -1)])
def test_impossible_values_are_named(name, value):
    with pytest.raises(ValueError, match=rf"{name}: expected .* got {value}"):
        MinHashConfig(**{name: value})


GOLDEN = [660692560, 305599830, 735457891, 193590850]
