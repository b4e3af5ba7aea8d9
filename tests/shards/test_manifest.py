"""The manifest: deterministic bytes, refused when it is not one, and checksums that notice damage."""

from __future__ import annotations

import json

import pytest

from columns.errors import OutputError
from columns.files import Place
from shards.format import file_sha256
from shards.manifest import MANIFEST, Manifest, read_manifest, verify


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(str(tmp_path))


def listed(place: Place, section: str, name: str, content: bytes) -> dict[str, object]:
    at = place.child(section)
    at.write_bytes(name, content)
    return {"name": name, "sha256": file_sha256(at, name), "rows": 1}


def dataset(place: Place) -> Manifest:
    shards = [
        listed(place, "shards", f"train-0000{index}-of-00002.arrow", b"x" * index) for index in range(2)
    ]
    ledger = [listed(place, "ledger", "part-00000-of-00001.parquet", b"ledger")]
    return Manifest(shards=shards, ledger=ledger, tokens={"written": 3}, recipe={"naïve": [1, None, 0.5]})


def test_it_comes_back_as_it_was(place):
    manifest = dataset(place)
    manifest.write(place)
    back = read_manifest(place)
    assert back.dump() == manifest.dump()
    assert back.tokens == {"written": 3}
    assert back.format == "thresher/1"


def test_the_bytes_do_not_depend_on_the_order_of_keys():
    left = Manifest(tokens={"a": 1, "b": {"c": 2, "d": 3}})
    right = Manifest(tokens={"b": {"d": 3, "c": 2}, "a": 1})
    assert left.dump() == right.dump()
    assert left.dump().endswith(b"\n}\n")


def test_it_has_the_sections_of_the_contract():
    names = "contamination dedup documents fingerprints format funnel inputs ledger licenses pinned privacy"
    assert sorted(json.loads(Manifest().dump())) == [
        *names.split(),
        "recipe",
        "shards",
        "tokenizer",
        "tokens",
    ]


def test_numbers_that_json_does_not_have_are_refused():
    with pytest.raises(ValueError, match="JSON compliant"):
        Manifest(tokens={"x": float("nan")}).dump()


def test_a_whole_dataset_verifies(place):
    assert verify(place, dataset(place)) == []


def test_damage_is_named(place):
    manifest = dataset(place)
    place.child("shards").write_bytes("train-00001-of-00002.arrow", b"y")
    place.child("ledger").remove(["part-00000-of-00001.parquet"])
    problems = verify(place, manifest)
    assert len(problems) == 2
    assert problems[0].startswith("shards/train-00001-of-00002.arrow: sha256 is ")
    assert problems[1] == "ledger/part-00000-of-00001.parquet: missing"


def test_an_unfinished_dataset_has_no_manifest(place):
    with pytest.raises(OutputError, match=r"no manifest\.json") as caught:
        read_manifest(place)
    assert "run the build again" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[]", "got list"),
        (b"{}", "expected format thresher/1, got None"),
        (b'{"format": "thresher/9"}', "got thresher/9"),
        (b'{"format": "thresher/1", "novel": 1}', "expected format"),
    ],
)
def test_what_is_no_manifest_is_refused(place, content, message):
    place.write_bytes(MANIFEST, content)
    with pytest.raises(OutputError, match=message):
        read_manifest(place)
