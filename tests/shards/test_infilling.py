"""Infilling: every document comes back as it was; rates, forms and cuts are as published; texts stay texts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from columns.errors import InputError
from shards import Documents, PackConfig, TokenizerConfig, make_tokenizer, pack
from shards.infilling import (
    LAYOUTS,
    PLAIN,
    PSM,
    SPM,
    InfillConfig,
    draw_cuts,
    encode_infilled,
    fitting,
    original_text,
)
from shards.infilling.encoding import encode_plain
from shards.ragged import Ragged, rows_of
from tests.shards.test_sentencepiece import train

NAMES = {layout: tuple(name for name in LAYOUTS[layout][:4] if name) for layout in LAYOUTS}
TEXT = st.text(st.sampled_from("ab \n\té☺🎉<fim_prefix>"), max_size=40)


def hashes(count: int) -> list[bytes]:
    return [number.to_bytes(32, "big") for number in range(count)]


@pytest.fixture(scope="module", params=list(LAYOUTS))
def with_layout(request, library_texts):
    layout = request.param
    config = TokenizerConfig(vocab_size=600, special_tokens=NAMES[layout])
    return make_tokenizer(config, library_texts[:5]), InfillConfig(rate=1.0, layout=layout)


@pytest.fixture(scope="module")
def like_llama(library_texts, tmp_path_factory):
    path = tmp_path_factory.mktemp("llama") / "tokenizer.model"
    names = NAMES["codellama"]
    path.write_bytes(train(library_texts[:3], user_defined_symbols=[*names, "\n"]))
    return make_tokenizer(TokenizerConfig(f"sentencepiece:{path}", bos="<s>", special_tokens=names))


def together(texts, tokenizer, config):
    cuts = draw_cuts(texts, hashes(len(texts)), config)
    return cuts, encode_infilled(texts, cuts, tokenizer, config)


def row(rows: Ragged, at: int) -> np.ndarray:
    return rows.ids[rows.offsets[at] : rows.offsets[at + 1]]


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(TEXT | st.none(), min_size=1, max_size=6),
    seed=st.integers(0, 3),
    unit=st.sampled_from(["character", "line"]),
)
def test_every_document_comes_back(with_layout, texts, seed, unit):
    tokenizer, config = with_layout
    config = InfillConfig(1.0, 0.5, unit, layout=config.layout, seed=seed)
    cuts, rows = together(texts, tokenizer, config)
    for at, text in enumerate(texts):
        assert (cuts.form[at] == PLAIN) == (not text) == (len(row(rows, at)) == 0)
        if text:
            assert original_text(row(rows, at), int(cuts.form[at]), tokenizer, config) == text
            assert 0 <= cuts.start[at] <= cuts.end[at] <= len(text)


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(TEXT, min_size=1, max_size=4), seed=st.integers(0, 9))
def test_every_document_comes_back_from_sentencepiece(like_llama, texts, seed):
    config = InfillConfig(1.0, layout="codellama", seed=seed)
    cuts, rows = together(texts, like_llama, config)
    for at, text in enumerate(texts):
        if text:
            assert original_text(row(rows, at), int(cuts.form[at]), like_llama, config) == text


def test_real_files_come_back(with_layout, library_texts):
    tokenizer, config = with_layout
    cuts, rows = together(library_texts, tokenizer, config)
    assert {PSM, SPM} == set(cuts.form.tolist())
    for at, text in enumerate(library_texts):
        assert original_text(row(rows, at), int(cuts.form[at]), tokenizer, config) == text


def test_the_order_of_parts_is_the_published_one(with_layout):
    tokenizer, config = with_layout
    marks = config.marks(tokenizer)
    text = "def f(x):\n    return x\n"
    for share, form in ((0.0, PSM), (1.0, SPM)):
        cuts, rows = together([text], tokenizer, InfillConfig(1.0, share, layout=config.layout))
        start, end = int(cuts.start[0]), int(cuts.end[0])
        head, middle, tail = (
            [*encode_plain(tokenizer, pa.array([part], pa.large_string())).ids]
            for part in (text[:start], text[start:end], text[end:])
        )
        joint = [*encode_plain(tokenizer, pa.array([text[:end]], pa.large_string())).ids]
        expected = [marks.prefix, *head, marks.suffix, *tail, marks.middle, *middle]
        if form == SPM:
            last = joint if config.layout_used.joint else head + middle
            expected = [marks.prefix, marks.suffix, *tail, marks.middle, *last]
        assert cuts.form[0] == form
        assert row(rows, 0).tolist() == expected + [marks.end] * (marks.end >= 0)


def test_code_llamas_spm_encodes_prefix_and_middle_as_one_text(like_llama):
    """Its encode_infill: the ids behind a character that joins with nothing, without the leading space."""
    config = InfillConfig(1.0, 1.0, layout="codellama")
    text = "def f(x):\n    return x + 1\n"
    cuts, rows = together([text], like_llama, config)
    marks, end = config.marks(like_llama), int(cuts.end[0])
    found = row(rows, 0).tolist()
    raw = like_llama._encoder.encode  # the model's own ids, no bos
    head, _ = raw(pa.array([text[:end]], pa.large_string()))
    assert found[found.index(marks.middle) + 1 : -1] == head.tolist()
    assert (found[0], found[1], found[-1]) == (marks.prefix, marks.suffix, marks.end)
    lead, _ = raw(pa.array(["☺"], pa.large_string()))
    tail, _ = raw(pa.array(["☺" + text[end:]], pa.large_string()))
    assert found[2 : found.index(marks.middle)] == tail.tolist()[len(lead) :]


def test_rate_and_forms_are_as_asked():
    """Within three sigma, as Code Llama says them: 0.9, half and half."""
    count = 20_000
    cuts = draw_cuts(["x" * 50] * count, hashes(count), InfillConfig(rate=0.9))
    applied, spm = int((cuts.form > 0).sum()), int((cuts.form == SPM).sum())
    assert abs(applied - 0.9 * count) < 3 * (count * 0.9 * 0.1) ** 0.5
    assert abs(spm - applied / 2) < 3 * (applied / 4) ** 0.5
    assert not draw_cuts(["x"] * 100, hashes(100), InfillConfig()).form.any()
    assert draw_cuts(["x"] * 100, hashes(100), InfillConfig(rate=1.0)).form.all()


def test_cuts_are_uniform_over_the_text():
    """Chi-squared over the 21 places of a text of 20 characters; the 0.999 quantile of 20 degrees is 45.3."""
    count, places = 20_000, 21
    cuts = draw_cuts(["é" * 20] * count, hashes(count), InfillConfig(rate=1.0))
    expected = 2 * count / places
    found = np.bincount(np.concatenate([cuts.start, cuts.end]), minlength=places)
    assert len(found) == places
    assert float(((found - expected) ** 2 / expected).sum()) < 45.3
    both = np.bincount(cuts.start * places + cuts.end, minlength=places * places).reshape(places, places)
    upper = both[np.triu_indices(places, 1)]
    each = 2 * count / places**2
    assert float(((upper - each) ** 2 / each).sum()) < 277  # the 0.999 quantile of 209 degrees of freedom


def test_lines_are_cut_where_they_begin():
    text = "a\nbb\n\nccc"
    cuts = draw_cuts([text] * 500, hashes(500), InfillConfig(rate=1.0, unit="line"))
    assert set(cuts.start) | set(cuts.end) == {0, 2, 5, 6, 9}


def test_nodes_are_the_middle_and_texts_without_are_cut_between_characters():
    config = InfillConfig(rate=1.0, unit="node")
    cuts = draw_cuts(["x" * 30] * 300, hashes(300), config, [[(2, 7), (9, 20)]] * 150 + [[]] * 150)
    assert {*zip(cuts.start[:150].tolist(), cuts.end[:150].tolist(), strict=True)} == {(2, 7), (9, 20)}
    assert len(set(cuts.start[150:].tolist())) > 20


def test_a_documents_cut_is_its_own_affair():
    config, texts = InfillConfig(rate=0.5), ["abcdefgh"] * 40
    whole = draw_cuts(texts, hashes(40), config)
    for at in range(40):
        alone = draw_cuts(["abcdefgh"], hashes(40)[at : at + 1], config)
        assert [column[0] for column in alone] == [column[at] for column in whole]
    assert draw_cuts(texts, hashes(40), InfillConfig(rate=0.5, seed=1)).form.tolist() != whole.form.tolist()


def test_text_that_spells_a_special_token_stays_text(with_layout):
    tokenizer, config = with_layout
    text = "".join(NAMES[config.layout]) * 3
    cuts, rows = together([text], tokenizer, config)
    found = row(rows, 0).tolist()
    assert all(found.count(tokenizer.special_id(name)) == 1 for name in NAMES[config.layout])
    assert original_text(row(rows, 0), int(cuts.form[0]), tokenizer, config) == text


def test_a_token_that_is_not_there_is_named(tokenizer):
    with pytest.raises(InputError, match="no special token '<fim_prefix>'"):
        together(["x"], tokenizer, InfillConfig(rate=1.0))
    named = InfillConfig(rate=1.0, tokens=("<P>", "<M>", "<S>", "<E>"))
    assert named.special_tokens() == ("<P>", "<M>", "<S>", "<E>")


def test_ids_of_another_form_are_refused(with_layout):
    tokenizer, config = with_layout
    with pytest.raises(ValueError, match="expected the special token"):
        original_text(np.array([1, 2]), PSM, tokenizer, config)
    marks = config.marks(tokenizer)
    with pytest.raises(ValueError, match="in this order"):
        original_text(np.array([marks.suffix, marks.prefix, marks.middle]), PSM, tokenizer, config)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate": 1.5}, "rate: expected 0 to 1"), ({"spm_share": -1}, "spm_share: expected 0 to 1"),
        ({"unit": "word"}, "unit: expected character, line, node"), ({"level": "x"}, "level: expected"),
        ({"layout": "x"}, "layout: expected"), ({"tokens": ("a",)}, "tokens: expected 3 or 4 distinct"),
        ({"tokens": ("a", "b", "a")}, "tokens: expected 3 or 4 distinct"),
    ],
)  # fmt: skip
def test_values_that_make_no_sense_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        InfillConfig(**change)


METHODS = st.sampled_from(
    [("concat", "drop"), ("concat", "pad"), ("concat", "pool"), ("best_fit", "drop"), ("single", "drop")]
)


@settings(max_examples=150, deadline=None)
@given(
    lengths=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 25)), max_size=30),
    seq_len=st.integers(1, 24), how=METHODS, joined=st.booleans(), data=st.data(),
)  # fmt: skip
def test_no_rearranged_document_is_cut(lengths, seq_len, how, joined, data):
    """Whatever is packed how: a document that is rearranged lies in one row, whole."""
    config = PackConfig(seq_len=seq_len, shard_tokens=seq_len, method=how[0], tail=how[1])
    count = len(lengths)
    ended = np.array([data.draw(st.booleans()) if joined else True for _ in range(count)], np.bool_)
    ended[-1:] = True
    plain, filled = (np.array([pair[kind] for pair in lengths], np.int64) for kind in (0, 1))
    group = np.cumsum(np.append(0, ended[:-1]))[:count].astype(np.int64)
    chosen = fitting(plain + ended, np.where(filled > 0, filled + ended, 0), group, config)
    used = np.where(chosen, filled, plain)
    rows = rows_of(np.ones(int(used.sum()), np.uint16), used)
    doc_ids = pa.array([number.to_bytes(16, "big") for number in range(count)], pa.binary(16))
    packed = pack(Documents(rows.ids, rows.offsets, doc_ids, ended), 0, config)
    pieces = [
        one
        for found in (packed.rows, packed.rest)
        for row in found.column("doc_ids").to_pylist()
        for one in row
    ]
    cut = {int.from_bytes(one, "big") for one in pieces if pieces.count(one) > 1}
    assert not cut & set(np.flatnonzero(chosen).tolist())
    pooled = {int.from_bytes(one, "big") for row in packed.rest.column("doc_ids").to_pylist() for one in row}
    assert not pooled & set(np.flatnonzero(chosen).tolist())


def test_what_fits_is_rearranged():
    sizes = np.full(50, 7)
    group = np.arange(50)
    assert fitting(sizes, sizes, group, PackConfig(seq_len=7)).all()
    assert fitting(sizes, sizes, group, PackConfig(seq_len=8, method="best_fit")).all()
    assert fitting(sizes, sizes, group, PackConfig(seq_len=14)).all()
    assert not fitting(sizes, sizes + 1, group, PackConfig(seq_len=7, method="best_fit")).any()
