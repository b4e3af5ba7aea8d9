from collections import Counter, defaultdict

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.pairs import (
    BASH,
    PAIR,
    count_overlap,
    divide_disjoint,
    divide_last,
    mark_pairs,
    random_overlaps,
    read_pairs,
)
from instruct.pairs.overlap import MARKED, OverlapConfig, mark_snippets
from instruct.pairs.pair import pair_batches


def pairs(*rows):
    names = ("split", "nl", "code", "lang", "intent", "problem")
    made = [dict(zip(names, row, strict=False)) for row in rows]
    whole = [{"id": f"{number}", "lang": BASH, **row} for number, row in enumerate(made)]
    return pa.Table.from_batches(pair_batches(whole), PAIR)


PAIRS = pairs(
    ("train", "list", "ls"),
    ("train", "list", "ls"),
    ("train", "show", "ls"),
    ("train", "where", "pwd"),
    ("validation", "where", "pwd"),
    ("test", "who", "pwd"),
    ("test", "who", "pwd"),
    ("test", "who", "id", "python"),
    ("train", "who", "id"),
    ("train", None, "date", BASH, "the time"),
    ("train", None, "cal"),
    ("train", None, None, BASH, None, "not_text"),
)


def dropped(table):
    return table["dropped"].to_pylist()


def test_each_row_says_the_first_rule_that_leaves_it_out():
    marked, counts = mark_pairs(PAIRS)
    assert marked.schema == MARKED
    assert dropped(marked) == [
        None, "duplicate", None, "leak", "leak", None, None, None, None, None, "no_nl", "unreadable",
    ]  # fmt: skip
    assert marked["first_id"].to_pylist() == [None, "0", *[None] * 4, "5", *[None] * 5]
    assert counts == {
        "bash: kept": 6, "bash: duplicate": 1, "bash: leak": 2, "python: kept": 1, "bash: no_nl": 1,
        "bash: unreadable": 1,
    }  # fmt: skip


def test_facts_stay_when_the_decision_is_to_keep():
    marked, _ = mark_pairs(PAIRS, OverlapConfig("keep", "keep", intent_for_null=False))
    facts, _ = mark_pairs(PAIRS)
    assert dropped(marked) == [*[None] * 9, "no_nl", "no_nl", "unreadable"]
    assert marked.select(["first_id", "in_test"]).equals(facts.select(["first_id", "in_test"]))


def test_a_test_row_is_never_a_leak_and_a_language_is_no_other():
    marked, _ = mark_pairs(PAIRS)
    assert marked["in_test"].to_pylist() == [
        False, False, False, True, True, None, None, None, False, False, False, False,
    ]  # fmt: skip


def test_snippets_need_no_sentence_and_leak_like_pairs():
    snippets = pairs(("", None, "ls"), ("", None, "ls"), ("", None, "pwd"))
    marked, counts = mark_snippets(snippets, {(BASH, "pwd"), ("python", "ls")})
    assert dropped(marked) == [None, "duplicate", "leak"]
    assert counts == {"bash: kept": 1, "bash: duplicate": 1, "bash: leak": 1}


def test_nothing_is_marked_of_nothing():
    marked, counts = mark_pairs(PAIRS.slice(0, 0))
    assert (marked.num_rows, marked.schema, counts) == (0, MARKED, Counter())


CODES = st.lists(st.sampled_from("abcdef"), max_size=12)


@given(CODES, CODES)
def test_overlap_counts_as_its_definition_says(train, test):
    found = count_overlap(train, test)
    assert found.shared == len([code for code in test if any(code == other for other in train)])
    assert found.distinct == len(set(train) & set(test))
    assert found.test == len(test)


