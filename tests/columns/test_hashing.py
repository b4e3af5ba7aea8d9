import dataclasses
import hashlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.fingerprint import code_fingerprint, fingerprint
from columns.hashing import content_hashes, doc_id, unit_hash


@given(st.lists(st.one_of(st.none(), st.text(max_size=9)), max_size=9), st.integers(0, 9))
def test_content_hashes_are_sha256_of_the_utf8(values, start):
    found = content_hashes(pa.array(values, pa.large_string()).slice(start)).to_pylist()
    expected = [None if v is None else hashlib.sha256(v.encode()).digest() for v in values[start:]]
    assert found == expected


@given(st.tuples(*[st.text(max_size=3)] * 3), st.tuples(*[st.text(max_size=3)] * 3))
def test_doc_ids_differ_when_keys_differ(one, other):
    assert (doc_id(*one, b"h") == doc_id(*other, b"h")) == (one == other)


def test_doc_id_golden():
    assert doc_id("repo", None, "a.py", b"\0" * 32).hex() == "a20b84605e4761f1fa11f5f02385dd3b"


def test_unit_hash_is_salted_uniform_and_stable():
    ids = [i.to_bytes(4, "big") for i in range(4000)]
    one, other = unit_hash("a", ids), unit_hash("b", ids)
    assert (one != other).all()
    assert abs((one < np.uint64(1 << 63)).mean() - 0.5) < 0.03
    assert unit_hash("a", ids[:1])[0] == one[0]
    assert len(unit_hash("a", [])) == 0


@dataclasses.dataclass(frozen=True)
class Config:
    a: int = 1
    b: tuple[str, ...] = ("x",)


def test_fingerprints_see_values_types_and_names():
    values = [Config(), Config(2), Config(b=()), {"a": 1}, [1], [[1]], "1", 1, None, b"1"]
    assert len({fingerprint(value) for value in values}) == len(values)
    assert fingerprint(Config()) == fingerprint(Config())


@pytest.mark.parametrize("value", [len, object(), {1}, lambda: 0, Config])
def test_fingerprints_refuse_what_has_no_stable_text(value):
    with pytest.raises(TypeError, match=r"\$\.inner\[0\]"):
        fingerprint({"inner": [value]})


def test_code_fingerprint_follows_the_source():
    assert code_fingerprint("columns") != code_fingerprint("columns.words")
    with pytest.raises(ModuleNotFoundError):
        code_fingerprint("no_such_room")
