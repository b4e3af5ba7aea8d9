from __future__ import annotations

import ast
import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reads import by_path, read_all

from columns.document import document_batch
from sources import IngestConfig
from sources.text.notebooks import NOTEBOOK, as_code, code, commented

PYTHON = {"kernelspec": {"language": "python", "name": "python3"}}


def cell(source: object, kind: str = "code") -> dict[str, object]:
    return {"cell_type": kind, "source": source, "outputs": [{"text": "SECRET OUTPUT"}], "execution_count": 1}


def notebook(*cells: object, metadata: object = PYTHON, **more: object) -> str:
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5, **more})


def documents(*rows: tuple[str | None, str]) -> pa.RecordBatch:
    content, language = zip(*rows, strict=True)
    return document_batch(
        {
            "content": content,
            "language": language,
            "encoding": ["utf-8"] * len(rows),
            "lossy": [False] * len(rows),
        },
        len(rows),
    )


def converted(batch: pa.RecordBatch, *languages: str) -> tuple[list[dict[str, object]], Counter[str]]:
    skipped: Counter[str] = Counter()
    return as_code(batch, "keep", languages, skipped).to_pylist(), skipped


def test_code_cells_joined_outputs_and_prose_left_out() -> None:
    raw = notebook(
        cell(["import os\n", "x = 1"]),
        cell("# Title", "markdown"),
        cell("y = 2\n"),
        cell("raw", "raw"),
        cell(""),
    )
    assert code(raw) == ("import os\nx = 1\n\ny = 2\n", "python")


def test_format_3() -> None:
    cells = [
        {"cell_type": "code", "language": "python", "input": ["a = 1\n", "b = 2"], "outputs": ["no"]},
        {"cell_type": "heading", "source": "no"},
        {"cell_type": "code", "language": "python", "input": "c = 3"},
    ]
    raw = json.dumps(
        {"nbformat": 3, "metadata": {"name": ""}, "worksheets": [{"cells": cells[:2]}, {"cells": cells[2:]}]}
    )
    assert code(raw) == ("a = 1\nb = 2\n\nc = 3\n", "python")


@pytest.mark.parametrize(
    ("metadata", "language"),
    [
        (PYTHON, "python"),
        ({"kernelspec": {"language": "R"}}, "r"),
        ({"language_info": {"name": "C++"}}, "c++"),
        ({"language_info": {"name": "ipython"}}, "python"),
        ({"kernelspec": {"name": "python3"}}, "python"),
        ({"kernelspec": {"name": "julia-1.9"}}, "julia"),
        ({"kernelspec": {"name": "ir"}}, "r"),
        ({"kernelspec": {"name": "xcpp17"}}, "c++"),
        ({"kernelspec": {"name": "unheard-of"}}, None),
        ({"kernelspec": {"language": 3, "name": None}}, None),
        ({"language": "Haskell"}, "haskell"),
        ({}, None),
        ([], None),
        (None, None),
    ],
)
def test_language(metadata: object, language: str | None) -> None:
    assert code(notebook(cell("x"), metadata=metadata)).language == language


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "{",
        "[]",
        "3",
        "null",
        "{}",
        '{"cells": 3}',
        '{"worksheets": {}}',
        "[" * 5000,
        "{" * 5000,
        '{"a":' * 200_000,
        "\ufeff",
    ],
)
def test_broken_is_a_row_with_a_problem(raw: str) -> None:
    (row,), _ = converted(documents((raw, NOTEBOOK)))
    assert row["problem"].startswith("malformed: ")
    assert (row["content"], row["encoding"], row["lossy"], row["language"]) == (None, None, False, NOTEBOOK)


def test_odd_cells_cost_themselves() -> None:
    raw = notebook(
        3, None, [], {"cell_type": "code"}, cell(7), cell(["a", 1, None, "b"]), cell({"x": 1}), cell("ok")
    )
    assert code(raw).text == "ab\n\nok\n"


def test_not_a_number_and_lone_surrogates() -> None:
    raw = '{"cells": [{"cell_type": "code", "source": "x = \'\\ud800\'", "outputs": [NaN]}], "metadata": {}}'
    assert code(raw).text == "x = '\ufffd'\n"


def test_no_code_is_an_empty_text() -> None:
    assert code(notebook(cell("# only prose", "markdown"))).text == ""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%matplotlib inline", "# %matplotlib inline"),
        ("!pip install x", "# !pip install x"),
        ("files = !ls", "# files = !ls"),
        ("t = %timeit -o f()", "# t = %timeit -o f()"),
        ("a, b = !ls", "# a, b = !ls"),
        ("?print", "# ?print"),
        ("os.path??", "# os.path??"),
        ("    !ls", "    pass  # !ls"),
        ("%%time\nf()", "# %%time\nf()"),
        ("%%bash\nls\n\ncd", "# %%bash\n# ls\n#\n# cd"),
        ("%%time\n!ls", "# %%time\n# !ls"),
    ],
)
def test_magics_as_comments(line: str, expected: str) -> None:
    assert commented(line, "python") == expected
    ast.parse(f"if x:\n{expected}" if line.startswith(" ") else expected)


