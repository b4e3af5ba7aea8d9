"""Tokenizers: training is deterministic, engines agree, special tokens in text are ordinary text."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import keyword
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from columns.errors import InputError, OutputError
from columns.files import Place
from shards.tokenizers import Tokenizer, TokenizerConfig, load_tokenizer, make_tokenizer
from shards.tokenizers.bpe import dump_ranks, hugging_face_json, parse_ranks, train_ranks
from shards.tokenizers.encoders import (
    PROBE,
    GigatokenEncoder,
    HuggingFaceEncoder,
    TiktokenEncoder,
    column_of,
    rank_encoder,
    same_ids,
)
from shards.tokenizers.patterns import ENCODINGS, PATTERNS

EOT = "<|endoftext|>"
LOOK_ALIKE = f"print('{EOT}')\n{EOT}{EOT} <|fim_prefix|>"


def texts(max_size: int = 60) -> st.SearchStrategy[str]:
    """Text as the product sees it: any Unicode but surrogates, rich in code and special-token look-alikes."""
    spice = ["    ", "\n\n", "\t", EOT, "<|fim_prefix|>", "'s", "12345", "\r\n", *keyword.kwlist]
    plain = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    return st.lists(st.one_of(plain, st.sampled_from(spice)), max_size=max_size).map("".join)


def column(values: list[str | None]) -> pa.Array:
    return pa.array(values, pa.large_string())


def ranks_of(tokenizer: Tokenizer) -> dict[bytes, int]:
    return parse_ranks(tokenizer.vocabulary.data, "ranks")


def encoder(kind: type, tokenizer: Tokenizer):
    return kind(ranks_of(tokenizer), "cl100k", {EOT: tokenizer.eot_id})


# engines


def test_tiktoken_and_hugging_face_agree_on_real_code(tokenizer, library_texts):
    exported = hugging_face_json(ranks_of(tokenizer), "cl100k", {EOT: tokenizer.eot_id}).decode()
    assert same_ids(encoder(TiktokenEncoder, tokenizer), HuggingFaceEncoder(exported), library_texts[:40])


@pytest.mark.parametrize("pattern", sorted(PATTERNS))
def test_both_spellings_of_each_pattern_cut_alike(pattern, library_texts):
    ranks = train_ranks(library_texts[:4], 600, pattern)
    exported = hugging_face_json(ranks, pattern, {EOT: len(ranks)}).decode()
    reference = TiktokenEncoder(ranks, pattern, {EOT: len(ranks)})
    assert same_ids(reference, HuggingFaceEncoder(exported), [*library_texts[40:50], *PROBE])


@settings(max_examples=60)
@given(st.lists(texts(), max_size=6))
def test_engines_agree_on_any_text(tokenizer_engines, batch):
    reference, *others = tokenizer_engines
    for other in others:
        assert same_ids(reference, other, batch)


@pytest.fixture(scope="session")
def tokenizer_engines(tokenizer):
    exported = hugging_face_json(ranks_of(tokenizer), "cl100k", {EOT: tokenizer.eot_id}).decode()
    found = [encoder(TiktokenEncoder, tokenizer), HuggingFaceEncoder(exported)]
    with contextlib.suppress(ImportError):
        found.append(encoder(GigatokenEncoder, tokenizer))
    return found


@pytest.mark.parametrize("pattern", ["cl100k", "r50k"])
def test_gigatoken_gives_the_same_ids(pattern, library_texts):
    pytest.importorskip("gigatoken", reason="the optional accelerator is not installed")
    ranks = train_ranks(library_texts[:10], 1200, pattern)
    reference = TiktokenEncoder(ranks, pattern, {})
    try:
        fast = GigatokenEncoder(ranks, pattern, {})
    except ValueError:
        assert type(rank_encoder(ranks, pattern, {})) is TiktokenEncoder
        return
    long = [" " * 200_000, "a" * 200_000, "\n" * 100_000, "#" * 100_000, " \t" * 100_000, "é" * 100_000]
    assert same_ids(fast, reference, [*library_texts, *PROBE, *long, LOOK_ALIKE])
    every = [
        f"a{chr(c)}1 {chr(c)}{chr(c)} '{chr(c)}b\n {chr(c)}"
        for c in range(0x3400)
        if not 0xD800 <= c < 0xE000
    ]
    assert same_ids(fast, reference, every)


def test_gigatoken_is_chosen_only_when_it_is_there_and_equal(tokenizer, monkeypatch):
    ranks = ranks_of(tokenizer)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert type(rank_encoder(ranks, "cl100k", {})) is TiktokenEncoder
    monkeypatch.undo()
    monkeypatch.setattr("shards.tokenizers.encoders.same_ids", lambda *_: False)
    assert type(rank_encoder(ranks, "cl100k", {})) is TiktokenEncoder
    assert type(rank_encoder({**ranks, b"gap gap": 99_999}, "cl100k", {})) is TiktokenEncoder
    assert type(rank_encoder(ranks, "o200k", {})) is TiktokenEncoder


def test_a_panic_of_the_accelerator_never_stops_a_run(tokenizer):
    pytest.importorskip("gigatoken", reason="the optional accelerator is not installed")
    ranks = ranks_of(tokenizer)
    fast = GigatokenEncoder(ranks, "cl100k", {})

    class PanicException(BaseException):
        pass

    class Panics:
        def encode_batch(self, *_args, **_options):
            raise PanicException

    fast._fast = Panics()
    assert same_ids(fast, TiktokenEncoder(ranks, "cl100k", {}), PROBE)


@pytest.mark.parametrize("character", [" ", "\t", "a", "#", "\n", "\u00a0"])
@pytest.mark.parametrize("pattern", sorted(PATTERNS))
def test_a_very_long_piece_never_raises(character, pattern, tokenizer):
    text = character * 1_000_000
    ids, counts = TiktokenEncoder(ranks_of(tokenizer), pattern, {}).encode(column_of([text]))
    assert int(counts[0]) == len(ids) > 0
    assert TiktokenEncoder(ranks_of(tokenizer), pattern, {}).decode(ids[:10]) == character * len(
        TiktokenEncoder(ranks_of(tokenizer), pattern, {}).decode(ids[:10])
    )


# the tokenizer


@settings(max_examples=60)
@given(st.lists(st.one_of(st.none(), texts(20)), max_size=8), st.data())
@example([None, "", "x"], None)
def test_encoding_obeys_the_batch_law_on_slices(tokenizer, values, data):
    batch = column(["before", *values, "after"]).slice(1, len(values))
    cut = 1 if data is None else data.draw(st.integers(0, len(values)))
    ids, offsets = tokenizer.encode_batch(batch)
    (left, left_offsets), (right, right_offsets) = (
        tokenizer.encode_batch(piece) for piece in (batch.slice(0, cut), batch.slice(cut))
    )
    assert np.array_equal(ids, np.concatenate([left, right]))
    assert np.array_equal(offsets, np.concatenate([left_offsets, left_offsets[-1] + right_offsets[1:]]))
    for index, text in enumerate(values):
        assert tokenizer.decode(ids[offsets[index] : offsets[index + 1]]) == (text or "")


def test_an_empty_batch_has_no_tokens(tokenizer):
    ids, offsets = tokenizer.encode_batch(column([]))
    assert (ids.dtype, len(ids), offsets.tolist()) == (np.uint16, 0, [0])


def test_string_arrays_of_either_width_are_taken(tokenizer):
    narrow, wide = pa.array(["x = 1"], pa.string()), column(["x = 1"])
    assert np.array_equal(tokenizer.encode_batch(narrow)[0], tokenizer.encode_batch(wide)[0])


def test_decoding_broken_utf8_gives_replacement_characters(tokenizer):
    ids, _ = tokenizer.encode_batch(column(["é"]))
    single = [token for token in range(256) if bytes([token]) == b"\xc3"]
    assert "\ufffd" in tokenizer.decode(single)
    assert tokenizer.decode([*ids, tokenizer.eot_id]) == f"é{EOT}"


def tiktoken_file(folder: Path, tokenizer: Tokenizer) -> Path:
    path = folder / "own.tiktoken"
    path.write_bytes(tokenizer.vocabulary.data)
    return path


def hugging_face_file(folder: Path, tokenizer: Tokenizer, *, special: bool = True) -> Path:
    exported = json.loads(hugging_face_json(ranks_of(tokenizer), "cl100k", {EOT: tokenizer.eot_id}))
    for token in exported["added_tokens"]:
        token["special"] = special
    exported["truncation"] = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(exported))
    return path


@pytest.fixture(params=["train", "tiktoken", "tokenizers", "tokenizers, not special"])
def any_tokenizer(request, tmp_path, tokenizer):
    if request.param == "train":
        return tokenizer
    if request.param == "tiktoken":
        return make_tokenizer(TokenizerConfig(spec=f"tiktoken:{tiktoken_file(tmp_path, tokenizer)}#cl100k"))
    path = hugging_face_file(tmp_path, tokenizer, special=request.param == "tokenizers")
    return make_tokenizer(TokenizerConfig(spec=f"tokenizers:{path}"))


def test_text_that_looks_like_a_special_token_is_ordinary_text(any_tokenizer):
    ids, offsets = any_tokenizer.encode_batch(column([LOOK_ALIKE, EOT, "x"]))
    assert any_tokenizer.eot_id not in ids
    assert any_tokenizer.decode(ids[: offsets[1]]) == LOOK_ALIKE


def test_every_kind_gives_the_same_ids_for_the_same_vocabulary(any_tokenizer, tokenizer, library_texts):
    batch = column([*library_texts[:5], LOOK_ALIKE, None])
    assert np.array_equal(any_tokenizer.encode_batch(batch)[0], tokenizer.encode_batch(batch)[0])
    assert any_tokenizer.eot_id == tokenizer.eot_id
    assert any_tokenizer.vocab_size == tokenizer.vocab_size


def test_every_kind_saves_loads_and_pickles(any_tokenizer, tmp_path):
    place = Place(str(tmp_path / "saved"))
    any_tokenizer.save(place)
    batch = column(["def f():\n    return 1\n"])
    ids, _ = any_tokenizer.encode_batch(batch)
    for other in (load_tokenizer(place), pickle.loads(pickle.dumps(any_tokenizer))):
        assert other.vocabulary == any_tokenizer.vocabulary
        assert np.array_equal(other.encode_batch(batch)[0], ids)
    assert load_tokenizer(place) is load_tokenizer(Place(place.url))


def test_saved_files_open_with_the_libraries_themselves(tokenizer, tmp_path):
    import tiktoken
    import tokenizers
    from tiktoken.load import load_tiktoken_bpe

    tokenizer.save(Place(str(tmp_path)))
    ids, _ = tokenizer.encode_batch(column(["for x in y:\n        pass"]))
    ranks = load_tiktoken_bpe(str(tmp_path / "ranks.tiktoken"))
    spelling = PATTERNS["cl100k"].possessive
    ours = tiktoken.Encoding(
        "x", pat_str=spelling, mergeable_ranks=ranks, special_tokens={EOT: tokenizer.eot_id}
    )
    assert ours.encode("for x in y:\n        pass") == ids.tolist()
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert theirs.encode("for x in y:\n        pass").ids == ids.tolist()
    assert theirs.token_to_id(EOT) == tokenizer.eot_id == theirs.get_vocab_size() - 1


def test_saving_twice_gives_the_same_bytes(tokenizer, tmp_path):
    first, second = Place(str(tmp_path / "a")), Place(str(tmp_path / "b"))
    tokenizer.save(first)
    pickle.loads(pickle.dumps(tokenizer)).save(second)
    assert first.names() == second.names() == ["ranks.tiktoken", "tokenizer.json", "vocabulary.json"]
    assert all(first.read(name) == second.read(name) for name in first.names())


def test_a_changed_or_missing_tokenizer_is_refused(tokenizer, tmp_path):
    place = Place(str(tmp_path))
    with pytest.raises(OutputError, match="no tokenizer"):
        load_tokenizer(place)
    tokenizer.save(place)
    place.write_bytes("ranks.tiktoken", tokenizer.vocabulary.data + b"eHh4eHh4 9999\n")
    with pytest.raises(OutputError, match="was changed"):
        load_tokenizer(place)


# given files


def write_published(folder: Path, monkeypatch, name: str = "p50k_base") -> Path:
    """A stand-in for a published file, in the cache's layout, that leaves an id free for end of text."""
    ranks = {bytes([value]): value for value in range(256)} | {b"  ": 257}
    data = dump_ranks(ranks)
    known = ENCODINGS[name]._replace(sha256=hashlib.sha256(data).hexdigest(), eot_id=256)
    monkeypatch.setitem(ENCODINGS, name, known)
    url = f"https://openaipublic.blob.core.windows.net/encodings/{name}.tiktoken"
    path = folder / hashlib.sha1(url.encode()).hexdigest()
    path.write_bytes(data)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(folder))
    return path


