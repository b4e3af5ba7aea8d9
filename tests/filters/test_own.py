"""Own signals and rules: what a user's file may do, and every message it can meet."""

from __future__ import annotations

import pickle
import traceback
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import RecipeError
from columns.fingerprint import fingerprint
from columns.testing import assert_batch_law, documents
from filters.own import (
    OwnCode,
    check_own,
    failed_own,
    load_own,
    own_functions,
    own_rule,
    own_rules,
    own_schema,
    own_signal,
    own_signals,
)
from filters.signals.text import measure_signals

HEAD = "import pyarrow as pa\nimport pyarrow.compute as pc\nfrom filters.own import own_rule, own_signal\n"
GOOD = (
    HEAD
    + """
@own_signal(version=1, about="share of lines that hold a URL")
def url_line_fraction(content: pa.Array, lines: pa.Array) -> pa.Array:
    found = pc.count_substring_regex(content, r"(?m)^.*https?://.*$")
    return pc.divide(found.cast(pa.float64()), pc.max_element_wise(lines, 1))

@own_signal(version=2, about="twice that", type="float64")
def twice(url_line_fraction):
    return pc.multiply(url_line_fraction, 2)

@own_rule(version=1, about="short and full of links")
def boring(url_line_fraction, lines):
    return pc.and_(pc.greater(url_line_fraction, 0.5), pc.less(lines, 10))
"""
)


def code(body: str, name: str = "mine.py") -> OwnCode:
    return OwnCode(name, HEAD + body)


def signal(body: str, decorator: str = 'version=1, about="x"', parameters: str = "content") -> OwnCode:
    return code(f"\n@own_signal({decorator})\ndef f({parameters}):\n    {body}\n")


def measured(own: OwnCode, *texts: str | None) -> list[dict[str, object]]:
    batch = documents(list(texts))
    return own_signals(own, batch, measure_signals(batch)).to_pylist()


def said(own: OwnCode, *texts: str | None) -> str:
    with pytest.raises(RecipeError) as found:
        measured(own, *(texts or ("a", "b")))
    return str(found.value)


@pytest.fixture
def load(tmp_path):
    def write(text: str, name: str = "mine.py", **options: object) -> OwnCode:
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        return load_own(file, **options)

    return write


def refused(load, text: str, **options: object) -> str:
    with pytest.raises(RecipeError) as found:
        load(text, **options)
    return str(found.value)


def test_signals_and_rules_of_a_file(load):
    own = load(GOOD)
    assert own == OwnCode("mine.py", GOOD)
    schema = own_schema(own)
    assert schema.names == ["url_line_fraction", "twice"]
    assert schema.field("twice").metadata == {b"about": b"twice that"}
    assert [rule.name for rule in own_rules(own)] == ["boring"]
    rows = measured(own, "see https://a.example\nx\n", None, "", "https://b.example")
    assert [row["url_line_fraction"] for row in rows] == [0.5, None, 0.0, 1.0]
    assert [row["twice"] for row in rows] == [1.0, None, 0.0, 2.0]
    facts = pa.RecordBatch.from_pydict(
        {"url_line_fraction": [1.0, None, 0.6, 1.0], "lines": [2, 2, 20, None]}
    )
    assert failed_own(own, facts).to_pydict() == {"boring": [True, False, False, False]}
    assert failed_own(own, pa.Table.from_batches([facts, facts])).num_rows == 8
    assert check_own(own) == ()


def test_every_part_of_a_function_is_known(load):
    first = own_functions(load(GOOD))[0]
    assert (first.kind, first.name, first.version, first.result) == (
        "signal",
        "url_line_fraction",
        1,
        "float64",
    )
    assert first.parameters == ("content", "lines")


def test_the_code_travels_and_its_fingerprint_is_its_text():
    own = OwnCode("mine.py", GOOD)
    assert pickle.loads(pickle.dumps(own)) == own
    assert fingerprint(own) == fingerprint(OwnCode("mine.py", GOOD))
    assert fingerprint(own) != fingerprint(OwnCode("mine.py", GOOD + "\n"))
    assert own_functions(own) is own_functions(OwnCode("mine.py", GOOD))