@pytest.mark.parametrize(
    "line",
    [
        "x = a % b",
        "x = ('%s'\n     % y)",
        "a != b",
        "(a\n != b)",
        'x = """\n%matplotlib\n!ls\n"""',
        "x = '!'",
        "f(a)  # why?",
        "x = y = 3",
        "print('50%')",
        "d = {'a': !1}"[:4],
    ],
)
def test_code_is_left_alone(line: str) -> None:
    assert commented(line, "python") == line


@pytest.mark.parametrize(
    "text", [" " * 300_000, "a" * 300_000, "a, " * 100_000, "?" * 300_000, '"' * 300_000, "a." * 100_000]
)
def test_long_lines_cost_no_more_than_their_length(text: str) -> None:
    assert commented(f"x = 1\n{text}x", "python").startswith("x = 1\n")


def test_comment_marks_follow_the_language() -> None:
    raw = notebook(cell("%%html\n<b>"), metadata={"kernelspec": {"language": "javascript"}})
    assert code(raw, "comment").text == "// %%html\n// <b>\n"
    assert code(raw).text == "%%html\n<b>\n"
    unknown = notebook(cell("%%html\n<b>"), metadata={"kernelspec": {"language": "brainfuck"}})
    assert code(unknown, "comment").text == "%%html\n<b>\n"


def test_other_rows_are_not_touched() -> None:
    raw = notebook(cell("x"))
    rows, skipped = converted(documents((raw, NOTEBOOK), (raw, "json"), (None, NOTEBOOK), ("y", "python")))
    assert [row["content"] for row in rows] == ["x\n", raw, None, "y"]
    assert [row["language"] for row in rows] == ["python", "json", NOTEBOOK, "python"]
    assert not skipped
    untouched = documents(("y", "python"))
    assert as_code(untouched, "keep", (), skipped) is untouched


def test_languages_that_nobody_asked_for_are_counted() -> None:
    rust = notebook(cell("x"), metadata={"kernelspec": {"language": "rust"}})
    batch = documents((rust, NOTEBOOK), (notebook(cell("y")), NOTEBOOK), ("{", NOTEBOOK), ("z", "rust"))
    rows, skipped = converted(batch, "python")
    assert [row["content"] for row in rows] == ["y\n", None, "z"]
    assert skipped == {"other_language": 1}
    rows, skipped = converted(batch, NOTEBOOK)
    assert (len(rows), skipped) == (4, {})


def test_notebooks_of_a_tree_and_of_a_table(tmp_path: Path) -> None:
    rust = notebook(cell("fn x() {}"), metadata={"kernelspec": {"language": "rust"}})
    root = tmp_path / "tree"
    root.mkdir()
    files = {
        "a.ipynb": notebook(cell("!ls"), cell("x = 1")),
        "b.ipynb": rust,
        "c.ipynb": "{",
        "d.py": "y",
        "e.rs": "z",
    }
    for name, text in files.items():
        (root / name).write_text(text)
    lines = [json.dumps({"path": name, "content": text}) for name, text in files.items()]
    (tmp_path / "table.jsonl").write_text("\n".join(lines))
    for spec in (root, tmp_path / "table.jsonl"):
        table, skipped, _ = read_all(spec, IngestConfig(languages=("python",), notebooks="commented"))
        rows = by_path(table)
        assert {name: row["content"] for name, row in rows.items()} == {
            "a.ipynb": "# !ls\n\nx = 1\n",
            "c.ipynb": None,
            "d.py": "y",
        }
        assert rows["c.ipynb"]["problem"].startswith("malformed: ")
        assert (rows["a.ipynb"]["language"], rows["a.ipynb"]["size"]) == ("python", len(files["a.ipynb"]))
        assert skipped == {"other_language": 2}
        plain = by_path(read_all(spec, IngestConfig())[0])
        assert plain["a.ipynb"]["content"] == files["a.ipynb"]


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="notebooks: expected one of"):
        IngestConfig(notebooks="html")


sources = st.one_of(
    st.text(max_size=30), st.lists(st.text(max_size=10), max_size=3), st.none(), st.integers()
)
cells = st.one_of(st.builds(cell, sources, st.sampled_from(["code", "markdown"])), st.integers())
raws = st.one_of(st.text(max_size=30), st.lists(cells, max_size=4).map(lambda found: notebook(*found)))


@given(
    st.lists(st.tuples(raws, st.sampled_from([NOTEBOOK, "python"])), min_size=1, max_size=8),
    st.integers(0, 8),
)
def test_batch_law(rows: list[tuple[str, str]], cut: int) -> None:
    batch = documents(("x", "python"), *rows).slice(1)
    whole, counted = converted(batch, "python")
    first, left = converted(batch.slice(0, cut), "python")
    second, right = converted(batch.slice(cut), "python")
    assert whole == first + second
    assert counted == left + right


@given(st.text(max_size=200), st.sampled_from(["python", "r", "c++"]))
def test_commenting_adds_marks_and_loses_nothing(text: str, language: str) -> None:
    lines, found = text.split("\n"), commented(text, language).split("\n")
    assert len(lines) == len(found)
    assert all(line.strip() in new for line, new in zip(lines, found, strict=True))
