from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")

import torch

from columns.errors import InputError
from shards import ShardSet
from training.evaluation import HeldOut, KnownTexts, bits_per_byte, held_out, text_bytes
from training.model import ModelConfig, Transformer

TRAIN = [f"def f{n}(x):\n    return x + {n}\n" for n in range(6)]
OTHER = ["class A:\n    pass\n", "x = 'é' * 3\n", "y = [1, 2, 3]\n"]


def known_of(*directories):
    known = KnownTexts()
    for directory in directories:
        known.add(ShardSet(directory, split="train").documents())
    return known


def test_held_out_documents_are_the_other_split(make_texts, small_tokenizer):
    found = held_out(make_texts("a", TRAIN, OTHER), KnownTexts())
    texts = [small_tokenizer.decode(ids[:-1]) for ids in found.documents]
    assert sorted(texts) == sorted(OTHER)
    assert found.text_bytes == sum(len(text.encode()) for text in OTHER)
    assert (found.known, found.repeated, found.cut) == (0, 0, 0)


def test_what_a_training_set_holds_is_left_out(make_texts):
    """Under another id (another repository) too."""
    mine = make_texts("a", TRAIN, [*OTHER, TRAIN[2]])
    elsewhere = make_texts("b", [OTHER[0], "z = 1\n"], OTHER)
    found = held_out(mine, known_of(mine, elsewhere))
    assert (len(found.documents), found.known) == (2, 2)
    assert found.text_bytes == len(OTHER[1].encode()) + len(OTHER[2].encode())


def test_the_id_alone_is_enough(make_texts):
    """A text that one dataset has redacted or cut is another row of ids under the same id."""
    found = list(ShardSet(make_texts("a", TRAIN, OTHER), split="validation").documents())
    known = KnownTexts()
    known.add([found[0]._replace(ids=found[0].ids[1:])])
    assert [one in known for one in found] == [True, False, False]


def test_the_beginning_of_a_training_document_counts(make_texts):
    """A shard whose tail was dropped holds the first rows of its last document."""
    long = "a = 1\n" * 40
    cut = make_texts("cut", [*TRAIN, long], OTHER, tail="drop")
    pieces = list(ShardSet(cut, split="train").documents())
    assert not all(one.complete for one in pieces)
    other = make_texts("other", TRAIN[:1], [long, *OTHER])
    found = held_out(other, known_of(cut))
    assert (len(found.documents), found.known) == (3, 1)


def test_incomplete_and_repeated_documents_are_counted(make_texts):
    one = make_texts("one", TRAIN, [*OTHER, OTHER[0], "b = 2\n" * 41], tail="drop")
    found = held_out(one, KnownTexts())
    assert (len(found.documents), found.repeated, found.cut) == (3, 1, 1)


def test_nothing_left_is_an_error(make_texts):
    data = make_texts("a", TRAIN, TRAIN[:2])
    with pytest.raises(
        InputError, match="no validation documents to evaluate on: 2 are in a training set"
    ) as caught:
        held_out(data, known_of(data))
    assert "pack.validation_fraction" in str(caught.value.hint)


def test_documents_are_taken_up_to_the_limit(make_texts):
    found = held_out(make_texts("a", TRAIN, OTHER), KnownTexts(), limit_bytes=1)
    assert len(found.documents) == 1


def test_bytes_are_those_of_the_text(small_tokenizer):
    ids, _ = small_tokenizer.encode_batch(pa.array(["é = '🙂'\r\n"]))
    assert text_bytes(small_tokenizer, np.append(ids, small_tokenizer.eot_id)) == 13


def slow_bits(model, held, context) -> float:
    """One prediction at a time."""
    bits = 0.0
    for ids in held.documents:
        bits += math.log2(model.config.vocab_size)
        for at in range(1, len(ids)):
            start = (at - 1) // (context - 1) * (context - 1)
            seen = torch.tensor(ids[start:at])[None]
            with torch.no_grad():
                logits = model(seen, torch.zeros_like(seen), torch.arange(at - start)[None])[0, -1]
            bits -= float(torch.log_softmax(logits.double(), -1)[ids[at]]) / math.log(2)
    return bits / held.text_bytes


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 13), min_size=1, max_size=20), st.integers(2, 7))
def test_bits_are_those_of_the_slow_twin(lengths, context):
    model = Transformer(ModelConfig(vocab_size=40, width=8, layers=1, heads=2))
    random = np.random.default_rng(len(lengths))
    held = HeldOut([random.integers(0, 40, length) for length in lengths], 100)
    assert bits_per_byte(model, held, context) == pytest.approx(slow_bits(model, held, context), rel=1e-5)


def test_a_model_that_knows_nothing_needs_the_width_of_the_vocabulary():
    model = Transformer(ModelConfig(vocab_size=64, width=8, layers=1, heads=2))
    with torch.no_grad():
        model.token.weight.zero_()
    held = HeldOut([np.arange(10), np.arange(5)], text_bytes=30)
    assert bits_per_byte(model, held, 4) == pytest.approx(15 * 6 / 30)
