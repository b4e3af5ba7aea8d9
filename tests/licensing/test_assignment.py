"""One licence per file: the nearest statement wins, sources that disagree are reported."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing import ASSIGNED, EVIDENCE, AssignConfig, assign, evidence

MISSING = object()


def facts_of(files, license=None, headers=None, repo="r"):
    """Facts for ``{path: spdx of the licence file, or MISSING for other files}``."""
    headers = headers or {}
    paths = list(files)
    texts = [None if files[path] is MISSING else files[path] for path in paths]
    return pa.table(
        {
            "repo": pa.array([repo] * len(paths), pa.string()),
            "ref": pa.array(["main"] * len(paths), pa.string()),
            "path": pa.array(paths, pa.string()),
            "license": pa.array([license] * len(paths), pa.string()),
            "license_header": pa.array([headers.get(path) for path in paths], pa.string()),
            "license_header_line": pa.array([7 if path in headers else 0 for path in paths], pa.int32()),
            "license_text": pa.array(texts, pa.string()),
            "license_text_score": pa.array([None if t is None else 1.0 for t in texts], pa.float64()),
        }
    )


def verdict(files, path, **more):
    facts = facts_of(files, **more)
    rows = assign(facts, evidence(facts, 0)).to_pylist()
    return rows[list(files).index(path)]


def test_the_nearest_folder_wins():
    files = {"LICENSE": "MIT", "a/LICENSE": "ISC", "a/b/c.py": MISSING, "d/e.py": MISSING, "a.py": MISSING}
    assert [verdict(files, path)["license_id"] for path in files] == ["MIT", "ISC", "ISC", "MIT", "MIT"]
    found = verdict(files, "a/b/c.py")
    assert (found["license_from"], found["license_evidence"]) == ("file", "a/LICENSE")
    assert (found["license_known"], found["license_permissive"], found["license_conflict"]) == (
        True,
        True,
        False,
    )


def test_a_folder_whose_name_starts_alike_is_another():
    assert verdict({"lib/LICENSE": "MIT", "library/a.py": MISSING}, "library/a.py")["license_id"] is None


def test_the_header_comes_first_and_a_conflict_is_reported():
    found = verdict(
        {"LICENSE": "MIT", "a.py": MISSING}, "a.py", headers={"a.py": "GPL-3.0-or-later"}, license="mit"
    )
    assert (found["license_id"], found["license_from"]) == ("GPL-3.0-or-later", "header")
    assert found["license_evidence"] == "line 7"
    assert found["license_permissive"] is False
    assert found["license_conflict"] is True
    assert found["license_others"] == "LICENSE: MIT; repository: MIT"


def test_metadata_is_the_last_resort():
    found = verdict({"a.py": MISSING}, "a.py", license="Apache License 2.0")
    assert (found["license_id"], found["license_from"]) == ("Apache-2.0", "repository")
    assert found["license_evidence"] == "Apache License 2.0"
    assert verdict({"a.py": MISSING}, "a.py", license="['mit', 'isc']")["license_id"] == "ISC AND MIT"


@pytest.mark.parametrize("license", [None, "other", "NOASSERTION", "BSD", ""])
def test_metadata_that_names_no_licence_is_silent(license):
    found = verdict({"a.py": MISSING}, "a.py", license=license)
    assert found == {
        **dict.fromkeys(ASSIGNED.names),
        "license_known": False,
        "license_conflict": False,
    }
    assert verdict({"LICENSE": "MIT", "a.py": MISSING}, "a.py", license=license)["license_conflict"] is False


def test_the_file_and_the_metadata_disagree():
    found = verdict({"LICENSE": "MIT", "a.py": MISSING}, "a.py", license="gpl-3.0")
    assert (found["license_id"], found["license_conflict"]) == ("MIT", True)
    assert found["license_others"] == "repository: GPL-3.0"


def test_metadata_does_not_contradict_a_folder_s_own_licence():
    files = {"LICENSE": "MIT", "vendor/x/LICENSE": "ISC", "vendor/x/a.c": MISSING}
    assert verdict(files, "vendor/x/a.c", license="mit")["license_conflict"] is False


@pytest.mark.parametrize(
    ("file", "header"), [("GPL-3.0", "GPL-3.0-or-later"), ("Apache-2.0 OR MIT", "MIT"), ("MIT", "MIT")]
)
def test_sources_that_agree(file, header):
    assert verdict({"LICENSE": file, "a": MISSING}, "a", headers={"a": header})["license_conflict"] is False


@pytest.mark.parametrize(
    ("files", "spdx"),
    [
        ({"LICENSE-MIT": "MIT", "LICENSE-APACHE": "Apache-2.0"}, "Apache-2.0 OR MIT"),
        ({"LICENSE": None, "LICENSE.MIT": "MIT", "LICENSE.BSD": "BSD-2-Clause"}, "BSD-2-Clause OR MIT"),
        ({"LICENSE": "MIT", "COPYING": "MIT"}, "MIT"),
        ({"LICENSE": "MIT", "COPYING": "GPL-2.0"}, "GPL-2.0 AND MIT"),
        ({"COPYING": "GPL-3.0", "COPYING.LESSER": "LGPL-3.0"}, "LGPL-3.0"),
        ({"LICENSE": "MIT OR Apache-2.0", "LICENSE-MIT": "MIT"}, "MIT OR Apache-2.0"),
        ({"LICENSE": "MIT", "LICENSES/GPL-2.0.txt": "GPL-2.0"}, "MIT"),
        ({"LICENSES/MIT.txt": "MIT"}, "MIT"),
        ({"LICENSES/MIT.txt": "MIT", "LICENSES/ISC.txt": "ISC"}, "ISC AND MIT"),
    ],
)
def test_several_licence_files_for_one_folder(files, spdx):
    assert verdict({**files, "src/a.py": MISSING}, "src/a.py")["license_id"] == spdx


def test_a_licence_file_that_is_not_recognised_ends_the_search():
    found = verdict({"LICENSE": "MIT", "a/LICENSE": None, "a/b.py": MISSING}, "a/b.py", license="mit")
    assert (found["license_id"], found["license_known"], found["license_permissive"]) == (None, False, None)
    assert (found["license_from"], found["license_evidence"]) == ("file", "a/LICENSE")
    root = verdict({"LICENSE": None, "b.py": MISSING}, "b.py", license="mit")
    assert (root["license_id"], root["license_conflict"], root["license_others"]) == (
        None,
        False,
        "repository: MIT",
    )


def test_repositories_and_refs_are_kept_apart():
    both = pa.concat_tables([facts_of({"LICENSE": "MIT", "a": MISSING}), facts_of({"a": MISSING}, repo="s")])
    assert assign(both, evidence(both, 0)).column("license_id").to_pylist() == ["MIT", "MIT", None]
    other = facts_of({"a": MISSING}).set_column(1, "ref", pa.array(["dev"]))
    assert assign(other, evidence(both, 0)).column("license_id").to_pylist() == [None]


def test_missing_names_are_read_as_empty():
    facts = facts_of({"LICENSE": "MIT", "a": MISSING})
    for name in ("repo", "ref"):
        at = facts.schema.get_field_index(name)
        facts = facts.set_column(at, name, pa.nulls(2, pa.string()))
    assert assign(facts, evidence(facts, 0)).column("license_id").to_pylist() == ["MIT", "MIT"]
    pathless = facts.set_column(2, "path", pa.nulls(2, pa.string()))
    assert assign(pathless, evidence(facts, 0)).num_rows == 2


def test_evidence_is_small_and_typed():
    facts = facts_of({"LICENSE": "MIT", "b/c.py": MISSING, "b/LICENSES/ISC.txt": None})
    found = evidence(facts, 3)
    assert found.schema == EVIDENCE
    assert found.select(["part", "directory", "spdx"]).to_pylist() == [
        {"part": 3, "directory": "", "spdx": "MIT"},
        {"part": 3, "directory": "b", "spdx": None},
    ]


def test_no_files_at_all():
    empty = facts_of({})
    found = assign(empty, evidence(empty, 0))
    assert found.schema == ASSIGNED
    assert found.num_rows == 0


def test_permissive_is_configured():
    facts = facts_of({"LICENSE": "MPL-2.0", "a": MISSING})
    for config, expected in ((AssignConfig(), False), (AssignConfig(also_permissive=("MPL-2.0",)), True)):
        found = assign(facts, evidence(facts, 0), config)
        assert found.column("license_permissive").to_pylist() == [expected] * 2


folders = st.lists(st.sampled_from(["a", "b", "ab"]), max_size=3)
names = st.sampled_from(["LICENSE", "x.py", "COPYING"])
paths = st.lists(
    st.tuples(folders, names).map(lambda pair: "/".join([*pair[0], pair[1]])), max_size=12, unique=True
)


def nearest_slow(files, path):
    """The licences in the nearest folder, found by trying each parent."""
    folder = path.rpartition("/")[0]
    while True:
        here = {p: s for p, s in files.items() if s is not MISSING and p.rpartition("/")[0] == folder}
        if here:
            return {spdx for spdx in here.values() if spdx}
        if not folder:
            return set()
        folder = folder.rpartition("/")[0]


@given(paths, st.data())
def test_nearest_equals_the_slow_twin(found, data):
    files = {
        p: MISSING if p.endswith(".py") else data.draw(st.sampled_from(["MIT", "ISC", None])) for p in found
    }
    facts = facts_of(files)
    rows = assign(facts, evidence(facts, 0)).column("license_id").to_pylist()
    assert rows == [" AND ".join(sorted(nearest_slow(files, path))) or None for path in files]


@given(paths, st.integers(0, 12), st.randoms(use_true_random=False))
def test_parts_and_the_order_of_evidence_change_nothing(found, cut, chance):
    facts = facts_of({p: MISSING if p.endswith(".py") else "MIT" for p in found}, license="isc")
    whole = assign(facts, evidence(facts, 0))
    parts = [facts.slice(0, cut), facts.slice(cut)]
    pieces = [evidence(part, number) for number, part in enumerate(parts)]
    chance.shuffle(pieces)
    together = pa.concat_tables(pieces)
    again = pa.concat_tables([assign(part, together) for part in parts])
    assert again.combine_chunks().equals(whole.combine_chunks())
