import gzip
import json
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import InputError
from instruct.pairs import BASH, EXCEL, PAIR, PYTHON, read_pairs, read_snippets
from instruct.pairs.pair import MOST_CHARS, checked_texts, pair_batches
from instruct.pairs.prose import MOST_SHEET

CONALA = [
    {"question_id": 1, "intent": "how to add", "rewritten_intent": "add `a` and `b`", "snippet": "a + b"},
    {"question_id": 1, "intent": "how to negate", "rewritten_intent": None, "snippet": "-a\n"},
]
RULE = {
    "ID": 4, "NL Utterance": "mark late rows", "Code": "TextEquals(late)", "Data": [["Index", "Value"], [0, "late"]],
    "Labels": [0],
}  # fmt: skip


def rows_of(batches):
    table = pa.Table.from_batches(batches, PAIR)
    table.validate(full=True)
    return table.to_pylist()


def written(path, value, *, encoding="utf-8"):
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding)
    return path


def conala_folder(folder):
    written(folder / "conala-train.json", CONALA)
    written(folder / "conala-test.json", CONALA[:1])
    mined = [
        '{"question_id": 9, "intent": "sort x", "snippet": "x.sort()", "prob": 0.5}',
        "",
        "{not json",
        "[" * 100_000,
        "[1, 2]",
    ]
    (folder / "conala-mined.jsonl.gz").write_bytes(gzip.compress("\n".join(mined).encode()))
    written(folder / "README.json", "{}")
    return folder


def test_a_conala_folder_is_read_in_the_order_train_test_mined(tmp_path):
    rows = rows_of(read_pairs(conala_folder(tmp_path), PYTHON))
    assert [row["id"] for row in rows] == [
        "python/train/1", "python/train/2", "python/test/1", "python/mined/1", "python/mined/2", "python/mined/3",
        "python/mined/4",
    ]  # fmt: skip
    assert [(row["nl"], row["intent"], row["code"]) for row in rows[:2]] == [
        ("add `a` and `b`", "how to add", "a + b"),
        (None, "how to negate", "-a"),
    ]
    assert (rows[3]["nl"], rows[3]["intent"], rows[3]["origin"]) == (None, "sort x", "9")
    assert [row["problem"] for row in rows[3:]] == [None, "not_json", "not_json", "not_an_object"]


def test_a_conala_file_alone_says_its_split_by_its_name(tmp_path):
    rows = rows_of(read_pairs(written(tmp_path / "conala-test.json", CONALA), PYTHON, prefix="py"))
    assert [(row["id"], row["split"]) for row in rows] == [("py/test/1", "test"), ("py/test/2", "test")]


@pytest.mark.parametrize("name", ["all.cm", "all.nl", ""])
def test_nl2bash_twins_are_read_line_by_line(tmp_path, name):
    (tmp_path / "all.nl").write_bytes(b"list all files\nshow where I am\xe2\x80\xa8here\n\n")
    (tmp_path / "all.cm").write_bytes(b"ls -a\npwd\nid\n")
    rows = rows_of(read_pairs(tmp_path / name, BASH))
    assert [(row["id"], row["nl"], row["code"], row["split"]) for row in rows] == [
        ("bash/all/1", "list all files", "ls -a", ""),
        ("bash/all/2", "show where I am\u2028here", "pwd", ""),
        ("bash/all/3", None, "id", ""),
    ]


def test_nl2bash_split_files_go_before_the_file_of_all(tmp_path):
    for name in ("all", "train", "dev", "test"):
        (tmp_path / f"{name}.nl.filtered.gz").write_bytes(gzip.compress(f"say {name}\n".encode()))
        (tmp_path / f"{name}.cm.filtered.gz").write_bytes(gzip.compress(f"echo {name}\n".encode()))
    rows = rows_of(read_pairs(tmp_path, BASH))
    assert [(row["split"], row["code"]) for row in rows] == [
        ("train", "echo train"),
        ("validation", "echo dev"),
        ("test", "echo test"),
    ]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"all.nl": "a\nb\n", "all.cm": "ls\n"}, "1 lines, all.nl has 2"),
        ({"all.nl": "a\n"}, "its twin"),
        ({"notes.txt": "a\n"}, "no NL2Bash files"),
    ],
)
def test_nl2bash_files_that_cannot_be_paired_are_refused(tmp_path, files, said):
    for name, text in files.items():
        written(tmp_path / name, text)
    with pytest.raises(InputError, match=said):
        rows_of(read_pairs(tmp_path, BASH))