@given(st.lists(st.sampled_from(["", "http://x", None, "a\nhttps://b\nc"]), max_size=6), st.integers(0, 6))
def test_batch_law(texts, cut):
    own = OwnCode("mine.py", GOOD)
    assert_batch_law(
        lambda batch: own_signals(own, batch, measure_signals(batch)), documents(texts), min(cut, len(texts))
    )


@pytest.mark.parametrize(
    ("kind", "body", "values"),
    [
        ("bool", "return pc.greater(pc.utf8_length(content), 1)", [False, True]),
        ("int64", "return pc.utf8_length(content)", [1, 2]),
        ("int64", "return pa.array([1, None], pa.int8())", [1, None]),
        ("float64", "return pc.utf8_length(content)", [1.0, 2.0]),
        ("float64", "return pa.nulls(len(content))", [None, None]),
        ("string", "return pc.utf8_upper(content)", ["A", "BB"]),
        ("float64", "import numpy as np; return np.ones(len(content))", [1.0, 1.0]),
        ("int64", "return pa.chunked_array([[1], [2]])", [1, 2]),
    ],
)
def test_results(kind, body, values):
    own = signal(body, f'version=1, about="x", type="{kind}"')
    assert [row["f"] for row in measured(own, "a", "bb")] == values
    assert str(own_schema(own).field("f").type) == kind.replace("float64", "double")


def test_results_are_null_without_content():
    assert [
        row["f"] for row in measured(signal("return pc.fill_null(pc.utf8_length(content), 7)"), None, "ab")
    ] == [None, 2.0]


def test_document_columns_and_facts_are_parameters():
    own = signal("return pc.add(size, line_max)", 'version=1, about="x", type="int64"', "size, line_max")
    assert measured(own, "abc") == [{"f": 6}]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "return pa.array([1.0])",
            "mine.py:5: signal f: expected 2 values, one per row, got 1\nhint: a row says nothing",
        ),
        ("return [1.0, 2.0]", "mine.py:5: signal f: expected an Arrow array, got list"),
        ("pass", "mine.py:5: signal f: expected an Arrow array, got NoneType"),
        ("return content", "mine.py:5: signal f: expected double values, got large_string\nhint: say type="),
        ("return pc.sum(pc.utf8_length(content))", "expected an Arrow array, got Int64Scalar"),
        ("import numpy as np; return np.zeros((2, 2))", "expected an Arrow array, got ndarray"),
        ("return {}['x']", "mine.py:7: signal f: KeyError: 'x'\nhint: the line is: return {}['x']"),
        ("return 1 / 0", "mine.py:7: signal f: ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "mine.py:7: signal f: SystemExit: 3"),
        ("return f(content)", "mine.py:7: signal f: RecursionError"),
        ("return pc.no_such(content)", "mine.py:7: signal f: AttributeError"),
    ],
)
def test_a_function_that_fails_says_where(body, message):
    assert message in said(signal(body))


def test_values_that_do_not_fit_their_type():
    own = signal("return pa.array([2**63, 1], pa.uint64())", 'version=1, about="x", type="int64"')
    assert "mine.py:5: signal f: not int64 values" in said(own)


def test_a_message_names_the_deepest_line_of_the_user_s_file_and_the_rows():
    own = code(
        '\ndef helper(x):\n    return x.nothing\n\n@own_signal(version=1, about="x")\n'
        "def f(content):\n    return helper(content)\n"
    )
    batch = documents(["a"])
    with pytest.raises(RecipeError) as found:
        own_signals(own, batch, measure_signals(batch), "part 3, rows 0 to 9")
    assert str(found.value).startswith("mine.py:6: signal f: AttributeError: ")
    assert "(part 3, rows 0 to 9)" in str(found.value)
    assert "hint: the line is: return x.nothing" in str(found.value)
    cause = "".join(traceback.format_exception(found.value))
    assert 'File "mine.py", line 6, in helper\n    return x.nothing' in cause


