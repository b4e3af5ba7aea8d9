"""The licence facts of document batches."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.fingerprint import fingerprint
from columns.testing import assert_batch_law, documents
from licensing import LICENSES, LicensesConfig, assign, evidence, measure_licenses
from licensing.measure import license_of
from tests.licensing.planted import MIT, OWN_TERMS, TEXTS

ROOT = Path(__file__).resolve().parent.parent.parent
TAG = "# SPDX-License-Identifier: MIT\n"
contents = st.one_of(
    st.none(), st.sampled_from([TAG, MIT, "", "x = 1\n", TEXTS["ISC"], MIT + OWN_TERMS[0], "é\n" + TAG])
)
paths = st.sampled_from(["LICENSE", "a.py", "a/COPYING", "licenses/MIT.txt"])


def facts_of(text, path="a.py", config=None):
    return measure_licenses(documents([text], [path]), config or LicensesConfig()).to_pylist()[0]


@given(st.lists(st.tuples(contents, paths), max_size=6), st.integers(0, 6))
def test_batch_law(rows, cut):
    batch = documents([text for text, _ in rows], [path for _, path in rows])
    assert_batch_law(measure_licenses, batch, min(cut, len(rows)))


def test_a_source_file_and_a_licence_file():
    assert facts_of(f"x\n{TAG}") == {
        "license_header": "MIT",
        "license_header_line": 2,
        "license_header_words": "MIT",
        "license_text": None,
        "license_text_score": None,
    }
    found = facts_of(MIT, "LICENSE")
    assert (found["license_header"], found["license_header_line"], found["license_text"]) == (None, 0, "MIT")
    assert found["license_text_score"] > 0.98


def test_null_content_gives_nulls():
    batch = documents([None, None], ["LICENSE", "a.py"])
    assert measure_licenses(batch).to_pylist() == [dict.fromkeys(LICENSES.names)] * 2
    assert measure_licenses(documents([])).schema == LICENSES


def test_null_paths_and_plain_strings_are_measured():
    batch = pa.RecordBatch.from_pydict(
        {"path": pa.array([None, "a.py"], pa.string()), "content": pa.array([TAG, TAG])}
    )
    assert measure_licenses(batch).column("license_header").to_pylist() == ["MIT", "MIT"]


@pytest.mark.parametrize(
    ("text", "spdx"),
    [
        (f"{TAG}anything at all", "MIT"),
        ("Licensed under the Apache License, Version 2.0.", "Apache-2.0"),
        (f"{MIT}\n{OWN_TERMS[0]}", None),
        (f"Licensed under the MIT license.\n\n{MIT}\n{OWN_TERMS[0]}", None),
        ("See COPYING.", None),
        ("", None),
    ],
)
def test_licence_files(text, spdx):
    assert license_of(text).spdx == spdx


def test_the_kernel_takes_its_limits_from_the_configuration():
    changed = MIT.replace("Software", "Work")
    assert facts_of(changed, "LICENSE")["license_text"] == "MIT"
    assert facts_of(changed, "LICENSE", LicensesConfig(threshold=0.99))["license_text"] is None
    assert facts_of("\n" + TAG, config=LicensesConfig(head_lines=1))["license_header"] is None
    assert (
        facts_of(f"{MIT}\nWith love, for everyone.", "LICENSE", LicensesConfig(rest_words=2))["license_text"]
        is None
    )
    assert fingerprint(LicensesConfig()) != fingerprint(LicensesConfig(threshold=0.8))


@pytest.mark.parametrize(
    "wrong", [{"threshold": 0.2}, {"threshold": 1.1}, {"head_bytes": -1}, {"rest_words": -1}]
)
def test_impossible_limits_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}: expected"):
        LicensesConfig(**wrong)


def test_from_documents_to_verdicts():
    texts = [(ROOT / "LICENSE").read_text(), "x = 1\n", TAG, MIT, "y = 2\n"]
    batch = documents(texts, ["LICENSE", "a.py", "b.py", "vendor/LICENSE", "vendor/c.py"])
    facts = pa.Table.from_batches([batch])
    measured = measure_licenses(batch)
    for name in LICENSES.names:
        facts = facts.append_column(name, measured.column(name))
    found = assign(facts, evidence(facts, 0))
    assert found.column("license_id").to_pylist() == ["Apache-2.0", "Apache-2.0", "MIT", "MIT", "MIT"]
    assert found.column("license_conflict").to_pylist() == [False, False, True, False, False]


def test_github_sample_headers_agree_with_the_repositories(github_sample):
    table = pq.read_table(github_sample, columns=["path", "content", "license", "repo_name"])
    batch = table.filter(pa.compute.equal(table["repo_name"], "google/gson")).combine_chunks().to_batches()[0]
    found = measure_licenses(batch).column("license_header").to_pylist()
    assert {name for name in found if name} == {"Apache-2.0"}
