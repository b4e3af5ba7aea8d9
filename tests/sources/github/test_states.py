from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from columns.errors import InputError
from sources.github import Facts, State, States
from sources.github.states import FILE

ONE = State("a/b", "done", commit="0" * 40, limit=5, bytes=7, etag='"x"', facts=Facts(stars=1, license="é"))


def reopened(folder) -> States:
    return States(str(folder))


def test_states_come_back(tmp_path):
    held = reopened(tmp_path)
    kept = held.put(ONE)
    held.put(State("C/d", "gone", "404: not there"))
    held.close()
    held = reopened(tmp_path)
    assert held.get("A/B") == kept == ONE._replace(round=1)
    assert [state.name for state in held.all()] == ["a/b", "C/d"]
    assert (held.round, held.get("no/ne")) == (1, None)
    held.close()


def test_rounds(tmp_path):
    held = reopened(tmp_path)
    held.end_round()
    assert held.put(ONE).round == 2
    held.close()
    held = reopened(tmp_path)
    assert held.round == 2
    held.end_round()
    held.close()
    held = reopened(tmp_path)
    assert held.round == 3
    held.close()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2000))
def test_cut_anywhere_keeps_every_whole_line(tmp_path_factory, place):
    folder = tmp_path_factory.mktemp("cut")
    held = reopened(folder)
    for number in range(5):
        held.put(ONE._replace(name=f"a/r{number}"))
    held.close()
    path = Path(folder, FILE)
    raw = path.read_bytes()
    path.write_bytes(raw[: place % (len(raw) + 1)])
    whole = path.read_bytes().count(b"\n")
    held = reopened(folder)
    assert len(held.all()) == whole
    held.put(ONE._replace(name="z/z"))
    held.close()
    held = reopened(folder)
    assert len(held.all()) == whole + 1
    held.close()


def test_file_does_not_grow_for_ever(tmp_path):
    for _ in range(50):
        held = reopened(tmp_path)
        held.put(ONE)
        held.end_round()
        held.close()
    assert Path(tmp_path, FILE).read_bytes().count(b"\n") < 15
    held = reopened(tmp_path)
    assert (held.round, held.get("a/b").round) == (51, 50)
    held.close()


@pytest.mark.parametrize("line", [b"nonsense\n", b'{"name": 1}\n', b"[]\n", b'{"facts": {}, "odd": 1}\n'])
def test_another_file(line, tmp_path):
    Path(tmp_path, FILE).write_bytes(line)
    with pytest.raises(InputError, match="not a file of states"):
        reopened(tmp_path)


def test_states_are_plain():
    assert pickle.loads(pickle.dumps(ONE)) == ONE
