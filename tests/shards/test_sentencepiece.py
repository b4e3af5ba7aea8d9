"""SentencePiece models: Llama's layout, byte fallback, and control tokens that no text can spell."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from columns.errors import InputError
from columns.files import Place
from shards import Tokenizer, TokenizerConfig, load_tokenizer, make_tokenizer

sentencepiece = pytest.importorskip("sentencepiece", reason="the package sentencepiece is not installed")
NAMED = ("<PRE>", "<SUF>", "[INST]")
LIKE_LLAMA = {
    "model_type": "bpe", "vocab_size": 700, "byte_fallback": True, "normalization_rule_name": "identity",
    "remove_extra_whitespaces": False, "allow_whitespace_only_pieces": True, "split_digits": True,
    "character_coverage": 1.0, "minloglevel": 2, "num_threads": 1,
}  # fmt: skip


def train(texts: list[str], **options: object) -> bytes:
    """A model as bytes; lines are its sentences."""
    found = io.BytesIO()
    lines = [line for text in texts for line in text.splitlines() if line]
    settings = {**LIKE_LLAMA, "user_defined_symbols": [*NAMED, "\n"], **options}
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=found, **settings)
    return found.getvalue()


@pytest.fixture(scope="module")
def model(library_texts, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("sentencepiece") / "tokenizer.model"
    path.write_bytes(train(library_texts[:3]))
    return path


@pytest.fixture(scope="module")
def tokenizer(model) -> Tokenizer:
    return make_tokenizer(TokenizerConfig(f"sentencepiece:{model}", special_tokens=NAMED))


def column(*values: str | None) -> pa.Array:
    return pa.array(values, pa.large_string())


def test_the_models_own_end_of_sentence_ends_documents(tokenizer):
    assert (tokenizer.vocabulary.eot, tokenizer.eot_id, tokenizer.engine) == ("</s>", 2, "sentencepiece")
    assert (tokenizer.vocab_size, tokenizer.dtype) == (700, np.uint16)
    assert tokenizer.special_id("<s>") == 1


def test_ids_are_the_librarys_own(model, library_texts):
    tokenizer = make_tokenizer(TokenizerConfig(f"sentencepiece:{model}"))
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(model))
    ids, offsets = tokenizer.encode_batch(column(*library_texts[:6]))
    for row, text in enumerate(library_texts[:6]):
        assert ids[offsets[row] : offsets[row + 1]].tolist() == theirs.encode(text)


@pytest.mark.parametrize(
    "text", ["</s>", "<s>", "<unk>", "<pad>", *NAMED, "<0x0A>", "▁", "x</s>\n<s> <PRE>[INST]"]
)
def test_text_that_spells_a_special_token_is_ordinary_text(tokenizer, text):
    ids, _ = tokenizer.encode_batch(column(text))
    assert not {*ids.tolist()} & {*tokenizer.vocabulary.specials.values(), tokenizer.eot_id}
    assert tokenizer.decode(ids) == text.replace("▁", " ")


def test_without_being_asked_for_user_defined_pieces_stay_as_the_model_has_them(model):
    plain = make_tokenizer(TokenizerConfig(f"sentencepiece:{model}"))
    assert len(plain.encode_batch(column("[INST]"))[0]) <= 2
    assert plain.eot_id not in plain.encode_batch(column("</s><s>"))[0]


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="▁\x00"), max_size=30))
@example("\t\tif x:\r\n\n\n  日本語 😀 \u0301")
@example("")
def test_every_text_comes_back(tokenizer, text):
    ids, _ = tokenizer.encode_batch(column(text))
    assert tokenizer.decode(ids) == text


def test_a_byte_without_a_piece_falls_back_to_its_byte_token(tokenizer):
    ids, _ = tokenizer.encode_batch(column("\U0001f980"))
    assert 0 not in ids
    assert len(ids) >= 4


def test_nul_null_and_a_long_run_do_not_stop_it(tokenizer):
    _, offsets = tokenizer.encode_batch(column("a\x00b", None, "", " " * 100_000, "=" * 20_000))
    assert offsets[1] == offsets[2] == offsets[3] < offsets[4] < offsets[5]


def test_documents_begin_with_the_named_token(model):
    tokenizer = make_tokenizer(TokenizerConfig(f"sentencepiece:{model}", bos="<s>"))
    ids, offsets = tokenizer.encode_batch(column("x", None, "<s>"))
    assert (ids[0], ids[offsets[2]]) == (1, 1)
    assert (ids == 1).sum() == 2
    assert offsets[1] == offsets[2]
    assert tokenizer.decode(ids[: offsets[1]]) == "<s>x"


def test_it_is_saved_and_read_back(tokenizer, tmp_path):
    tokenizer.save(Place(str(tmp_path)))
    assert Place(str(tmp_path)).names() == ["tokenizer.model", "vocabulary.json"]
    found = load_tokenizer(Place(str(tmp_path)))
    assert found.vocabulary == tokenizer.vocabulary
    text = column("<PRE>x\n")
    assert np.array_equal(found.encode_batch(text)[0], tokenizer.encode_batch(text)[0])


def test_a_token_that_the_model_lacks_is_refused(model):
    for wrong in ({"special_tokens": ("<MID>",)}, {"bos": "<begin>"}):
        with pytest.raises(InputError, match="the model has no token '<"):
            make_tokenizer(TokenizerConfig(f"sentencepiece:{model}", **wrong))


def test_a_model_that_loses_white_space_is_refused(library_texts, tmp_path):
    path = tmp_path / "prose.model"
    path.write_bytes(
        train(library_texts[:1], remove_extra_whitespaces=True, normalization_rule_name="nmt_nfkc")
    )
    with pytest.raises(InputError, match="loses white space"):
        make_tokenizer(TokenizerConfig(f"sentencepiece:{path}"))


@pytest.mark.parametrize("content", [b"", b"no model", b"\xff" * 40])
def test_a_file_that_is_no_model_is_refused(tmp_path, content):
    path = tmp_path / "broken.model"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a SentencePiece model"):
        make_tokenizer(TokenizerConfig(f"sentencepiece:{path}"))


def test_the_hash_of_a_model_is_checked(model):
    with pytest.raises(InputError, match="sha256 is"):
        make_tokenizer(TokenizerConfig(f"sentencepiece:{model}", sha256="0" * 64))
