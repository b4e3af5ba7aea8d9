"""Notes from the tracer's pen to a call that is made again: nothing is lost, changed or believed on the way."""

from __future__ import annotations

import ast
import inspect
import json
import sys
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instruct.sandbox import Returned
from instruct.tracing.calls import call_of
from instruct.tracing.records import Noted, Trace, Traced, joined, read_trace
from instruct.tracing.replay import Work, exactly, replay
from instruct.tracing.tracer import NotPlain, Recorder, literal
from tests.instruct.tracing.test_literals import HASHABLE, PLAIN, same

SETTINGS = {"skip": ["tests"], "calls": 50, "patience": 1000, "limit": 1 << 20}


def recorder(folder, **changed):
    made = {"out": str(folder / "trace.jsonl"), "roots": [f"{folder}/pkg/"], **SETTINGS, **changed}
    one = Recorder(made)
    one.here = str(folder)
    return one


def noted(one, folder):
    one.close()
    return read_trace((folder / "trace.jsonl").read_bytes())


def defined(folder, text, name="f", file="pkg/a.py", **names):
    """A function of a file that is to be traced; ``FRAME()`` in it is its frame."""
    space = {"FRAME": lambda: sys._getframe(1), "locals": locals, **names}
    exec(compile(text, f"{folder}/{file}", "exec"), space)
    return space[name]


def call(one, function, *args, **kwargs):
    """Call a function that returns its frame, as the interpreter would tell a recorder of it."""
    frame = function(*args, **kwargs)
    heard = one.start(frame.f_code, frame)
    return heard, frame


SPECS = (
    "a, b=1",
    "a, b=(), /, c=None",
    "*rest, k=0",
    "a=-0.0, *, b='x', **more",
    "a, /, b=None, *rest, c=2, d, **more",
)


@given(st.sampled_from(SPECS), st.data())
@settings(max_examples=50)
def test_a_call_comes_back_from_the_file_as_it_was_made(tmp_path_factory, spec, data):
    folder = tmp_path_factory.mktemp("noted")
    text = f"def f({spec}):\n    return FRAME()\n"
    function = defined(folder, text)
    names = inspect.signature(function).parameters.values()
    given_ = {
        one.name: data.draw(PLAIN) for one in names if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    }
    rest = data.draw(st.lists(PLAIN, max_size=2)) if "*rest" in spec else []
    more = (
        data.draw(st.dictionaries(st.sampled_from(["x", "y_1", "é"]), PLAIN, max_size=2))
        if "**" in spec
        else {}
    )
    args = [given_[one.name] for one in names if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    kwargs = {one.name: given_[one.name] for one in names if one.kind == one.KEYWORD_ONLY}
    result = data.draw(PLAIN)
    one = recorder(folder)
    _, frame = call(one, function, *args, *rest, **kwargs, **more)
    one.end(id(frame), result)
    trace = noted(one, folder)
    assert (trace.complete, trace.spoiled) == (True, 0)
    [found] = trace.functions
    assert (found.file, found.qualname, found.line, found.why, found.looked) == ("pkg/a.py", "f", 1, "", 1)
    [note] = found.calls
    again = call_of(ast.parse(text).body[0], note)
    space = {"kept": lambda *args, **kwargs: (args, kwargs)}
    bound = inspect.signature(function)
    whole = bound.bind(*args, *rest, **kwargs, **more)
    whole.apply_defaults()
    for shown in (eval(f"kept({again.text})", space), (again.args, dict(again.kwargs))):
        told = bound.bind(*shown[0], **shown[1])
        told.apply_defaults()
        assert same(dict(told.arguments), dict(whole.arguments))
    assert same(ast.literal_eval(again.returned), result)


class Shy(type):
    @property
    def __name__(cls):
        return "asked"


class Quiet(Exception, metaclass=Shy):
    pass


class Long(Exception):
    pass


Long.__name__ = "L" * 2_000


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("x"), "ValueError"),
        (Quiet(), "Quiet"),
        (type("", (Exception,), {})(), "Exception"),
        (type("a\nb", (Exception,), {})(), "Exception"),
        (Long(), "L" * 80),
        (None, "Exception"),
    ],
    ids=range(6),
)
def test_an_exception_is_named_without_asking_it(tmp_path, error, told):
    one = recorder(tmp_path)
    _, frame = call(one, defined(tmp_path, "def f(x): return FRAME()"), 1)
    one.fail(id(frame), error)
    trace = noted(one, tmp_path)
    assert trace.spoiled == 0
    assert trace.functions[0].calls == (Noted((("x", "1"),), None, told),)


