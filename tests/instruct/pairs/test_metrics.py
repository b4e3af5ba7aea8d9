import json
import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import EnvironmentProblem, InputError
from instruct.pairs import BASH, EXCEL, PYTHON, measure_predictions, name_spans, template_of, validity
from instruct.pairs.diversity import diversity
from instruct.pairs.pair import MOST_CHARS
from instruct.pairs.trees import MOST_BYTES


@pytest.mark.parametrize(
    ("lang", "code", "position", "problem"),
    [
        (PYTHON, "x = 1\nif x", 10, "expected ':'"),
        (PYTHON, "é = (", 5, "'(' was never closed"),
        (PYTHON, "a\0b", -1, None),
        (PYTHON, "(" * 300 + ")" * 300, 200, "too many nested parentheses"),
        (PYTHON, " ", 0, "blank"),
        (PYTHON, "x" * (MOST_BYTES + 1), MOST_BYTES, "more than 4096 bytes"),
        (BASH, "ls | | wc", 5, "not a command"),
        (BASH, "x" * (MOST_BYTES + 1), MOST_BYTES, "more than 4096 bytes"),
        (EXCEL, "Top(0)", 5, "Top takes a number above 0"),
    ],
)
def test_what_is_not_valid_says_where_and_why(lang, code, position, problem):
    found = validity(code, lang)
    assert not found.valid
    assert found.problem
    if problem:
        assert (found.position, found.problem) == (position, problem)


@pytest.mark.parametrize(
    ("lang", "code"),
    [
        (PYTHON, "return x"),
        (PYTHON, "'\\d'"),
        (BASH, 'for f in *; do echo "$f"; done'),
        (BASH, "find . -name '*.c' -exec rm {} \\;"),
        (EXCEL, "OR(Blanks(), Top(3))"),
    ],
)
def test_what_is_valid_is(lang, code):
    assert validity(code, lang) == (True, -1, "")


@given(st.text(st.characters(), max_size=80), st.sampled_from([PYTHON, BASH, EXCEL]))
def test_no_text_is_judged_by_an_error(code, lang):
    assert (template_of(code) is not None) <= validity(code, BASH).valid
    assert diversity([code, code]).distances == (0,)
    assert name_spans(code, lang) is not None
    found = validity(code, lang)
    assert found.valid != bool(found.problem)
    assert found.position <= len(code.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("find . -name '*.c'", 'find /src -name "x y"', True),
        ("find . -name x", "find . -iname x", False),
        ("grep -r x .", "grep x .", False),
        ("ls | wc -l", "ls || wc -l", False),
        ("sort --key=2 a", "sort --key=7 b", True),
        ("sort --key=2 a", "sort --reverse a", False),
        ("head -n 5 f", "head -n 9 'g h'", True),
        ("find . -exec rm {} \\;", "find . -exec mv {} \\;", False),
        ("find . | xargs -n 1 rm", "find . | xargs -n 2 rm", True),
        ("find . | xargs rm", "find . | xargs ls", False),
        ("sudo rm x", "sudo ls x", False),
        ("echo $(date)", "echo $(pwd)", False),
        ("echo $(date +%s)", "echo $(date +%d)", True),
        ('echo "a $(date) b"', 'echo "c $(date)"', True),
        ("A=1 make", "B=$C make", True),
        ("cat < a > b", "cat < c > d", True),
        ("cat < a", "cat > a", False),
        ("for f in a b; do rm $f; done", 'for g in c d; do rm "$g"; done', True),
        ("tar -5 x", "tar 6 x", True),
    ],
)
def test_templates_leave_out_arguments_and_nothing_else(one, other, same):
    assert template_of(one) is not None
    assert template_of(other) is not None
    assert (template_of(one) == template_of(other)) is same


@pytest.mark.parametrize("code", ["", "  ", "ls |", "echo $(", "x" * (MOST_BYTES + 1)])
def test_what_does_not_parse_has_no_template(code):
    assert template_of(code) is None


@given(st.text("ls -x|>$(){};'\"\n&ab", max_size=40))
def test_templates_never_raise(code):
    found = template_of(code)
    assert found is None or all(found)