@given(st.lists(st.tuples(st.sampled_from(["train", "test"]), st.sampled_from("xy"), st.sampled_from("abc"))))
def test_after_the_marks_no_test_code_is_left_outside_the_test(rows):
    marked, _ = mark_pairs(pairs(*rows))
    kept = [row for row in marked.to_pylist() if row["dropped"] is None]
    codes = {split: [row["code"] for row in kept if row["split"] == split] for split in ("train", "test")}
    assert count_overlap(codes["train"], codes["test"]).shared == 0
    train = [(row["nl"], row["code"]) for row in kept if row["split"] == "train"]
    assert len(set(train)) == len(train)
    assert codes["test"] == [code for split, _, code in rows if split == "test"]


TEXTS = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("stuvwxyz")), max_size=20)


@given(TEXTS, st.integers(0, 3))
def test_a_disjoint_division_shares_no_text_and_no_order(texts, seed):
    sentences, codes = [one for one, _ in texts], [one for _, one in texts]
    sides = divide_disjoint(sentences, codes, seed)
    for column in (sentences, codes):
        stands = defaultdict(set)
        for text, side in zip(column, sides, strict=True):
            stands[text].add(side)
        assert all(len(found) == 1 for found in stands.values())
    assert divide_disjoint(sentences[::-1], codes[::-1], seed) == sides[::-1]


def test_a_disjoint_division_has_the_authors_shares_on_average():
    count = 20_000
    sides = Counter(divide_disjoint([f"n{n}" for n in range(count)], [f"c{n}" for n in range(count)]))
    shares = {"train": 8090 / 9305, "validation": 609 / 9305, "test": 606 / 9305}
    for side, share in shares.items():
        assert abs(sides[side] - share * count) < 4 * (share * (1 - share) * count) ** 0.5


def test_rows_without_texts_hang_together_with_nothing():
    assert len(divide_disjoint([None, None, "a"], [None, "x", None])) == 3


@pytest.mark.parametrize(("count", "test"), [(0, 0), (1, 0), (5, 1), (100, 20), (12607, 2522)])
def test_the_last_rows_are_the_test(count, test):
    assert divide_last(count) == ["train"] * (count - test) + ["test"] * test


def test_random_divisions_depend_on_the_seed_alone():
    codes = list("aabbccddeeffgg")
    first = list(random_overlaps(codes, 4, range(20)))
    assert first == list(random_overlaps(codes, 4, range(20)))
    assert len(set(first)) > 1
    assert all(0 <= one <= 4 for one in first)


@pytest.fixture(scope="module")
def nl2bash(shared):
    return pa.Table.from_batches(read_pairs(shared / "data" / "benchmarks" / "nl2bash", BASH))


def test_the_published_division_of_nl2bash_has_the_published_overlap(nl2bash):
    codes = nl2bash["code"].to_pylist()
    found = count_overlap(codes[:-2522], codes[-2522:])
    assert found == (2522, 747, 605)
    assert divide_last(len(codes)).count("test") == 2522


def test_no_random_division_of_nl2bash_has_the_published_overlap(nl2bash):
    found = list(random_overlaps(nl2bash["code"].to_pylist(), 2522, range(20)))
    assert 500 < min(found) <= max(found) < 700


def test_marks_of_nl2bash_leave_no_test_command_in_training(nl2bash):
    at = nl2bash.column_names.index("split")
    divided = nl2bash.set_column(at, "split", pa.array(divide_last(nl2bash.num_rows)))
    marked, counts = mark_pairs(divided)
    assert counts == {"bash: kept": 11742, "bash: leak": 865}
    kept = [row for row in marked.to_pylist() if row["dropped"] is None]
    train = [row["code"] for row in kept if row["split"] == "train"]
    assert (len(train), count_overlap(train, [r["code"] for r in kept if r["split"] == "test"]).shared) == (
        9220,
        0,
    )


def test_a_disjoint_division_of_nl2bash_shares_nothing(nl2bash):
    sides = divide_disjoint(nl2bash["nl"].to_pylist(), nl2bash["code"].to_pylist())
    assert Counter(sides) == {"train": 11004, "validation": 839, "test": 764}