def test_a_default_that_is_no_literal_is_told_by_its_identity_alone(tmp_path):
    class Liar:
        def __eq__(self, other):
            raise SystemExit

        __hash__ = None

    mark = Liar()
    function = defined(tmp_path, "def f(x=MARK, *, y=MARK): return FRAME()", MARK=mark)
    one = recorder(tmp_path)
    for args, kwargs in (((), {}), ((3,), {}), ((Liar(),), {}), ((), {"y": Liar()}), ((float("nan"),), {})):
        _, frame = call(one, function, *args, **kwargs)
        if id(frame) in one.pending:
            one.end(id(frame), None)
    [found] = noted(one, tmp_path).functions
    assert [dict(noted_.arguments) for noted_ in found.calls] == [
        {"x": None, "y": None},
        {"x": "3", "y": None},
    ]
    assert (found.looked, found.refused) == (5, 3)


@pytest.mark.parametrize(
    ("file", "text", "met"),
    [
        ("pkg/a.py", "def f(x): return FRAME()", True),
        ("pkg/low/a.py", "def f(x): return FRAME()", True),
        ("pkg/low/../a.py", "def f(x): return FRAME()", True),
        ("pkg/../other/a.py", "def f(x): return FRAME()", False),
        ("pkgs/a.py", "def f(x): return FRAME()", False),
        ("pkg/tests/a.py", "def f(x): return FRAME()", False),
        ("pkg/test_a.py", "def f(x): return FRAME()", False),
        ("pkg/a_test.py", "def f(x): return FRAME()", False),
        ("pkg/a.py", "class f:\n    FRAME = FRAME()\n    def __new__(cls, x): return cls.FRAME", False),
    ],
)
def test_only_functions_of_the_projects_own_files_are_met(tmp_path, file, text, met):
    one = recorder(tmp_path)
    heard, _ = call(one, defined(tmp_path, text, file=file), 1)
    assert heard is met
    assert [seen.file for seen in noted(one, tmp_path).functions] == [str(file).replace("low/../", "")] * met


def test_calls_beyond_the_limits_are_not_heard_of(tmp_path):
    function = defined(tmp_path, "def f(x): return FRAME()")
    one = recorder(tmp_path, calls=2, patience=9)
    heard = []
    for value in (1, 1, object(), 2, 3):
        again, frame = call(one, function, value)
        heard.append(again)
        if id(frame) in one.pending:
            one.end(id(frame), value)
    assert heard == [True, True, True, True, False]
    [found] = noted(one, tmp_path).functions
    assert [noted_.value for noted_ in found.calls] == ["1", "2"]
    assert (found.looked, found.refused) == (4, 1)


def line(**note):
    return json.dumps(note).encode()


def function(number, name="f", file="a.py"):
    return line(kind="function", id=number, file=file, name=name, line=1, why="")


def noted_call(number, value):
    return line(kind="call", id=number, args=json.dumps({"x": literal(value)}), value=literal(value))


JUNK = st.sampled_from([b"{", b"[]", b"\xff", b"null", b'{"kind":"call","id":99}', b'{"kind":"counts","id":0}',
                        function(0), line(kind="call", id=0, args="{}", value="nan")])  # fmt: skip
WRITTEN = st.integers(0, 5).map(lambda value: noted_call(0, value))


@given(st.lists(WRITTEN | JUNK, max_size=8), st.booleans())
def test_lines_between_which_rubbish_stands_are_read_alone(lines, end):
    last = [line(kind="end")] if end else []
    trace = read_trace(b"\n".join([function(0), *lines, *last]))
    good = [one for one in lines if b'"value": "' in one and b"nan" not in one]
    assert trace.spoiled == len(lines) - len(good)
    assert trace.complete is end
    [found] = trace.functions
    assert [noted_.value for noted_ in found.calls] == list(
        dict.fromkeys(json.loads(one)["value"] for one in good)
    )


