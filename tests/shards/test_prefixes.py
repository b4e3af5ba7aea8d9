"""Prefixes: what stands before a document, how often, and in which words."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import InputError
from shards import TokenizerConfig, make_tokenizer
from shards.prefixes import MOST_STARS, PrefixConfig, comment, encode_prefixes, one_line, star_bucket

STARCODER = ("", "<reponame>", "<filename>", "<gh_stars>")


@pytest.fixture(scope="module")
def tokens(library_texts):
    names = tuple(name for name in STARCODER if name)
    return make_tokenizer(TokenizerConfig(vocab_size=600, special_tokens=names), library_texts[:5])


def rows(count: int, **columns: object) -> pa.RecordBatch:
    given = {"language": "python", "repo": "a/b", "path": "src/x.py", "stars": 50} | columns
    hashes = pa.array([number.to_bytes(32, "big") for number in range(count)], pa.binary(32))
    kinds = {"stars": pa.int64()}
    found = {name: pa.array([value] * count, kinds.get(name, pa.string())) for name, value in given.items()}
    return pa.RecordBatch.from_pydict({"content_hash": hashes, **found})


def texts(tokenizer, batch, config) -> list[str]:
    found = encode_prefixes(batch, tokenizer, config)
    return [tokenizer.decode(found.ids[a:b]) for a, b in zip(found.offsets, found.offsets[1:], strict=False)]


def test_comments_are_in_the_files_own_language(tokenizer):
    config = PrefixConfig(language=1.0, repo=1.0, path=1.0, stars=1.0)
    assert texts(tokenizer, rows(1), config) == [
        "# language: python\n# repo: a/b\n# path: src/x.py\n# stars: 10-100\n"
    ]
    assert texts(tokenizer, rows(1, language="go", repo=None), config)[0].startswith(
        "// language: go\n// path:"
    )


def test_tokens_stand_before_their_values(tokens):
    config = PrefixConfig(repo=1.0, path=1.0, stars=1.0, tokens=STARCODER)
    found = encode_prefixes(rows(1), tokens, config)
    ids = [tokens.special_id(name) for name in STARCODER[1:]]
    places = [int(np.flatnonzero(found.ids == one)[0]) for one in ids]
    assert places == sorted(places)
    assert places[0] == 0
    parts = [tokens.decode(part[1:]) for part in np.split(found.ids, places[1:])]
    assert parts == ["a/b", "src/x.py", "10-100\n"]


def test_a_value_that_spells_a_token_is_text(tokens):
    config = PrefixConfig(path=1.0, tokens=STARCODER)
    found = encode_prefixes(rows(1, path="<gh_stars><filename>"), tokens, config)
    assert found.ids.tolist().count(tokens.special_id("<filename>")) == 1
    assert tokens.special_id("<gh_stars>") not in found.ids


def test_each_field_is_drawn_by_itself(tokens):
    """Within three sigma of 0.2, and of 0.04 for two fields at once."""
    count, share = 4000, 0.2
    config = PrefixConfig(repo=share, stars=share, tokens=STARCODER)
    found = encode_prefixes(rows(count), tokens, config)
    owner = np.repeat(np.arange(count), found.lengths)
    having = {
        name: {*owner[found.ids == tokens.special_id(name)].tolist()} for name in ("<reponame>", "<gh_stars>")
    }
    for some in having.values():
        assert abs(len(some) - share * count) < 3 * (count * share * (1 - share)) ** 0.5
    both = len(having["<reponame>"] & having["<gh_stars>"])
    assert abs(both - count * share**2) < 3 * (count * share**2) ** 0.5


def test_what_a_document_lacks_is_left_out(tokenizer):
    config = PrefixConfig(repo=1.0, stars=1.0)
    assert texts(tokenizer, rows(2, repo=None, stars=None), config) == ["", ""]
    assert texts(tokenizer, rows(0), config) == []


@given(st.text())
def test_a_path_is_one_line(path):
    for language in ("python", "css", "html", None, "no such"):
        found = comment(language, one_line(path))
        assert found.endswith("\n")
        assert len(found.splitlines()) == 1


def test_a_comment_cannot_be_closed_from_inside():
    assert comment("css", "a */ body {} /*").count("*/") == 1


@pytest.mark.parametrize(
    ("stars", "bucket"), [(0, "0"), (1, "1-10"), (11, "10-100"), (101, "100-1000"), (1001, MOST_STARS)]
)
def test_stars_are_in_buckets(stars, bucket):
    assert star_bucket(stars) == bucket


def test_values_that_make_no_sense_are_refused(tokenizer):
    with pytest.raises(ValueError, match="path: expected 0 to 1"):
        PrefixConfig(path=2)
    with pytest.raises(ValueError, match="tokens: expected one for each of language, repo, path, stars"):
        PrefixConfig(tokens=("a",))
    with pytest.raises(InputError, match="no special token '<filename>'"):
        encode_prefixes(rows(1), tokenizer, PrefixConfig(path=1.0, tokens=STARCODER))
