import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.pairs import (
    BASH,
    EXCEL,
    PAIR,
    PYTHON,
    FixedConfig,
    MaskConfig,
    mark_pairs,
    mark_snippets,
    name_spans,
    pretraining_records,
    pretraining_schema,
    tuning_records,
    tuning_schema,
)  # fmt: skip
from instruct.pairs.pair import pair_batches


def marked(rows, *, sentences=True):
    whole = [{"id": str(number), "lang": BASH, "split": "train", **row} for number, row in enumerate(rows)]
    table = pa.Table.from_batches(pair_batches(whole), PAIR)
    return (mark_pairs(table) if sentences else mark_snippets(table, set()))[0]


PAIRS = [
    {"nl": "list", "code": "ls -l"},
    {"nl": "a long sentence", "code": "pwd"},
    {"nl": "count", "code": "wc -l a.txt"},
    {"nl": "open", "code": "echo $("},
    {"nl": None, "code": "id"},
    {"nl": "mark", "code": "Top(3)", "lang": EXCEL, "split": "test"},
]


def test_pairs_are_padded_at_the_end_and_long_ones_are_marked_not_cut(byte_coder):
    table, counts = tuning_records(marked(PAIRS), byte_coder, FixedConfig(8))
    assert table.schema == tuning_schema(8)
    rows = table.to_pylist()
    assert rows[0]["code_ids"] == [*b"ls -l", 256, 256, 256]
    assert rows[0]["nl_ids"] == [*b"list", *[256] * 4]
    assert rows[0]["pad_mask"] == [*[False] * 5, *[True] * 3]
    assert [row["dropped"] for row in rows] == [None, "nl_overlong", "code_overlong", None, "no_nl", None]
    assert (rows[1]["nl_ids"], rows[1]["n_nl"], rows[1]["code_ids"][:3]) == ([256] * 8, 15, [*b"pwd"])
    assert (rows[2]["code_ids"], rows[2]["pad_mask"], rows[2]["n_code"]) == ([256] * 8, [True] * 8, 11)
    assert (rows[4]["nl_ids"], rows[4]["n_nl"], rows[4]["valid"]) == ([256] * 8, None, None)
    assert [row["valid"] for row in rows] == [True, True, True, False, None, True]
    assert counts == {
        "bash: train": 2, "bash: nl_overlong": 1, "bash: code_overlong": 1, "bash: no_nl": 1, "bash: invalid, kept": 1,
        "excel_cf: test": 1,
    }  # fmt: skip


def test_rules_say_whether_they_format_what_the_source_labels(byte_coder):
    sheet = '[["Index", "Value"], [0, "2"], [1, "9"]]'
    row = {"nl": "mark", "lang": EXCEL, "split": "test", "sheet": sheet}
    table, counts = tuning_records(
        marked(
            [
                {**row, "code": "Top(1)", "labels": [0, 0, 1]},
                {**row, "code": "Bottom(1)", "labels": [0, 0, 1]},
                {**row, "code": "Top(2)", "labels": [0]},
                {**row, "code": "$A2=$A3", "labels": [0, 0, 1]},
                {**row, "code": "Top(3)"},
                {**row, "code": "Top(4)", "labels": [0, 1, 1], "sheet": "[3]"},
                {**row, "code": None, "labels": [0, 0, 1]},
            ]
        ),
        byte_coder,
    )
    assert table["agrees"].to_pylist() == [True, False, None, None, None, None, None]
    assert counts["excel_cf: labelled by the source, agreeing"] == 1
    assert counts["excel_cf: labelled by the source, not agreeing"] == 1


def test_a_text_of_exactly_the_length_fits(byte_coder):
    row = tuning_records(marked([{"nl": "12345", "code": "12345"}]), byte_coder, FixedConfig(5))[
        0
    ].to_pylist()[0]
    assert (row["dropped"], row["nl_pad_mask"], row["pad_mask"]) == (None, [False] * 5, [False] * 5)


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12).filter(str.strip)


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=5), st.integers(1, 12))
def test_records_have_one_length_pads_only_at_the_end_and_give_back_the_text(byte_coder, texts, length):
    table, _ = tuning_records(
        marked([{"nl": nl, "code": code} for nl, code in texts]), byte_coder, FixedConfig(length)
    )
    table.validate(full=True)
    for row in table.to_pylist():
        sides = (("nl", "nl_ids", "nl_pad_mask"), ("code", "code_ids", "pad_mask"))
        for side, ids, mask in sides if row["n_nl"] is not None else ():
            text = row[side].encode()
            assert len(row[ids]) == len(row[mask]) == length
            assert row[mask] == sorted(row[mask])
            held = bytes(one for one, pad in zip(row[ids], row[mask], strict=True) if not pad)
            assert held == (text if len(text) <= length else b"")
            assert {one for one, pad in zip(row[ids], row[mask], strict=True) if pad} <= {256}
            assert row["dropped"] or held


SNIPPETS = [
    {"code": "for x in y: f(x)", "lang": PYTHON},
    {"code": "ls | wc", "lang": BASH},
    {"code": "1 + 2", "lang": PYTHON},
    {"code": "TextEquals(a rather long text)", "lang": EXCEL},
    {"code": "ls | wc", "lang": BASH},
]