@given(st.lists(WRITTEN, max_size=4), st.integers(0, 500))
def test_a_file_that_was_cut_anywhere_loses_its_end_alone(lines, at):
    whole = b"\n".join([function(0), *lines, line(kind="end")])
    cut = read_trace(whole[:at])
    full = read_trace(whole)
    assert cut.complete is (at >= len(whole))
    assert cut.spoiled <= 1
    for one, other in zip(cut.functions, full.functions, strict=False):
        assert other.calls[: len(one.calls)] == one.calls


ASKED = []


@dataclass(frozen=True)
class Asked(Noted):
    """A note that counts how often it is looked at."""

    def __hash__(self):
        ASKED.append(self)
        return hash(self.value)


def test_functions_that_say_they_are_the_same_are_put_together_in_one_go():
    """Work that grows with the square of a forged file would keep its reader busy for days."""
    some = tuple(Asked((), str(n)) for n in range(50))
    many = [Traced("a.py", "f", 1, "", some if n == 0 else some[:1], 1, 1) for n in range(400)]
    ASKED.clear()
    [whole] = joined([Trace(tuple(many), complete=True, spoiled=0)], calls=60).functions
    assert whole.calls == some
    assert (whole.looked, whole.refused) == (400, 400)
    assert len(ASKED) <= 50 + 400


def plain_call(**more):
    return call_of(ast.parse("def f(**more): ...").body[0], Noted((("more", literal(more)),), "0"))


@pytest.mark.parametrize("name", ["class", "None", "__debug__", "ﬁ", "a-b", "", "1a", "more", "ª"])
def test_names_that_source_code_cannot_give_to_an_argument_make_no_call(name):
    assert plain_call(**{name: 1}) is None


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=3))
def test_names_that_make_a_call_are_the_ones_that_arrive(more):
    made = plain_call(**more)
    if made is not None:
        assert eval(f"dict({made.text})") == more == dict(made.kwargs)


class Scripted:
    """A sandbox that answers what it was told, run by run."""

    def __init__(self, answers):
        self.answers = answers

    def call(self, calls):
        for run, one in enumerate(calls):
            wrong = self.answers[run]
            yield tuple(
                Returned(None, wrong[a[0]], "", False) if isinstance(wrong.get(a[0]), str)
                else Returned(wrong.get(a[0], a[0]), "", "", a[0] in wrong) for a, _ in one.calls
            )  # fmt: skip


WRONG = st.dictionaries(
    st.integers(0, 4), st.sampled_from(["timeout", "exception", -1, True, 0.5]), max_size=3
)


@given(st.lists(WRONG, min_size=1, max_size=4), st.integers(0, 5))
@settings(max_examples=50)
def test_a_call_is_kept_where_every_run_was_right(answers, many):
    node = ast.parse("def f(x): ...").body[0]
    calls = tuple(call_of(node, Noted((("x", str(n)),), str(n))) for n in range(many))
    [found] = replay(Scripted(answers), [Work("", "f", calls)], runs=len(answers))
    good = [n for n in range(many) if not any(n in wrong for wrong in answers)]
    assert [one.args[0] for one in found.kept] == good
    assert sum(count for _, count in found.reasons) == many - len(good)
    first = [next(wrong[n] for wrong in answers if n in wrong) for n in range(many) if n not in good]
    told = sorted(one if isinstance(one, str) else "differs" for one in first)
    assert sorted(reason for reason, count in found.reasons for _ in range(count)) == told


@given(PLAIN, st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_the_order_in_which_a_dict_was_filled_is_no_difference_however_deep(value, chance):
    assert exactly(value, turned(value, chance))


def turned(value, chance):
    """The same value, its dicts filled in another order."""
    if type(value) is dict:
        items = [(key, turned(one, chance)) for key, one in value.items()]
        return dict(chance.sample(items, len(items)))
    if type(value) in (list, tuple):
        return type(value)(turned(one, chance) for one in value)
    return value


@given(st.frozensets(HASHABLE, max_size=3), PLAIN)
@settings(max_examples=50)
def test_one_value_that_is_not_plain_spoils_all_around_it(inside, value):
    for whole in ([value, inside], {"a": inside}, (value, [inside]), {inside: value}, {inside}):
        with pytest.raises(NotPlain, match=r"frozenset|too large"):
            literal(whole)