def test_a_named_encoding_is_read_from_the_local_cache(tmp_path, monkeypatch):
    write_published(tmp_path, monkeypatch)
    found = make_tokenizer(TokenizerConfig(spec="tiktoken:p50k_base"))
    assert (found.name, found.eot_id, found.vocab_size) == ("p50k_base", 256, 258)
    assert found.vocabulary.pattern == "r50k"
    ids, _ = found.encode_batch(column([LOOK_ALIKE]))
    assert found.eot_id not in ids


def test_a_named_encoding_that_is_not_here_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("shards.tokenizers.published._PACKAGE", "no_such_package")
    with pytest.raises(InputError, match="nothing is downloaded: give the file"):
        make_tokenizer(TokenizerConfig(spec="tiktoken:p50k_base"))


def test_a_cached_file_with_other_content_is_refused(tmp_path, monkeypatch):
    write_published(tmp_path, monkeypatch).write_bytes(b"AA== 0\n")
    with pytest.raises(InputError, match="sha256 is"):
        make_tokenizer(TokenizerConfig(spec="tiktoken:p50k_base"))


def test_a_published_file_under_another_name_is_known_by_its_hash(tmp_path, monkeypatch):
    path = write_published(tmp_path, monkeypatch)
    found = make_tokenizer(TokenizerConfig(spec=f"tiktoken:{path}"))
    assert (found.vocabulary.pattern, found.eot_id) == ("r50k", 256)


