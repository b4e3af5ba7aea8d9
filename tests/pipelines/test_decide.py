"""Decide: the order of the rules, and that a dropped file never stands in for another one."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.files import Place
from columns.tables import read_whole
from contamination import ContaminationConfig
from dedup import KeepConfig
from filters import FilterConfig, Rule
from pipelines.decisions import DecideConfig, Verdicts, first_rule
from pipelines.ledger import (
    CONTAMINATED_RULE,
    EXACT_RULE,
    KNOWN_RULE,
    LEDGER,
    NEAR_RULE,
    PROBLEM_RULE,
    row_ids,
)
from pipelines.recipe import load_recipe
from pipelines.stage import read_json
from shards import PackConfig
from tests.pipelines.building import build
from tests.pipelines.corpus import leak, write_tree

RULES = tuple(Rule(name, name, "is", True, "ours", "a test") for name in ("first", "second"))
CONFIG = DecideConfig(
    FilterConfig(RULES),
    exact=True,
    near=True,
    keep=KeepConfig(),
    contamination=ContaminationConfig(),
    pack=PackConfig(),
)
ORDER = [PROBLEM_RULE, EXACT_RULE, "first", "second", CONTAMINATED_RULE, KNOWN_RULE, NEAR_RULE]
FLAGS = st.lists(st.tuples(*[st.booleans()] * 7), max_size=20)


def said(flags) -> tuple[Verdicts, np.ndarray, np.ndarray]:
    """Verdicts, exact copies and near-copies from one row of flags per file, in the order of the rules."""
    matrix = np.array(flags, bool).reshape(-1, 7)
    failed = pa.RecordBatch.from_arrays([pa.array(matrix[:, 2]), pa.array(matrix[:, 3])], ["first", "second"])
    tasks = pa.array([[]] * len(matrix), pa.list_(pa.string()))
    verdicts = Verdicts(matrix[:, 0], failed, matrix[:, 4], tasks, matrix[:, 5])
    exact = np.flatnonzero(matrix[:, 1] & ~matrix[:, 0])
    near = np.flatnonzero(matrix[:, 6] & ~matrix[:, :6].any(axis=1))
    return verdicts, exact, near


@given(flags=FLAGS)
def test_the_first_rule_in_the_order_is_blamed(flags):
    verdicts, exact, near = said(flags)
    found = first_rule(verdicts.own(), exact, near)
    expected = [row.index(True) if True in row else len(ORDER) for row in flags]
    assert found.tolist() == expected
    assert CONFIG.rules() == ORDER


@given(flags=FLAGS)
def test_the_own_rule_is_the_first_that_is_not_about_copies(flags):
    own = said(flags)[0].own()
    expected = [next((at for at in (0, 2, 3, 4, 5) if row[at]), len(ORDER)) for row in flags]
    assert own.tolist() == expected
    assert own.dtype == np.int16


def test_without_filters_there_are_the_other_rules():
    config = replace(CONFIG, filters=FilterConfig(()))
    none = pa.RecordBatch.from_pylist([{}, {}, {}], pa.schema([]))
    contaminated, known = np.array([False, True, False]), np.array([True, True, True])
    verdicts = Verdicts(np.array([True, False, False]), none, contaminated, pa.array([[], [], []]), known)
    assert config.rules() == [PROBLEM_RULE, EXACT_RULE, CONTAMINATED_RULE, KNOWN_RULE, NEAR_RULE]
    assert verdicts.own().tolist() == [0, 2, 3]


def test_only_the_facts_that_the_rules_read_are_read():
    assert CONFIG.facts() == ["first", "known_similarity", "problem", "second"]
    assert CONFIG.ranked() == ["content_hash", "doc_id", "fork_of", "forks", "path", "stars"]
    other = replace(CONFIG, keep=KeepConfig(order=("newest", "licensed", "repo")))
    assert other.ranked() == ["content_hash", "doc_id", "license", "repo", "updated"]


@pytest.mark.parametrize(
    "change",
    [{"exact": False}, {"near": False}, {"keep": KeepConfig(order=("path",))}, {"filters": FilterConfig(RULES[:1])},
     {"contamination": ContaminationConfig(action="report")}, {"pack": PackConfig(shuffle_seed=1)},
     {"pack": PackConfig(validation_fraction=0.5)}, {"least": 0.8}],
)  # fmt: skip
def test_what_decides_is_in_the_fingerprint(change):
    assert replace(CONFIG, **change).fingerprint() != CONFIG.fingerprint()


def test_how_shards_are_packed_decides_nothing():
    assert replace(CONFIG, pack=PackConfig(seq_len=64, shard_tokens=64)).fingerprint() == CONFIG.fingerprint()


@given(part=st.integers(0, 2**20), rows=st.integers(0, 50))
def test_row_ids_hold_part_and_row(part, rows):
    ids = row_ids(part, rows).to_numpy()
    assert (ids >> 32 == part).all()
    assert (ids & 0xFFFFFFFF).tolist() == list(range(rows))


SMALL = "extends: codex\nname: small\nlayout: {part_bytes: 262144}\npack: {seq_len: 256, validation_fraction: 0.5}\n"
UNTIL_DECIDE = ("ingest", "measure", "link", "decide")


def body(word: str, count: int = 40) -> str:
    return (
        "\n".join(
            f"def {word}_{n}(value, other):\n    return value * {n} + other_{word}" for n in range(count)
        )
        + "\n"
    )


def near(text: str, word: str) -> str:
    return text + f"\n# one more line, about {word}\n"


LONG_LINE = f"data = '{'x' * 1200}'\n"
FILES = {
    # The shorter path ranks first. It fails a rule, so the longer one must stay.
    "a.py": near(body("alpha"), "alpha") + LONG_LINE,
    "dir/alpha.py": body("alpha"),
    # The best is fine: the other two go, and name it.
    "b.py": body("beta"),
    "dir/beta_1.py": near(body("beta"), "beta"),
    "dir/beta_2.py": near(body("beta"), "gamma"),
    # The best is contaminated: its near copy, which is not over the threshold, stays.
    "c.py": body("delta", 300) + leak("HumanEval/4"),
    "dir/delta.py": body("delta", 300),
    # Equal texts: the shortest path stays.
    "d.py": body("epsilon"),
    "dir/epsilon.py": body("epsilon"),
    "dir/dir/epsilon.py": body("epsilon"),
    # Equal texts that all fail: one is blamed on the rule, the others are copies.
    "e.py": LONG_LINE,
    "dir/e.py": LONG_LINE,
    # Nothing to measure.
    "f.py": "", "dir/f.py": "",
}  # fmt: skip


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    tree = write_tree(tmp_path_factory.mktemp("decide") / "tree", FILES)
    for name in ("zero.py", "dir/zero.py"):
        (tree / name).write_bytes(bytes(100))
    return tree


def ledger(place: Place) -> dict[str, dict]:
    names = [name for name in place.child("ledger").names() if name.startswith("part-")]
    return {row["path"]: row for name in names for row in read_whole(place.child("ledger"), name).to_pylist()}


@pytest.fixture(scope="module")
def built(tmp_path_factory, tree):
    folder = tmp_path_factory.mktemp("decided")
    return build(folder, folder / "out", [tree], text=SMALL, stages=UNTIL_DECIDE)


@pytest.fixture(scope="module")
def rows(built):
    return ledger(built)


def keeper(rows: dict[str, dict], path: str) -> str:
    by_id = {row["doc_id"]: name for name, row in rows.items()}
    return by_id[rows[path]["keeper"]]


def test_a_file_that_fails_a_rule_never_stands_in(rows):
    assert rows["a.py"]["rule"] == "line_max"
    assert rows["dir/alpha.py"]["kept"]
    assert rows["dir/alpha.py"]["keeper"] is None


def test_a_contaminated_file_never_stands_in(rows):
    assert rows["c.py"]["rule"] == "contaminated"
    assert rows["c.py"]["tasks"] == ["humaneval/HumanEval/4"]
    assert rows["dir/delta.py"]["kept"]


def test_near_copies_name_the_best_that_is_kept(rows):
    assert rows["b.py"]["kept"]
    for path in ("dir/beta_1.py", "dir/beta_2.py"):
        assert rows[path]["rule"] == "near_duplicate"
        assert keeper(rows, path) == "b.py"
        assert 0.7 <= rows[path]["similarity"] < 1


def test_the_best_of_equal_files_stays(rows):
    assert rows["d.py"]["kept"]
    for path in ("dir/epsilon.py", "dir/dir/epsilon.py"):
        assert (rows[path]["rule"], rows[path]["similarity"]) == ("exact_duplicate", 1.0)
        assert keeper(rows, path) == "d.py"


def test_copies_of_a_file_that_fails_are_copies_of_it(rows):
    assert rows["e.py"]["rule"] == "line_mean"
    assert rows["e.py"]["failed"] == ["line_mean", "line_max"]
    assert rows["dir/e.py"]["rule"] == "exact_duplicate"
    assert rows["dir/e.py"]["failed"] == ["line_mean", "line_max"]
    assert keeper(rows, "dir/e.py") == "e.py"


def test_unreadable_files_are_never_copies_of_each_other(rows):
    for path in ("zero.py", "dir/zero.py"):
        assert rows[path]["rule"] == PROBLEM_RULE
        assert rows[path]["keeper"] is None
        assert rows[path]["failed"] == []


def test_no_dropped_file_is_the_keeper_of_a_near_copy(rows):
    by_id = {row["doc_id"]: row for row in rows.values()}
    near_copies = [row for row in rows.values() if row["rule"] == NEAR_RULE]
    assert all(by_id[row["keeper"]]["kept"] for row in near_copies)


def test_every_row_is_whole(rows):
    assert set(rows) == {*FILES, "zero.py", "dir/zero.py"}
    for row in rows.values():
        assert row["kept"] == (row["rule"] is None) == (row["split"] is not None)
        assert (row["keeper"] is None) == (row["rule"] not in {EXACT_RULE, NEAR_RULE})
        assert (row["similarity"] is None) == (row["keeper"] is None)
        assert row["keeper"] != row["doc_id"]
        assert row["tasks"] is not None


def test_the_decisions_of_a_recipe_know_its_threshold():
    recipe = load_recipe("codex", ["filters.line_max=100"]).recipe
    assert DecideConfig.of(recipe).least == recipe.dedup.bands.least == 0.7


def test_the_counts_add_up(built, rows):
    commit = read_json(built.child("ledger"), "_stage.json")
    assert commit["rules"] == ["unreadable", "exact_duplicate", "size", "autogenerated", "line_mean", "line_max",
                               "low_alnum", "contaminated", "already_have", "near_duplicate"]  # fmt: skip
    counts = commit["counts"]
    assert counts["files"] == len(rows)
    assert counts["bytes"] == sum(row["size"] for row in rows.values())
    for rule in commit["rules"]:
        mine = [row["size"] for row in rows.values() if row["rule"] == rule]
        assert (counts[f"files.{rule}"], counts[f"bytes.{rule}"]) == (len(mine), sum(mine))
    kept = sum(row["kept"] for row in rows.values())
    assert kept == counts["files"] - sum(counts[f"files.{rule}"] for rule in commit["rules"])


def test_parts_of_the_ledger_are_aligned_with_the_documents(built):
    for name in (name for name in built.child("ledger").names() if name.startswith("part-")):
        table = read_whole(built.child("ledger"), name)
        documents = read_whole(built.child("documents"), name, ["doc_id", "path"])
        assert table.schema.equals(LEDGER)
        assert table.select(["doc_id", "path"]).equals(documents)


def again(built: Place, folder, tree, change: str) -> dict[str, dict]:
    return ledger(build(folder, built.url, [tree], text=SMALL + change, stages=UNTIL_DECIDE))


def test_without_exact_all_equal_files_share_their_fate(built, tmp_path, tree):
    rows = again(built, tmp_path, tree, "dedup: {exact: false, near: false}\n")
    assert all(
        rows[path]["kept"] for path in ("d.py", "dir/epsilon.py", "dir/dir/epsilon.py", "dir/beta_1.py")
    )
    assert not {row["rule"] for row in rows.values()} & {EXACT_RULE, NEAR_RULE}
    assert rows["dir/e.py"]["rule"] == "line_mean"


def test_without_near_only_equal_files_go(built, tmp_path, tree):
    rows = again(built, tmp_path, tree, "dedup: {near: false}\n")
    assert rows["dir/beta_1.py"]["kept"]
    assert rows["dir/epsilon.py"]["rule"] == EXACT_RULE


def test_without_filters_the_better_ranked_file_stays(built, tmp_path, tree):
    names = "size, autogenerated, line_mean, line_max, low_alnum"
    rows = again(built, tmp_path, tree, f"filters: {{without: [{names}]}}\n")
    assert rows["a.py"]["kept"]
    assert keeper(rows, "dir/alpha.py") == "a.py"
    assert {len(row["failed"]) for row in rows.values()} == {0}
    assert rows["dir/f.py"]["rule"] == EXACT_RULE


def test_another_order_keeps_another_file(built, tmp_path, tree):
    rows = again(built, tmp_path, tree, "dedup: {keep: {order: [repo]}}\n")
    assert sum(rows[path]["kept"] for path in ("d.py", "dir/epsilon.py", "dir/dir/epsilon.py")) == 1


def test_without_suites_nothing_is_contaminated(built, tmp_path, tree):
    rows = again(built, tmp_path, tree, "contamination: {suites: []}\n")
    assert rows["c.py"]["kept"]
    assert keeper(rows, "dir/delta.py") == "c.py"


def test_equal_texts_are_always_in_one_split(built, tmp_path, tree):
    rows = again(built, tmp_path, tree, "dedup: {exact: false, near: false}\n")
    splits: dict[str, set[str]] = {}
    for path, row in rows.items():
        if row["kept"]:
            splits.setdefault(FILES[path], set()).add(row["split"])
    assert all(len(found) == 1 for found in splits.values())
    assert {split for found in splits.values() for split in found} == {"train", "validation"}