def slow_distance(one, other):
    row = list(range(len(other) + 1))
    for at, mark in enumerate(one, 1):
        before, row[0] = row[0], at
        for to, sign in enumerate(other, 1):
            before, row[to] = row[to], min(row[to] + 1, row[to - 1] + 1, before + (mark != sign))
    return row[-1] / max(len(one), len(other), 1)


@given(st.lists(st.text("ab c(", max_size=8), max_size=4))
def test_diversity_is_what_its_definition_says(texts):
    found = diversity(texts)
    assert len(found.distances) == math.comb(len(texts), 2)
    expected = [slow_distance(one, other) for at, one in enumerate(texts) for other in texts[at + 1 :]]
    assert found.distances == pytest.approx(expected)
    assert all(one is None or 0 < one <= 1 for one in found.distinct)


def test_equal_predictions_are_as_little_diverse_as_can_be():
    found = diversity(["ls -l a.txt"] * 5)
    assert found.distinct == pytest.approx((0.2, 0.2, 0.2, 0.2))
    assert set(found.distances) == {0.0}
    assert diversity(["a", "b"]).distinct == (1.0, None, None, None)


def jsonl(path, rows):
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return path


def pairs_file(folder, lang, *codes, sheet=None):
    rows = [
        {"id": f"{lang}/test/{number}", "lang": lang, "split": "test", "code": code, "sheet": sheet}
        for number, code in enumerate(codes, 1)
    ]
    others = [{**rows[0], "id": "train", "split": "train"}, {**rows[0], "id": "other", "lang": "other"}]
    return jsonl(folder / "pairs.jsonl", [*others, *rows])


def predictions_file(folder, lang, *predictions):
    rows = [{"id": f"{lang}/test/{number}", "predictions": one} for number, one in enumerate(predictions, 1)]
    return jsonl(folder / "predictions.jsonl", rows)


def test_bash_is_measured_by_templates(tmp_path):
    pairs = pairs_file(tmp_path, BASH, "ls -l a", "wc -l b", "cat a", "date")
    told = predictions_file(
        tmp_path,
        BASH,
        ["ls -l zz"],
        ["wc", "wc |", "wc -l c"],
        ["tac", "cat", "cut", "cat b", "cat a", "cat c"],
        [],
    )
    found = measure_predictions(told, pairs, BASH)
    assert (found["pairs"], found["predicted"], found["unknown"]) == (4, 3, 0)
    assert found["top"]["1"] == {"exact": 0, "template": 1 / 4, "valid": 1}
    assert found["top"]["3"] == {"exact": 0, "template": 2 / 4, "valid": 6 / 7}
    assert found["top"]["5"] == {"exact": 1 / 4, "template": 3 / 4, "valid": 8 / 9}
    assert found["diversity"]["sentences"] == 2
    assert found["not_measured"] == ["similarity of embeddings (needs a model)"]


def test_rules_are_measured_by_what_they_format(tmp_path):
    sheet = json.dumps([["Index", "Value"], [0, "3"], [1, "9"], [2, "late"]])
    pairs = pairs_file(
        tmp_path, EXCEL, "GreaterThan(5)", "TextEquals(late)", "$A2=$A3", "Blanks(c[7])", sheet=sheet
    )
    told = predictions_file(
        tmp_path,
        EXCEL,
        ["Top(1)"],
        ["Top(1)", "nonsense(", "NOT(GreaterThan(0))"],
        ["Top(1)", "$A2=$A3 "],
        ["Blanks(c[7])"],
    )
    found = measure_predictions(told, pairs, EXCEL)
    assert found["top"]["1"] == {"exact": 1 / 4, "execution": 2 / 4, "valid": 1}
    assert found["top"]["3"]["execution"] == 1
    assert found["top"]["3"]["exact"] == 2 / 4


@pytest.mark.parametrize("sheet", [None, "", "{", "[]", "[3]", "[" * 100_000])
def test_rules_without_a_sheet_match_when_they_are_the_same_rule(tmp_path, sheet):
    pairs = pairs_file(tmp_path, EXCEL, "top(3)", "top(3)", sheet=sheet)
    found = measure_predictions(predictions_file(tmp_path, EXCEL, ["Top( 3.0)"], ["Top(4)"]), pairs, EXCEL)
    assert found["top"]["1"] == {"exact": 0, "execution": 1 / 2, "valid": 1}