def test_a_rank_file_needs_a_pattern(tmp_path, tokenizer):
    path = tiktoken_file(tmp_path, tokenizer)
    with pytest.raises(InputError, match="#cl100k"):
        make_tokenizer(TokenizerConfig(spec=f"tiktoken:{path}"))
    with pytest.raises(InputError, match="one of cl100k, o200k, r50k"):
        make_tokenizer(TokenizerConfig(spec=f"tiktoken:{path}#nonsense"))
    named = tmp_path / "cl100k_base.tiktoken"
    named.write_bytes(path.read_bytes())
    assert make_tokenizer(TokenizerConfig(spec=f"tiktoken:{named}")).vocabulary.pattern == "cl100k"


def test_the_sha256_of_a_given_file_is_checked(tmp_path, tokenizer):
    path = tiktoken_file(tmp_path, tokenizer)
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    spec = f"tiktoken:{path}#cl100k"
    assert make_tokenizer(TokenizerConfig(spec=spec, sha256=right.upper())).sha256 == right
    with pytest.raises(InputError, match=f"sha256 is {right}, expected {'0' * 64}"):
        make_tokenizer(TokenizerConfig(spec=spec, sha256="0" * 64))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not ranks", "line 1: expected 'BASE64 RANK'"),
        (b"YQ== x\n", "line 1"),
        (b"\n" + base64.b64encode(b"a") + b" 0\n", "255 of 256 bytes missing"),
        (b"", "256 of 256 bytes missing"),
        (b"\xff\xfe 3\n", "line 1"),
    ],
)
def test_a_file_that_is_not_ranks_is_refused(tmp_path, content, message):
    path = tmp_path / "bad.tiktoken"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        make_tokenizer(TokenizerConfig(spec=f"tiktoken:{path}#r50k"))


