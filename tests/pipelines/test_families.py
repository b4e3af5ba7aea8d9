"""Families: what is measured for which recipe, row by row, whatever the batches."""

import dataclasses
import re
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from columns.document import document_batch
from columns.files import Place
from columns.testing import assert_batch_law
from filters import DetectedConfig, LexingConfig, OwnCode, SignalsConfig
from licensing import LicensesConfig
from pipelines.families import FAMILIES, FamilyConfig, chosen, family_of, known_facts, measure_families
from privacy import PrivacyConfig
from shards import TokenizerConfig, make_tokenizer
from syntax import SyntaxConfig

ALL = FamilyConfig(tuple(name for name in FAMILIES if name != "syntax"))
FILES = [
    ("a.py", "python", "def f(x):\n    return x + 1  # one\n"),
    ("src/b.c", "c", "/* c */ int main(void) { return 0; }\n"),
    ("page.html", "html", "<html><body><p>Hello there</p></body></html>"),
    ("LICENSE", "license", "Permission is hereby granted, free of charge, to any person\n"),
    ("mail.txt", "text", "write to ada@lovelace.org\n"),
    ("none.py", "python", None),
    ("empty.py", "python", ""),
    ("odd.js", "javascript", "é🎉\u2028\x00 \\u0041"),
]
CODE = "from filters import own_signal\n@own_signal(version=1, about='doubled', type='int64')\n"
CODE += "def doubled(lines):\n    import pyarrow.compute as pc\n    return pc.multiply(lines, 2)\n"


def batch(files=FILES):
    paths, languages, contents = (
        (list(column) for column in zip(*files, strict=True)) if files else ([], [], [])
    )
    content = pa.array(contents, pa.large_string())
    columns = {"path": paths, "language": languages, "content": content, "repo": ["r"] * len(files)}
    return document_batch(columns, len(files))


def joined(one, config=ALL):
    found = measure_families(one, config).facts
    columns = [column for facts in found for column in facts.columns]
    return pa.RecordBatch.from_arrays(columns, schema=config.schema())


def test_every_family_gives_a_row_per_document_and_the_promised_schema():
    facts = joined(batch())
    assert facts.num_rows == len(FILES)
    assert len(set(facts.schema.names)) == facts.num_columns
    assert all(field.metadata and field.metadata[b"about"] for field in facts.schema)


def test_no_fact_has_the_name_of_a_document_column():
    from columns.document import DOCUMENT

    assert not set(DOCUMENT.names) & {name for f in FAMILIES.values() for name in f.schema.names}
    assert {"content", "line_max", "parse"} <= known_facts()


def test_the_page_on_the_ledger_lists_every_signal_with_its_type_family_by_family():
    page = (Path(__file__).resolve().parents[2] / "docs" / "ledger.md").read_text(encoding="utf-8")
    table = page[page.index("| signal | type | meaning |") : page.index("`signatures-…`")]
    listed = re.findall(r"^\| (?:\*\*(\w+)\*\*|`(\w+)`) \| (\w*) ?\| \S", table, re.MULTILINE)
    expected = []
    for name, family in FAMILIES.items():
        expected.append((name, "", ""))
        expected += [("", item.name, str(item.type).replace("double", "float64")) for item in family.schema]
    assert listed == expected


def test_content_that_is_missing_has_no_facts_of_content():
    row = joined(batch()).slice(5, 1)
    of_paths = FAMILIES["paths"].schema.names
    assert {name for name in row.schema.names if row.column(name)[0].is_valid} <= set(of_paths)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, len(FILES)))
def test_batches_do_not_matter(cut):
    assert_batch_law(joined, batch(), cut)


def test_no_documents():
    assert joined(batch([])).num_rows == 0


def test_which_families_a_recipe_needs():
    assert chosen(("needed",), []) == ("text", "paths")
    assert chosen(("all",), []) == tuple(FAMILIES)
    assert chosen((), ["parse", "line_max"]) == ("text", "paths", "syntax")
    assert family_of("nonsense") is None


def test_spans_name_rows_of_the_batch():
    spans = measure_families(batch(), FamilyConfig(("text", "privacy"))).spans
    assert [(s["row"], s["kind"]) for s in spans.to_pylist()] == [(4, "email")]
    assert measure_families(batch(), FamilyConfig()).spans.num_rows == 0


def test_own_signals_come_last_and_may_use_the_others():
    config = FamilyConfig(own=(OwnCode("mine.py", CODE),))
    facts = joined(batch(), config)
    assert facts.schema.names[-1] == "doubled"
    assert facts.column("doubled").to_pylist() == [n and 2 * n for n in facts.column("lines").to_pylist()]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    make_tokenizer(TokenizerConfig(vocab_size=300), ["def f(x): return x"] * 50).save(Place(str(folder)))
    return f"tokenizers:{folder / 'tokenizer.json'}"


def test_tokens_are_counted_with_the_given_tokenizer(tokenizer):
    facts = joined(batch(), FamilyConfig(("tokens",), tokenizer=tokenizer))
    counts = facts.column("token_count").to_pylist()
    assert counts[5] is None
    assert counts[6] == 0
    assert counts[0] > 0
    text = FILES[0][2]
    assert facts.column("chars_per_token")[0].as_py() == len(text) / counts[0]
    assert facts.column("alpha_per_token")[0].as_py() == sum(map(str.isalpha, text)) / counts[0]


def test_without_a_tokenizer_nothing_is_said_about_tokens():
    facts = joined(batch(), FamilyConfig(("tokens",)))
    assert all(column.null_count == len(FILES) for column in facts.columns)


@pytest.mark.parametrize(
    ("family", "change"),
    [
        ("text", {"signals": SignalsConfig(autogenerated_lines=9)}),
        ("syntax", {"syntax": SyntaxConfig(max_bytes=5)}),
        ("privacy", {"privacy": PrivacyConfig(("email",), ())}),
        ("lexing", {"lexing": LexingConfig(long_line_words=5)}),
        ("detected", {"detected": DetectedConfig(head_bytes=9)}),
        ("licenses", {"licenses": LicensesConfig(threshold=0.8)}),
        ("text", {"own": (OwnCode("mine.py", CODE),)}),
    ],
)
def test_a_setting_counts_where_its_family_is_measured(family, change):
    measured = FamilyConfig(("text", family))
    assert dataclasses.replace(measured, **change).fingerprint() != measured.fingerprint()
    if family != "text":
        other = FamilyConfig(("text", "html"))
        assert dataclasses.replace(other, **change).fingerprint() == other.fingerprint()


def test_what_is_redacted_changes_no_fact():
    one = FamilyConfig(("privacy",), privacy=PrivacyConfig(("email",), ("email",)))
    other = FamilyConfig(("privacy",), privacy=PrivacyConfig(("email",), ()))
    assert one.fingerprint() == other.fingerprint()
