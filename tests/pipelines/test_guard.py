"""Guard: a rule that drops nearly all of a group stops the build, and nothing is committed."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from columns.errors import RecipeError
from columns.files import Place
from pipelines.build import Build, BuildOptions
from pipelines.decide import decide, drops_place
from pipelines.decisions import DecideConfig, decide_stage
from pipelines.engine import Engine
from pipelines.guard import DROPS, GuardConfig, Suspect, count_drops, examples, group_keys, refuse, suspects
from pipelines.progress import Display
from pipelines.recipe import load_recipe
from pipelines.stage import read_json
from pipelines.stored import Stored
from tests.pipelines.building import recipe
from tests.pipelines.corpus import write_tree

RULES = ["unreadable", "exact_duplicate", "line_max", "contaminated", "near_duplicate"]
FILES = st.lists(
    st.tuples(
        st.sampled_from(["python", "c", None]),
        st.sampled_from(["a", "b", "c", None]),
        st.integers(0, len(RULES)),
        st.booleans(),  # a near-copy of a file in another repository
    ),
    max_size=60,
)


def drops(files: list[tuple]) -> pa.RecordBatch:
    languages, repos, rules, foreign = zip(*files, strict=True) if files else ((), (), (), ())
    batch = pa.RecordBatch.from_arrays(
        [pa.array(languages, pa.string()), pa.array(repos, pa.string())], ["language", "repo"]
    )
    near = np.array(rules, np.int64) == len(RULES) - 1
    abroad = np.flatnonzero(near & np.array(foreign, np.bool_))
    return count_drops(batch, np.array(rules, np.int64), len(RULES), abroad)


def slow(files: list[tuple], config: GuardConfig) -> set[tuple]:
    """The suspects by plain counting."""
    found = set()
    for at, scope in enumerate(("language", "repo")):
        totals = Counter(file[at] for file in files)
        for (group, rule), all_dropped in Counter((file[at], file[2]) for file in files).items():
            abroad = sum(file[3] for file in files if file[at] == group and file[2] == rule)
            near = scope == "repo" and RULES[min(rule, 4)] == "near_duplicate"
            dropped = all_dropped - near * abroad
            exempt = rule == len(RULES) or RULES[rule] in ("unreadable", *config.except_rules)
            copies = scope == "repo" and RULES[min(rule, 4)] == "exact_duplicate"
            if (
                not exempt
                and not copies
                and totals[group] >= config.least_files
                and dropped > config.share * totals[group]
            ):
                found.add((scope, group or "", RULES[rule], dropped, totals[group]))
    return found


@given(
    files=FILES, cut=st.integers(0, 60), share=st.sampled_from([0.3, 0.5, 0.9, 1.0]), least=st.integers(1, 12),
    trusted=st.sampled_from([(), ("line_max",), ("exact_duplicate",)]),
)  # fmt: skip
def test_suspects_are_those_that_plain_counting_finds(files, cut, share, least, trusted):
    config = GuardConfig(share, least, trusted)
    parts = [drops(files[:cut]), drops(files[cut:])]
    found = suspects(lambda: parts, config, RULES)
    names = {
        (scope, int(key)): name or ""
        for scope, at in (("language", 0), ("repo", 1))
        for name in {file[at] for file in files}
        for key in group_keys(scope, pa.array([name], pa.string()))
    }
    assert {(one.scope, names[one.scope, one.key], *one[2:]) for one in found} == slow(files, config)
    assert found == sorted(found, key=lambda one: (-one.dropped, one.scope, one.rule, one.key))


def test_counts_of_a_part_hold_every_file_once_per_scope():
    batch = drops([("c", "a", 2, False), ("c", "b", 5, False), (None, "b", 2, False)])
    assert batch.schema == DROPS
    for scope in (0, 1):
        mine = np.asarray(batch.column("scope")) == scope
        assert np.asarray(batch.column("files"))[mine].sum() == 3


def test_many_repositories_and_one_that_loses_all():
    rng = np.random.default_rng(0)
    repos = pa.array([f"repo{n}" for n in rng.integers(0, 5000, 20_000)] + ["bad"] * 600)
    batch = pa.RecordBatch.from_arrays([pa.array(["c"] * 20_600), repos], ["language", "repo"])
    rule = np.concatenate([np.where(rng.random(20_000) < 0.3, 2, 5), np.full(600, 2)])
    (found,) = suspects(lambda: [count_drops(batch, rule, 5)], GuardConfig(), RULES)
    assert (found.scope, found.rule, found.dropped, found.files) == ("repo", "line_max", 600, 600)


@pytest.mark.parametrize("change", [{"share": 0}, {"share": 1.5}, {"least_files": 0}])
def test_bad_values_are_refused(change):
    with pytest.raises(ValueError, match="expected"):
        GuardConfig(**change)


def test_the_error_says_what_and_how_to_go_on():
    key = int(group_keys("repo", pa.array(["lab/\x1b[31mx"]))[0])
    suspect = Suspect("repo", key, "line_max", 950, 1000)
    ledgers = [
        pa.table({"repo": ["lab/\x1b[31mx", "other", "lab/\x1b[31mx"], "language": ["c"] * 3,
                  "path": [f"{part}/a.c", "no.c", f"{part}/b.c"], "rule": ["line_max", "line_max", "size"]})
        for part in range(4)
    ]  # fmt: skip
    example = examples(suspect, ledgers)
    assert example.paths == ("0/a.c", "1/a.c", "2/a.c")
    error = refuse([suspect, *[suspect] * 6], [example] * 5)
    assert (
        "rule line_max drops 950 of 1,000 files of repo lab/␛[31mx, such as 0/a.c, 1/a.c, 2/a.c" in error.what
    )
    assert "and 2 more" in error.what
    assert "guard.except_rules: [line_max]" in (error.hint or "")
    assert "guard.share: 1.0" in (error.hint or "")


TEXT = """
extends: codex
name: small
layout: {parts: 2}
"""


@pytest.fixture
def job(tmp_path):
    """Thirty files of which twenty-nine have a long line, ready to be decided."""
    files = {
        f"src/f{n}.py": f"name_{n} = {n}\n" * 90 + f"data = '{'word ' * (200 + n)}'\n" for n in range(29)
    }
    tree = write_tree(tmp_path / "tree", files | {"good.py": "def good():\n    return 1\n" * 20})
    loaded = load_recipe(recipe(tmp_path, TEXT), ["dedup.near=false", "filters.line_max=900"])
    options = BuildOptions((str(tree),), Place(str(tmp_path / "out")), (), ("ingest", "measure", "link"))
    engine = Engine("DirectRunner", 1)
    Build(loaded, options, engine, Display(Console(), quiet=True)).run()
    stored, config = Stored.open(options.place), DecideConfig.of(loaded.recipe)

    def run(guard: GuardConfig | None):
        stage = decide_stage(stored.dataset, config, stored.upstream())
        return decide(engine, stored.dataset, stage, config, guard)

    return stored.dataset, run


def test_a_hit_stops_the_build_and_the_finished_parts_are_used_again(job):
    dataset, run = job
    with pytest.raises(RecipeError, match="rule line_max drops 29 of 30 files of language python") as caught:
        run(GuardConfig(share=0.9, least_files=20))
    assert "29 of 30 files of repo tree, such as src/f" in caught.value.what
    assert read_json(dataset.ledger, "_stage.json") is None
    parts = {name: dataset.ledger.local.joinpath(name).stat().st_mtime_ns for name in dataset.ledger.names()}
    assert len(parts) == dataset.parts()
    with pytest.raises(RecipeError, match="29 of 30"):
        run(GuardConfig(share=0.95, least_files=30))
    commit = run(GuardConfig(share=0.9, least_files=20, except_rules=("line_max",)))
    assert commit["counts"]["files.line_max"] == 29
    again = {name: dataset.ledger.local.joinpath(name).stat().st_mtime_ns for name in parts}
    assert again == parts
    assert drops_place(dataset).names() == []


@pytest.mark.parametrize("guard", [None, GuardConfig(share=1.0, least_files=1), GuardConfig(share=0.97, least_files=5),
                                   GuardConfig(share=0.5, least_files=31)])  # fmt: skip
def test_without_a_hit_the_stage_is_committed(job, guard):
    dataset, run = job
    assert run(guard)["counts"]["files"] == 30
    assert drops_place(dataset).names() == []


def test_the_guard_is_not_in_the_fingerprint(job):
    dataset, run = job
    run(None)
    first = read_json(dataset.ledger, "_stage.json")
    run(GuardConfig(except_rules=("line_max",)))
    assert read_json(dataset.ledger, "_stage.json") == first