@pytest.mark.parametrize("kind", ["tiktoken", "tokenizers"])
def test_a_missing_file_is_refused(tmp_path, kind):
    with pytest.raises(InputError, match="cannot read the vocabulary"):
        make_tokenizer(TokenizerConfig(spec=f"{kind}:{tmp_path}/absent"))


@pytest.mark.parametrize("content", [b"{}", b"no json", b"\xff", b'{"model": 3}'])
def test_a_file_that_is_not_a_tokenizer_is_refused(tmp_path, content):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"not a tokenizer\.json"):
        make_tokenizer(TokenizerConfig(spec=f"tokenizers:{path}"))


def test_a_tokenizer_without_the_end_of_text_token_is_refused(tmp_path, tokenizer):
    path = hugging_face_file(tmp_path, tokenizer)
    with pytest.raises(InputError, match=r"no end-of-text token '</s>'") as caught:
        make_tokenizer(TokenizerConfig(spec=f"tokenizers:{path}", eot="</s>"))
    assert EOT in str(caught.value)


def test_a_vocabulary_in_which_text_can_spell_end_of_text_is_refused(tmp_path, tokenizer):
    path = hugging_face_file(tmp_path, tokenizer)
    with pytest.raises(InputError, match="'def' encodes to the special token"):
        make_tokenizer(TokenizerConfig(spec=f"tokenizers:{path}", eot="def"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"spec": "gpt2"}, "spec: expected train"),
        ({"spec": "tiktoken:"}, "spec: expected train"),
        ({"vocab_size": 280}, "at least 281, got 280"),
        ({"sample_bytes": 0}, "sample_bytes"),
        ({"sha256": "0" * 64}, "for train"),
        ({"spec": "tiktoken:x", "sha256": "0"}, "64 hex digits"),
        ({"eot": ""}, "eot"),
    ],
)
def test_impossible_configurations_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        TokenizerConfig(**values)


