from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import InputError
from sources.headers import ALIASES, require_content, resolve


@pytest.mark.parametrize("ours", ALIASES)
def test_every_alias_is_found(ours: str) -> None:
    for alias in ALIASES[ours]:
        assert resolve([alias])[ours] == alias


def test_no_alias_names_two_columns() -> None:
    listed = [alias for aliases in ALIASES.values() for alias in aliases]
    assert len(listed) == len(set(listed))


def test_first_alias_wins_in_any_order() -> None:
    assert resolve(["code", "content"])["content"] == "content"
    assert resolve(["content", "code"])["content"] == "content"


def test_id_is_a_blob_only_in_bigquery() -> None:
    assert "blob_id" not in resolve(["id", "content"])
    assert resolve(["id", "copies", "content"])["blob_id"] == "id"
    assert resolve(["id", "copies", "blob_id"])["blob_id"] == "blob_id"


@given(st.lists(st.sampled_from([*sum(ALIASES.values(), ()), "other"]), unique=True), st.randoms())
def test_order_of_columns_is_irrelevant(names: list[str], random: object) -> None:
    shuffled = sorted(names, key=lambda _: random.random())
    assert resolve(names) == resolve(shuffled)


def test_chosen_columns_must_be_there() -> None:
    assert require_content("t", ["a", "content"], [("content", "a")])["content"] == "a"
    with pytest.raises(InputError, match=r"t: no column 'b' \(asked for as content\); found: a"):
        require_content("t", ["a"], [("content", "b")])
    with pytest.raises(InputError, match="found: none"):
        require_content("t", [])