def test_python_is_measured_by_exact_match_and_says_what_it_leaves_out(tmp_path):
    pairs = pairs_file(tmp_path, PYTHON, "x + y")
    found = measure_predictions(predictions_file(tmp_path, PYTHON, ["x +", " x + y\n"]), pairs, PYTHON)
    assert found["top"]["1"] == {"exact": 0, "valid": 0}
    assert found["top"]["3"] == {"exact": 1, "valid": 0}
    assert any("CodeBERTScore" in one for one in found["not_measured"])


def test_predictions_that_cannot_be_used_are_counted(tmp_path):
    pairs = pairs_file(tmp_path, BASH, "ls", "id")
    lines = [
        "{broken", "", "[" * 100_000, "[]", '{"id": "bash/test/1"}', '{"predictions": ["ls"]}',
        {"id": "bash/test/1", "predictions": [3]}, {"id": "bash/test/1", "predictions": "ls"},
        {"id": "bash/test/1", "predictions": ["y" * (MOST_CHARS + 1), "ls"]},
        {"id": "bash/test/1", "predictions": ["id"]}, {"id": "elsewhere", "predictions": ["ls"]},
    ]  # fmt: skip
    found = measure_predictions(jsonl(tmp_path / "p.jsonl", lines), pairs, BASH)
    counted = {name: found[name] for name in ("predicted", "unknown", "unreadable", "repeated", "too_large")}
    assert counted == {"predicted": 1, "unknown": 1, "unreadable": 7, "repeated": 1, "too_large": 1}
    assert found["top"]["3"]["exact"] == 1 / 2


def test_no_predictions_at_all_are_no_error(tmp_path):
    found = measure_predictions(jsonl(tmp_path / "p.jsonl", []), pairs_file(tmp_path, BASH, "ls"), BASH)
    assert found["top"]["5"] == {"exact": 0, "template": 0, "valid": 0}
    assert found["diversity"]["edit_distance_mean"] is None


def test_any_input_can_be_measured_against(tmp_path):
    (tmp_path / "test.nl").write_text("list\n")
    (tmp_path / "test.cm").write_text("ls a\n")
    found = measure_predictions(predictions_file(tmp_path, BASH, ["ls b"]), tmp_path, BASH)
    assert found["top"]["1"]["template"] == 1


def test_files_and_languages_that_are_none_are_refused(tmp_path):
    pairs = pairs_file(tmp_path, BASH, "ls")
    with pytest.raises(InputError, match="no such language"):
        measure_predictions(pairs, pairs, "perl")
    with pytest.raises(InputError, match="cannot be read"):
        measure_predictions(tmp_path / "absent", pairs, BASH)
    with pytest.raises(InputError):
        measure_predictions(pairs, tmp_path / "absent", BASH)
    with pytest.raises(InputError, match="no pairs of bash"):
        measure_predictions(
            pairs, jsonl(tmp_path / "other.jsonl", [{"id": 1, "code": "x", "lang": PYTHON}]), BASH
        )


def test_the_result_is_plain_json(tmp_path):
    found = measure_predictions(
        predictions_file(tmp_path, BASH, ["ls", "ls -a"]), pairs_file(tmp_path, BASH, "ls"), BASH
    )
    assert json.loads(json.dumps(found)) == found


def test_every_answer_of_the_real_test_matches_itself(shared, tmp_path):
    folder = shared / "data" / "benchmarks" / "nl2bash"
    from instruct.pairs import read_pairs

    rows = [row for batch in read_pairs(folder, BASH) for row in batch.to_pylist()][-300:]
    told = jsonl(tmp_path / "p.jsonl", ({"id": row["id"], "predictions": [row["code"]]} for row in rows))
    pairs = jsonl(tmp_path / "pairs.jsonl", rows)
    found = measure_predictions(told, pairs, BASH)
    assert found["top"]["1"]["exact"] == found["top"]["1"]["template"] == 1
    assert found["top"]["1"]["valid"] > 0.95


def test_the_interpreter_s_recursion_limit_is_left_alone():
    before = sys.getrecursionlimit()
    validity("(" * 4000, PYTHON)
    assert sys.getrecursionlimit() == before


def test_without_rapidfuzz_the_cure_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "rapidfuzz.distance.Levenshtein", None)
    with pytest.raises(EnvironmentProblem, match=r"thresher\[instruct\]"):
        diversity(["a", "b"])