# identity


def identity(**options) -> str:
    return make_tokenizer(TokenizerConfig(vocab_size=400, **options), ["x = 1\n"] * 9).identity


def test_what_changes_ids_changes_the_identity():
    found = [
        identity(), identity(special_tokens=("<a>",)), identity(special_tokens=("<a>", "<b>")),
        identity(special_tokens=("<b>", "<a>")), identity(special_tokens=("<a>",), bos="<a>"), identity(eot="<end>"),
        identity(runs="none"), identity(pattern="r50k"),
    ]  # fmt: skip
    assert len(set(found)) == len(found)
    assert all(len(one) == 64 for one in found)


def test_the_identity_outlives_saving(tmp_path):
    made = make_tokenizer(
        TokenizerConfig(vocab_size=400, special_tokens=("<a>",), bos="<a>"), ["x = 1\n"] * 9
    )
    made.save(Place(str(tmp_path)))
    assert load_tokenizer(Place(str(tmp_path))).identity == made.identity


def test_another_name_is_the_same_tokenizer(tmp_path):
    """A trained tokenizer given as a file to another build: the same ids, so its tokens may be mixed."""
    made = make_tokenizer(TokenizerConfig(vocab_size=400), ["x = 1\n"] * 9)
    made.save(Place(str(tmp_path)))
    again = make_tokenizer(TokenizerConfig(f"tiktoken:{tmp_path}/ranks.tiktoken#cl100k"))
    assert (again.name, again.identity) == ("ranks.tiktoken", made.identity)
