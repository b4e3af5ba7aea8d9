"""MTPB: the file, the wire format, and where answers end."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import InputError
from contamination import ContaminationConfig
from instruct.multiturn import PREAMBLE, Dialogue, history, load_dialogues, truncated_turn
from instruct.problems import leaked

ROW = {
    "id": "1", "name": "Sandwich", "category": "string", "max_gen_length": 128,
    "prompts": ["Assign \"{A}\" to \"s\".", "Print {{s}} twice, {n} times."],
    "inputs": [{"A": "ab", "n": 2}, {"A": "c", "n": [1]}], "outputs": ["abab", "cc"],
}  # fmt: skip
ONE = Dialogue("1", "", "", tuple(ROW["prompts"]), tuple(ROW["inputs"]), ("abab", "cc"), 128)


def written(tmp_path, *rows):
    path = tmp_path / "mtpb.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_wire_format():
    """The published format: preamble, a turn as a comment, its answer, an empty line (mtpb_sample.py)."""
    assert history(ONE, 0, []) == '# Import libraries.\n\nimport numpy as np\n\n# Assign "ab" to "s".\n'
    assert history(ONE, 0, ["s = 'ab'\n# and more"]) == (
        "# Import libraries.\n\nimport numpy as np\n\n"
        '# Assign "ab" to "s".\ns = \'ab\'\n\n\n'
        "# Print {s} twice, 2 times.\n"
    )
    assert history(ONE, 1, ["s = 'c'", "print(s * 2)"], preamble=False) == (
        '# Assign "c" to "s".\ns = \'c\'\n\n# Print {s} twice, [1] times.\nprint(s * 2)\n\n'
    )


def test_more_answers_than_turns():
    with pytest.raises(ValueError, match="3 answers for 2 turns"):
        history(ONE, 0, ["", "", ""])


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("x = 1\n# next", "x = 1\n"),
        ("x = 1  # same line", "x = 1  # same line"),
        ("x = 1<|endoftext|>y", "x = 1"),
        ("x = 1\n'''text'''", "x = 1\n"),
        ('x = 1\n"""text"""', "x = 1\n"),
        ("x = '''a'''", "x = '''a'''"),
        ("x = 1\n\n\n\ny = 2", "x = 1"),
        ("print(1)\nprint(2)", "print(1)\n"),
        ("print(1)\n  print(2)", "print(1)\n  print(2)"),
        ("def f():\n    pass\ndef g():\n    pass", "def f():\n    pass\n"),
        ("printed = 1\nprint(2)", "printed = 1\n"),
        ("# only", ""),
        ("", ""),
    ],
)
def test_where_an_answer_ends(text, kept):
    assert truncated_turn(text) == kept


@given(st.text(alphabet="\n#'\"printdef x", max_size=50))
def test_cutting_only_takes_from_the_end_and_once(text):
    kept = truncated_turn(text)
    assert text.startswith(kept)
    assert truncated_turn(kept) == kept


def test_a_file_is_read_and_checked(tmp_path):
    (one,) = load_dialogues(written(tmp_path, ROW))
    assert one.turns(1) == ('Assign "c" to "s".', "Print {s} twice, [1] times.")
    without = {name: value for name, value in ROW.items() if name != "max_gen_length"}
    assert load_dialogues(written(tmp_path, without))[0].max_tokens == 256


def test_outputs_over_the_inputs_are_left_out(tmp_path):
    (one,) = load_dialogues(written(tmp_path, ROW | {"outputs": ["a", "b", "c"]}))
    assert one.outputs == ("a", "b")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"prompts": ["{B}"]}, r"cannot be filled with inputs\[0\] \(KeyError: 'B'\)"),
        ({"prompts": ["{"]}, "ValueError"),
        ({"prompts": ["{A.real.x}"]}, "AttributeError"),
        ({"prompts": []}, "prompts: expected a list"),
        ({"prompts": [1]}, "prompts: expected texts"),
        ({"inputs": ["a", "b"]}, "inputs: objects"),
        ({"inputs": None}, "inputs: expected a list, got NoneType"),
        ({"outputs": ["abab"]}, "2 inputs and 1 outputs"),
        ({"max_gen_length": "x"}, "max_gen_length: expected a number"),
        ({}, "problem 1 for the second time"),
    ],
)
def test_a_bad_row_names_its_line(tmp_path, change, told):
    with pytest.raises(InputError, match=rf"mtpb.jsonl, line 2: .*{told}"):
        load_dialogues(written(tmp_path, ROW, ROW | change))


def test_an_empty_file(tmp_path):
    with pytest.raises(InputError, match="no problems"):
        load_dialogues(written(tmp_path))


@pytest.fixture(scope="module")
def published(shared):
    return shared / "data/benchmarks/mtpb/mtpb.jsonl.gz"


def test_all_published_problems_can_be_asked(published):
    """115 problems of 3 to 9 turns with five cases each; counted over mtpb.jsonl of salesforce/CodeGen."""
    found = load_dialogues(published)
    assert len(found) == 115
    assert {len(one.inputs) for one in found} == {len(one.outputs) for one in found} == {5}
    assert sorted({len(one.prompts) for one in found}) == [3, 4, 5, 6, 7, 8, 9]
    assert sum(one.max_tokens == 256 for one in found) >= 7
    every = [history(one, number, []) for one in found for number in range(5)]
    assert len(every) == 575
    assert all(text.startswith("# Import libraries.\n\nimport numpy as np\n\n# ") for text in every)


def test_a_planted_dialogue_is_found(published):
    """A file that holds a problem's turns as comments, filled with its first case, is a leak of it.

    Measured: 109 of 115. The turns of the other six are shorter than an n-gram, and answers stand between them.
    """
    config = ContaminationConfig(suites=(f"mtpb:{published}",))
    dialogues = load_dialogues(published)
    texts = [history(one, 0, ["x = 1"] * len(one.prompts)) for one in dialogues]
    clean = [
        "import os\n\n\ndef size(path):\n    # How many bytes a file has.\n    return os.stat(path).st_size\n"
    ]
    found = leaked([*texts, *clean], config, config.index())
    hits = [f"mtpb/{one.id}" in tasks for one, tasks in zip(dialogues, found[:-1], strict=True)]
    assert sum(hits) >= 109
    assert found[-1] == []


TURN = st.text(alphabet="\n#'\"printdef x=1", max_size=30)


@given(st.lists(TURN, max_size=2), st.integers(0, 1))
def test_a_history_is_the_preamble_and_the_bare_history(turns, case):
    bare = history(ONE, case, turns, preamble=False)
    assert history(ONE, case, turns) == PREAMBLE + bare
    assert bare.startswith(f"# {ONE.turns(case)[0]}\n")
    assert bare.endswith("\n\n" if len(turns) == 2 else f"# {ONE.turns(case)[len(turns)]}\n")


@given(st.lists(TURN, min_size=1, max_size=2))
def test_a_history_grows_only_at_its_end(turns):
    assert history(ONE, 0, turns).startswith(history(ONE, 0, turns[:-1]) + truncated_turn(turns[-1]))


@pytest.mark.parametrize("text", ["x = 1\n<|endoftext|>", "<|endoftext|>", "print(1)\nprint(2)\nprint(3)"])
def test_what_is_cut_is_never_in_a_history(text):
    kept = history(ONE, 0, [text, text])
    assert "<|endoftext|>" not in kept
    assert kept.count("\nprint") <= 2


def test_the_rules_go_one_after_the_other():
    """The second print comes first, though a definition and a comment stand before it."""
    assert truncated_turn("def f():\n    pass\nprint(1)\ndef g():\n    pass\nprint(2)") == (
        "def f():\n    pass\nprint(1)\n"
    )
    assert truncated_turn("print(1)\n# one\nprint(2)\n") == "print(1)\n"


def test_values_of_any_kind_fill_prompts(tmp_path):
    values = {"s": "a{b}", "n": 1.5, "l": [1, "x"], "o": {"k": None}, "t": True}
    row = ROW | {"prompts": ["{s} {n} {l} {o} {t} {{}}"], "inputs": [values], "outputs": [1]}
    (one,) = load_dialogues(written(tmp_path, row))
    assert one.turns(0) == ("a{b} 1.5 [1, 'x'] {'k': None} True {}",)
    assert history(one, 0, [], preamble=False).count("\n") == 1


def test_facts_of_a_problem(tmp_path):
    bare = {name: ROW[name] for name in ("id", "prompts", "inputs", "outputs")}
    named, plain = load_dialogues(written(tmp_path, ROW, bare | {"id": 2}))
    assert (named.id, named.name, named.category, named.max_tokens) == ("1", "Sandwich", "string", 128)
    assert (plain.id, plain.name, plain.category, plain.max_tokens) == ("2", "", "", 256)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"prompts": ["{}"]}, "IndexError"),
        ({"prompts": ["{A!q}"]}, "ValueError"),
        ({"prompts": ["{A:d}"]}, "ValueError"),
        ({"prompts": ["{A[x]}"]}, "TypeError"),
        ({"inputs": [{"A": "a", "n": 1}, {"A": "b"}]}, r"inputs\[1\] \(KeyError: 'n'\)"),
        ({"max_gen_length": True}, "expected a number, got True"),
        ({"outputs": "ab"}, "outputs: expected a list, got str"),
    ],
)
def test_prompts_that_cannot_be_filled_name_the_line(tmp_path, change, told):
    with pytest.raises(InputError, match=rf"line 1: .*{told}"):
        load_dialogues(written(tmp_path, ROW | change))