def test_every_snippet_is_a_record_of_each_task(byte_coder):
    table, counts = pretraining_records(
        marked(SNIPPETS, sentences=False), byte_coder, FixedConfig(20), MaskConfig(1)
    )
    assert table.schema == pretraining_schema(20)
    rows = {row["id"]: row for row in table.to_pylist()}
    assert list(rows) == [f"{number}/{task}" for number in range(5) for task in ("gen", "cpd")]
    assert {row["id"]: row["dropped"] for row in rows.values() if row["dropped"]} == {
        "2/cpd": "nothing_to_mask", "3/gen": "overlong", "3/cpd": "overlong", "4/gen": "duplicate",
        "4/cpd": "duplicate",
    }  # fmt: skip
    cpd = rows["0/cpd"]
    assert cpd["mask_positions"] == [0, 1, 2, 4, 6, 7, 9, 12, 14]
    assert cpd["code_ids"][:16] == [*b"for x in y: f(x)"]
    assert [one for one in cpd["cpd_input_ids"] if one != 257] == [
        *b"  : ()".replace(b"  :", b"   :"),
        *[256] * 4,
    ]
    assert (cpd["n_spans"], cpd["n_masked"], cpd["n_straddled"]) == (6, 6, 0)
    assert (rows["0/gen"]["cpd_input_ids"], rows["0/gen"]["mask_positions"]) == ([256] * 20, [])
    assert rows["0/gen"]["code_ids"] == cpd["code_ids"]
    assert (rows["3/gen"]["n_code"], rows["3/gen"]["code_ids"], rows["4/gen"]["n_code"]) == (
        30,
        [256] * 20,
        None,
    )
    assert counts["python: cpd nothing_to_mask"] == counts["bash: gen kept"] == 1
    assert counts["n_masked"] == 8


def test_an_overlong_snippet_is_never_parsed(byte_coder, monkeypatch):
    monkeypatch.setattr("instruct.pairs.pretraining.name_spans", lambda *_: pytest.fail("parsed"))
    table, _ = pretraining_records(marked([{"code": "(" * 60_000}], sentences=False), byte_coder)
    assert table["dropped"].to_pylist() == ["overlong", "overlong"]


def test_a_snippet_too_large_to_parse_still_generates(byte_coder):
    rows = marked([{"code": "x" * 5000}], sentences=False)
    table, _ = pretraining_records(rows, byte_coder, FixedConfig(6000))
    assert table["dropped"].to_pylist() == [None, "unparsed"]


CODES = st.lists(
    st.sampled_from(["for ", "x", " in", "(", ")", "'a'", " | ", "ls", "Top", ",", " 1", "."]), max_size=12
)


@given(
    st.lists(st.tuples(CODES.map("".join), st.sampled_from([PYTHON, BASH, EXCEL])), max_size=4),
    st.integers(0, 2),
)
def test_input_and_target_differ_at_the_masked_places_alone(codet5, snippets, seed):
    rows = marked([{"code": code, "lang": lang} for code, lang in snippets], sentences=False)
    table, _ = pretraining_records(rows, codet5, FixedConfig(16), MaskConfig(0.5, seed))
    table.validate(full=True)
    assert table.num_rows == 2 * len(snippets)
    for row in table.to_pylist():
        if row["task"] == "cpd" and not row["dropped"]:
            target, given_ids = np.array(row["code_ids"]), np.array(row["cpd_input_ids"])
            assert np.flatnonzero(target != given_ids).tolist() == row["mask_positions"]
            assert set(given_ids[row["mask_positions"]].tolist()) == {codet5.mask_id}
            assert max(row["mask_positions"]) < row["n_code"] <= 16
            assert row["n_masked"] >= 1
            assert row["n_spans"] == len(name_spans(snippets[int(row["parent_id"])][0], row["lang"]))


def test_records_of_parts_are_the_parts_of_the_records(codet5):
    rows = marked(SNIPPETS, sentences=False)
    whole = pretraining_records(rows, codet5)[0]
    parts = [pretraining_records(rows.slice(at, 2), codet5)[0] for at in range(0, 5, 2)]
    assert pa.concat_tables(parts).equals(whole)
    pairs = marked(PAIRS)
    halves = [tuning_records(half, codet5)[0] for half in (pairs.slice(0, 3), pairs.slice(3))]
    assert pa.concat_tables(halves).equals(tuning_records(pairs, codet5)[0])


def test_records_come_back_from_parquet_as_they_were(codet5, tmp_path):
    for number, table in enumerate(
        [
            tuning_records(marked(PAIRS), codet5)[0],
            pretraining_records(marked(SNIPPETS, sentences=False), codet5)[0],
        ]
    ):
        pq.write_table(table, tmp_path / f"{number}.parquet")
        assert pq.read_table(tmp_path / f"{number}.parquet").equals(table)


def test_nothing_gives_nothing(codet5):
    empty = marked([])
    assert tuning_records(empty, codet5)[0].schema == tuning_schema()
    assert pretraining_records(empty, codet5)[0].schema == pretraining_schema()


@pytest.mark.parametrize("length", [0, -1, 40_000])
def test_lengths_that_are_none_are_refused(length):
    with pytest.raises(ValueError, match="length"):
        FixedConfig(length)