def test_prose_files_have_a_byte_order_mark_and_sheets(tmp_path):
    document = {"train": [RULE, "stray", {**RULE, "Data": None}], "test": [{**RULE, "Labels": ["x"]}]}
    rows = rows_of(read_pairs(written(tmp_path / "rules.json", document, encoding="utf-8-sig"), EXCEL))
    assert [(row["id"], row["split"], row["problem"]) for row in rows] == [
        ("excel_cf/train/1", "train", None),
        ("excel_cf/train/2", "train", "not_an_object"),
        ("excel_cf/train/3", "train", None),
        ("excel_cf/test/1", "test", None),
    ]
    assert json.loads(rows[0]["sheet"]) == RULE["Data"]
    assert [row["labels"] for row in rows] == [[0], None, None, None]


def test_bash_texts_of_prose_files_lose_their_line_feed(tmp_path):
    document = {"test": [{"ID": 0, "NL Utterance": "list\n", "Code": "ls\n"}]}
    row = rows_of(read_pairs(written(tmp_path / "BashBenchmarks.json", document), BASH))[0]
    assert (row["nl"], row["code"], row["origin"]) == ("list", "ls", "0")


def test_a_python_file_is_told_by_its_fields(tmp_path):
    prose = written(tmp_path / "a.json", [{"ID": 1, "NL Utterance": None, "Code": "x"}])
    conala = written(tmp_path / "b.json", CONALA)
    assert [row["code"] for row in rows_of(read_pairs(prose, PYTHON))] == ["x"]
    assert [row["code"] for row in rows_of(read_pairs(conala, PYTHON))] == ["a + b", "-a"]
    assert rows_of(read_pairs(written(tmp_path / "c.json", {"train": [RULE]}), PYTHON))[0]["split"] == "train"


def test_sheets_that_are_broken_or_too_large_mark_the_row(tmp_path):
    broken = [{**RULE, "Data": bad} for bad in ("x", [1], [["x" * MOST_SHEET]])]
    rows = rows_of(read_pairs(written(tmp_path / "r.json", {"train": broken}), EXCEL))
    assert [row["problem"] for row in rows] == ["not_an_object", "not_an_object", "too_large"]
    assert [row["sheet"] for row in rows] == [None] * 3


@pytest.mark.parametrize(
    ("lang", "content", "said"),
    [
        (EXCEL, "{", "not JSON"),
        (EXCEL, "[" * 100_000, "nested too deep"),
        (EXCEL, '{"rows": []}', "no pairs"),
        (EXCEL, '{"train": {}}', "no pairs"),
        (EXCEL, "3", "no pairs"),
        (PYTHON, '"text"', "no pairs"),
    ],
)
def test_files_of_no_known_layout_are_refused_with_their_name(tmp_path, lang, content, said):
    with pytest.raises(InputError, match=rf"pairs\.json.*{said}"):
        rows_of(read_pairs(written(tmp_path / "pairs.json", content), lang))


@pytest.mark.parametrize("lang", [PYTHON, BASH, EXCEL])
def test_what_is_not_there_is_refused(tmp_path, lang):
    with pytest.raises(InputError):
        rows_of(read_pairs(tmp_path / "absent.json", lang))
    with pytest.raises(InputError):
        rows_of(read_pairs(tmp_path, lang))


def test_a_broken_archive_is_refused(tmp_path):
    whole = gzip.compress(b"ls\n" * 1000)
    (tmp_path / "bash.txt.gz").write_bytes(whole[:20])
    with pytest.raises(InputError, match="not gzipped text"):
        rows_of(read_snippets(tmp_path / "bash.txt.gz"))


