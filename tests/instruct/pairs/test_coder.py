import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import InputError
from instruct.pairs import Coder, byte_level_coder
from tests.instruct.pairs.conftest import write_vocabulary

TEXTS = st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=20), max_size=4)


@given(TEXTS)
def test_ends_cut_a_text_into_the_bytes_of_its_tokens(codet5, texts):
    names = {number: token for token, number in _known(codet5).items()}
    for text, coded in zip(texts, codet5.code(texts), strict=True):
        data, start = text.encode(), 0
        for number, end in zip(coded.ids.tolist(), coded.ends.tolist(), strict=True):
            assert len(names[number]) == end - start > 0
            start = end
        assert start == len(data)


def _known(coder):
    from tokenizers.pre_tokenizers import ByteLevel

    from tests.instruct.pairs.conftest import MERGES, SPECIALS

    tokens = [*SPECIALS, *sorted(ByteLevel.alphabet()), *(pair.replace(" ", "") for pair in MERGES)]
    return {token: number for number, token in enumerate(tokens)}


def test_merges_make_fewer_tokens_than_bytes(codet5):
    ids, ends = codet5.code(["for x in ls"])[0]
    assert (len(ids), ends.tolist()) == (5, [3, 5, 8, 9, 11])


def test_text_that_spells_a_special_token_is_ordinary_text(codet5):
    ids = codet5.code(["<mask><pad>"])[0].ids
    assert len(ids) == 11
    assert not {codet5.mask_id, codet5.pad_id} & set(ids.tolist())


def test_special_tokens_have_codet5_s_numbers(codet5):
    assert (codet5.pad_id, codet5.mask_id) == (0, 4)


def test_a_tokenizer_that_changes_texts_is_refused():
    coder = Coder(
        lambda texts: [list(text.lower().strip().encode()) for text in texts], np.ones(256, np.int32), 0, 1
    )
    assert len(coder.code(["ls", ""])[0].ids) == 2
    with pytest.raises(InputError, match="changes texts"):
        coder.code([" ls"])


@pytest.mark.parametrize(
    ("without", "said"), [("<mask>", "no token <mask>"), ("<pad>", "no token <pad>"), ("a", "1 bytes")]
)
def test_a_vocabulary_without_what_is_needed_is_refused(tmp_path, without, said):
    with pytest.raises(InputError, match=said):
        byte_level_coder(write_vocabulary(tmp_path, without=without))


def test_files_that_are_missing_or_broken_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"expected one vocab\.json, found 0"):
        byte_level_coder(tmp_path)
    write_vocabulary(tmp_path)
    (tmp_path / "other-vocab.json").write_text("{}")
    with pytest.raises(InputError, match=r"expected one vocab\.json, found 2"):
        byte_level_coder(tmp_path)


@pytest.mark.parametrize("content", ["[", "[]", '{"a": "b"}', '{"a": -1}', '{"a": true}', "[" * 100_000])
def test_a_vocabulary_that_is_none_is_refused(tmp_path, content):
    write_vocabulary(tmp_path)
    (tmp_path / "codet5-vocab.json").write_text(content)
    with pytest.raises(InputError, match="not a vocabulary"):
        byte_level_coder(tmp_path)


def test_merges_of_another_vocabulary_are_refused(tmp_path):
    write_vocabulary(tmp_path)
    (tmp_path / "codet5-merges.txt").write_text("#version: 0.2\nz zz\n")
    with pytest.raises(InputError, match="not the merges"):
        byte_level_coder(tmp_path)
