import io
import keyword
import tokenize

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.pairs import BASH, EXCEL, PYTHON, Coded, MaskConfig, mask_names, name_spans
from instruct.pairs.spans import Span
from instruct.pairs.trees import MOST_BYTES

ALL = MaskConfig(ratio=1)


def names(code, lang):
    data = code.encode()
    return [data[start:end].decode() for start, end in name_spans(code, lang)]


@pytest.mark.parametrize(
    ("lang", "code", "found"),
    [
        (
            PYTHON,
            "def f(x):\n  return x if x is not None else True",
            "def f x return x if x is not None else True",
        ),
        (
            PYTHON,
            "import os.path as p; [y for y in z if y not in w]",
            "import os path as p y for y in z if y not in w",
        ),
        (PYTHON, "é.append('in for é') # for", "é append"),
        (PYTHON, "f'{a!r:>{w}} b'", "a w"),
        (PYTHON, "for x in [", "for x in"),
        (PYTHON, "1 + 2", ""),
        (PYTHON, "", ""),
        (BASH, 'for f in *.txt; do mv "$f" x; done', "for f in do mv f done"),
        (BASH, "A=1 find . -name 'x' | xargs rm", "A find xargs"),
        (BASH, "echo $(date) > out", "echo date"),
        (BASH, "g() { ls; }; if true; then g; fi", "g ls if true then g fi"),
        (EXCEL, "AND(top(3), TextEquals(c[1], 'top'))", "AND top TextEquals c[1]"),
        (EXCEL, "TextContains(é), é(", "TextContains"),
    ],
)
def test_spans_are_identifiers_and_keywords(lang, code, found):
    assert " ".join(names(code, lang)) == found


def test_spans_of_python_are_its_tokenizer_s_names_where_it_parses():
    code = (
        "def f(a, *b, **c):\n    global d\n    d = lambda a: (yield a) or not b\n    async def g(): await h\n"
    )
    words = [
        one.string
        for one in tokenize.generate_tokens(io.StringIO(code).readline)
        if one.type == tokenize.NAME
    ]
    assert names(code, PYTHON) == words
    assert set(words) & set(keyword.kwlist)


@pytest.mark.parametrize("lang", [PYTHON, BASH, EXCEL])
def test_what_is_too_long_is_not_parsed(lang):
    assert name_spans("(" * (1 << 20), lang) is None
    assert name_spans("x" * (1 << 20), lang) is None


@pytest.mark.parametrize("lang", [PYTHON, BASH, EXCEL])
@pytest.mark.parametrize(
    "piece", ["(", "[{(", "$(", "`", "-", "a.", "x[0]", "if x:\n", "f'{", "NOT(", "<<A ", "\0", "\U0001f600"]
)
def test_deep_and_odd_code_is_walked_without_harm(lang, piece):
    code = (piece * MOST_BYTES)[: MOST_BYTES // len(piece.encode()) * len(piece)]
    spans = name_spans(code, lang)
    assert spans is None or all(one.end <= two.start for one, two in zip(spans, spans[1:], strict=False))


CODE = st.text(st.characters(exclude_categories=("Cs",)), max_size=60) | st.lists(
    st.sampled_from(
        [
            "for",
            " ",
            "x",
            "in",
            "(",
            ")",
            "'",
            "$",
            "|",
            "\n",
            "é",
            "Top",
            "AND",
            ",",
            "c[1]",
            "if",
            ";",
            "1",
            ".",
        ]
    ),
    max_size=20,
).map("".join)


@given(CODE, st.sampled_from([PYTHON, BASH, EXCEL]), st.floats(0.01, 1), st.integers(0, 3))
def test_masked_tokens_cover_chosen_names_and_nothing_else(codet5, code, lang, ratio, seed):
    spans, coded, data = name_spans(code, lang), codet5.code([code])[0], code.encode()
    masked = mask_names("a", data, coded, spans, MaskConfig(ratio, seed))
    starts = [0, *coded.ends.tolist()]
    inside = {byte for span in spans for byte in range(*span)}
    hidden = set()
    for position in masked.positions:
        token = range(starts[position], starts[position + 1])
        hidden |= set(token)
        assert all(byte in inside or data[byte : byte + 1].isspace() for byte in token)
        assert set(token) & inside
    whole = [span for span in spans if set(range(*span)) <= hidden]
    assert len([span for span in spans if set(range(*span)) & hidden]) == len(whole) == masked.spans
    assert masked.positions == sorted(set(masked.positions))
    assert masked.spans + masked.straddled <= len(spans)
    assert bool(masked.positions) == (masked.straddled < len(spans))


@given(CODE, st.sampled_from([PYTHON, BASH, EXCEL]))
def test_with_bytes_as_tokens_every_name_can_be_hidden(byte_coder, code, lang):
    spans = name_spans(code, lang)
    masked = mask_names("a", code.encode(), byte_coder.code([code])[0], spans, ALL)
    assert masked.positions == [byte for span in spans for byte in range(*span)]
    assert (masked.spans, masked.straddled) == (len(spans), 0)


def coded(*ends):
    return Coded(np.arange(len(ends), dtype=np.int32), np.array(ends, np.int32))


def test_a_token_across_a_border_keeps_its_name_from_being_hidden():
    spans = [Span(0, 1), Span(2, 5)]
    assert mask_names("a", b"f.get(", coded(1, 5, 6), spans, ALL) == ([0], 1, 1)
    assert mask_names("a", b"f.get(", coded(1, 2, 6), spans, ALL) == ([0], 1, 1)
    assert mask_names("a", b"f.get(", coded(1, 2, 3, 5, 6), spans, ALL) == ([0, 2, 3], 2, 0)
    assert mask_names("a", b"f.get(", coded(6), spans, ALL) == ([], 0, 2)


def test_the_choice_depends_on_seed_and_id_and_has_the_ratio():
    code = "x " * 400
    spans, ends = [Span(2 * at, 2 * at + 1) for at in range(400)], coded(*range(1, 801))
    ones = {seed: mask_names("a", code.encode(), ends, spans, MaskConfig(0.3, seed)) for seed in (0, 1)}
    assert ones[0] == mask_names("a", code.encode(), ends, spans, MaskConfig(0.3, 0))
    assert ones[0].positions != ones[1].positions
    assert ones[0].positions != mask_names("b", code.encode(), ends, spans, MaskConfig(0.3, 0)).positions
    assert all(abs(one.spans - 120) < 4 * (400 * 0.3 * 0.7) ** 0.5 for one in ones.values())


def test_one_name_is_hidden_however_small_the_ratio():
    masked = mask_names("a", b"f(x)", coded(1, 2, 3, 4), [Span(0, 1), Span(2, 3)], MaskConfig(1e-9))
    assert masked.spans == 1


@pytest.mark.parametrize("ratio", [0, -0.1, 1.1, float("nan")])
def test_ratios_that_are_none_are_refused(ratio):
    with pytest.raises(ValueError, match="ratio"):
        MaskConfig(ratio=ratio)