def test_snippets_are_lines_that_are_not_blank(tmp_path):
    path = written(tmp_path / "BashSnippets.txt", "ls\n\n  \npwd\rx\n" + "y" * (MOST_CHARS + 1))
    rows = rows_of(read_snippets(path))
    assert [(row["id"], row["lang"], row["code"], row["problem"]) for row in rows] == [
        ("snippets/bash/1", "bash", "ls", None),
        ("snippets/bash/4", "bash", "pwd\rx", None),
        ("snippets/bash/5", "bash", None, "too_large"),
    ]
    assert rows[0]["nl"] is None


def test_snippets_need_a_language(tmp_path):
    path = written(tmp_path / "code.txt.gz", "")
    with pytest.raises(InputError, match="which language"):
        read_snippets(path)
    (path).write_bytes(gzip.compress(b"Blanks()\n"))
    assert rows_of(read_snippets(path, EXCEL))[0]["lang"] == EXCEL


def test_bytes_that_are_not_utf8_are_kept_as_replacement(tmp_path):
    (tmp_path / "python.txt").write_bytes(b"print('\xff')\n")
    assert rows_of(read_snippets(tmp_path / "python.txt"))[0]["code"] == "print('\ufffd')"


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"nl": 3, "code": "x"}, "not_text"),
        ({"nl": "x", "code": ["x"]}, "not_text"),
        ({"nl": "\ud800", "code": "x"}, "not_text"),
        ({"nl": "x" * (MOST_CHARS + 1), "code": "x"}, "too_large"),
        ({"nl": "x", "code": None}, "no_code"),
        ({"nl": "x", "code": " \n"}, "no_code"),
        ({"nl": None, "code": "x"}, None),
    ],
)
def test_texts_that_are_none_are_told_apart(values, problem):
    assert checked_texts(values)["problem"] == problem


def test_odd_identities_and_deep_sheets_raise_nothing(tmp_path):
    deep = "[" * 900 + "]" * 900
    odd = ['"\\ud800"', "[[1]]", "null", "true", "1" * 4000, "1.5", deep]
    lines = [f'{{"question_id": {one}, "snippet": "x"}}' for one in odd]
    (tmp_path / "conala-mined.jsonl").write_text("\n".join(lines))
    rows = rows_of(read_pairs(tmp_path, PYTHON))
    assert [row["origin"] for row in rows[:6]] == ["?", "", "", "True", "1" * 80, ""]
    rule = '{"ID": "\\ud800", "NL Utterance": "x", "Code": "Top()", "Data": [DEEP]}'.replace("DEEP", deep)
    (tmp_path / "rules.json").write_text(f"[{rule}]")
    row = rows_of(read_pairs(tmp_path / "rules.json", EXCEL))[0]
    assert row["origin"] == "?"
    assert row["sheet"] or row["problem"] == "too_large"


ITEMS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["ID", "NL Utterance", "Code", "Data", "Labels", "snippet", "intent", "question_id"]
            ),
            inner,
        )
    ),
    max_leaves=8,
)


@given(st.lists(ITEMS, max_size=4))
def test_whatever_the_items_are_each_is_a_row(tmp_path_factory, items):
    folder = tmp_path_factory.mktemp("items")
    for lang, name in ((EXCEL, "a.json"), (PYTHON, "conala-train.json")):
        rows = rows_of(read_pairs(written(folder / name, items), lang))
        assert len(rows) == len(items)
        assert all(row["problem"] or row["code"] for row in rows)


def test_batches_hold_all_rows_in_order():
    batches = list(pair_batches({"id": str(number), "lang": BASH, "code": "ls"} for number in range(2500)))
    assert [batch.num_rows for batch in batches] == [1024, 1024, 452]
    assert [row["id"] for row in rows_of(batches)] == [str(number) for number in range(2500)]
    assert rows_of(batches)[0]["split"] == ""


def test_the_real_nl2bash_is_read_whole(shared):
    rows = rows_of(read_pairs(shared / "data" / "benchmarks" / "nl2bash", BASH))
    assert Counter(row["problem"] for row in rows) == {None: 12607}
    assert len({(row["nl"], row["code"]) for row in rows}) == 12607