def test_rules_are_true_or_false():
    facts = pa.RecordBatch.from_pydict({"lines": [1, 2]})
    own = code('\n@own_rule(version=1, about="x")\ndef r(lines):\n    return lines\n')
    with pytest.raises(
        RecipeError, match="rule r: expected bool values, got int64\nhint: a rule is true or false"
    ):
        failed_own(own, facts)
    with pytest.raises(RecipeError, match="no column 'lines' among the facts\nhint: did you mean line_s"):
        failed_own(own, facts.rename_columns(["line_s"]))
    assert failed_own(signal("return content"), facts).num_rows == 2
    assert failed_own(signal("return content"), facts).num_columns == 0


def test_rules_see_plain_columns_however_they_are_stored():
    own = code(
        '\n@own_rule(version=1, about="x")\ndef r(language):\n    return pc.equal(pc.utf8_upper(language), "GO")\n'
    )
    facts = pa.table({"language": pa.array(["go", "c", None]).dictionary_encode()})
    assert failed_own(own, facts).to_pydict() == {"r": [True, False, False]}


def test_a_missing_file(tmp_path):
    with pytest.raises(
        RecipeError, match=r"none\.py: No such file or directory\nhint: own: expected the path"
    ):
        load_own(tmp_path / "none.py")
    (tmp_path / "latin.py").write_bytes(b"# \xe9\n")
    with pytest.raises(RecipeError, match=r"latin\.py: not UTF-8 text"):
        load_own(tmp_path / "latin.py")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("def f(:\n", "mine.py:4: cannot be loaded: invalid syntax\nhint: the line is: def f(:"),
        ("x = 1\n", "mine.py: no function with @own_signal or @own_rule\nhint: docs/own-rules.md"),
        ("import no_such_module\n", "mine.py:4: cannot be loaded: ModuleNotFoundError: No module"),
        ("raise SystemExit\n", "mine.py:4: cannot be loaded: SystemExit"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_loaded(load, body, message):
    assert message in refused(load, HEAD + body)


@pytest.mark.parametrize(
    ("decorator", "parameters", "message"),
    [
        ('version="1", about="x"', "content", "signal f: version: expected a whole number from 1, got '1'"),
        ('version=True, about="x"', "content", "version: expected a whole number from 1, got True"),
        ('version=0, about="x"', "content", "version: expected a whole number from 1, got 0"),
        ('version=1, about=" "', "content", "about: expected what it means, in words, got ' '"),
        ('version=1, about="x", type="int"', "content", "'float64', 'string'], got 'int'"),
        ('about="x"', "content", "TypeError: own_signal() missing 1 required keyword-only argument: 'version'"),
        ('version=1, about="x"', "", "expected parameters that are column names, got none"),
        ('version=1, about="x"', "content, lines=3", "got lines with a default or a star"),
        ('version=1, about="x"', "*content", "got content with a default or a star"),
        ('version=1, about="x"', "contnt", "unknown parameter 'contnt'\nhint: did you mean content?"),
        ('version=1, about="x"', "zzzzzz", "unknown parameter 'zzzzzz'\nhint: allowed: "),
    ],
)  # fmt: skip
def test_decorations_that_are_refused(load, decorator, parameters, message):
    found = refused(load, signal("return 1", decorator, parameters).text)
    assert message in found
    assert found.startswith("mine.py:")


def test_names_that_are_taken(load):
    one = '\n@own_signal(version=1, about="x")\ndef {}(content):\n    return content\n'
    assert "mine.py:5: signal lines: the name is taken by a built-in column" in refused(
        load, HEAD + one.format("lines")
    )
    assert "two functions of this name" in refused(load, HEAD + one.format("a") + one.format("a"))
    assert "taken by a built-in column" in refused(load, HEAD + one.format("new"), facts={"content", "new"})


def test_only_functions_are_decorated(load):
    assert "expected a plain function, got type" in refused(
        load, HEAD + '\n@own_signal(version=1, about="x")\nclass A: pass\n'
    )
    body = '\n@own_signal(version=1, about="x")\nasync def f(content): pass\n'
    assert "expected a plain function" in refused(load, HEAD + body)


def test_a_rule_sees_no_text_and_no_later_signal_is_a_parameter(load):
    rule = '\n@own_rule(version=1, about="x")\ndef r(content):\n    return content\n'
    assert "a rule sees facts, not text; measure what it needs with @own_signal" in refused(load, HEAD + rule)
    one = '\n@own_signal(version=1, about="x")\ndef {}({}):\n    return 1\n'
    late = one.format("a", "b") + one.format("b", "content")
    assert "signal a: unknown parameter 'b'" in refused(load, HEAD + late)


def test_windows_line_ends_are_one_text(tmp_path):
    (tmp_path / "mine.py").write_bytes(GOOD.replace("\n", "\r\n").encode())
    assert load_own(tmp_path / "mine.py").text == GOOD


def test_dataclasses_and_constants_work_in_a_file(load):
    own = load(
        "from __future__ import annotations\nfrom dataclasses import dataclass\n" + HEAD
        + '\n@dataclass\nclass Limit:\n    value: int = 2\n\n@own_signal(version=1, about="x", type="bool")\n'
        "def f(content):\n    return pc.greater(pc.utf8_length(content), Limit().value)\n"
    )  # fmt: skip
    assert [row["f"] for row in measured(own, "a", "abc")] == [False, True]


@pytest.mark.parametrize(
    "body",
    [
        "return pc.subtract(pc.utf8_length(content), pc.max(pc.utf8_length(content)))",
        "import numpy as np; return np.random.rand(len(content))",
        "import itertools; return pa.array(range(len(content)))",
    ],
)
def test_a_value_that_depends_on_other_rows_is_found(body):
    found = check_own(signal(body))
    assert len(found) == 1
    assert found[0].startswith("mine.py: f: gives another result when its rows come in two batches")


def test_a_rule_that_depends_on_other_rows_is_found():
    own = code(
        '\n@own_rule(version=1, about="x")\ndef r(lines):\n    return pc.greater(lines, pc.mean(lines))\n'
    )
    assert "mine.py: r: gives another result" in check_own(own)[0]


def test_the_check_runs_the_functions_on_odd_texts():
    with pytest.raises(RecipeError, match=r"signal f: AttributeError: 'NoneType'.* \(built-in check\)"):
        check_own(signal("return pa.array([len(text.split()) for text in content.to_pylist()])"))
    assert check_own(signal("return pa.array([float('nan')] * len(content))")) == ()


def test_the_check_takes_other_facts():
    def more(batch: pa.RecordBatch) -> pa.RecordBatch:
        extra = pa.array(np.arange(batch.num_rows) * 0)
        return pa.RecordBatch.from_arrays([extra], names=["extra"])

    own = signal("return extra", 'version=1, about="x", type="int64"', "extra")
    assert check_own(own, more) == ()
    with pytest.raises(RecipeError, match="no column 'extra' among the facts"):
        check_own(own)


def test_the_decorators_leave_a_function_as_it_is():
    @own_signal(version=1, about="x")
    def f(content):
        return content

    @own_rule(version=1, about="x")
    def g(lines):
        return lines

    assert (f(3), g(4)) == (3, 4)


def test_the_example_of_the_guide_works(load):
    guide = (Path(__file__).resolve().parents[2] / "docs" / "own-rules.md").read_text(encoding="utf-8")
    text = (
        guide.split("```python\n")[1]
        .split("```")[0]
        .replace("from filters import", "from filters.own import")
    )
    own = load(text, "links.py")
    assert check_own(own) == ()
    assert own_schema(own).names == ["url_line_fraction"]
    assert [rule.name for rule in own_rules(own)] == ["link_farm"]
