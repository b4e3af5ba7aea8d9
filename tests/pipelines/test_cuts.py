"""Cuts: copied functions and common headers leave the worse file only, and every keeper named is there."""

from __future__ import annotations

import ast

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup import KeepConfig
from dedup.functions import FunctionsConfig
from dedup.paragraphs import ParagraphsConfig
from pipelines.cuts import (
    CUTS,
    CutsConfig,
    Spans,
    beside,
    covered,
    cuts_stage,
    last_statements,
    make_cuts,
    outermost,
)
from pipelines.dataset import Dataset, Names
from pipelines.engine import Engine
from pipelines.functions import find_functions, function_links_stage, functions_stage, link_functions
from pipelines.paragraphs import find_paragraphs, paragraphs_stage
from pipelines.redacting import REDACTIONS, Edit, Texts, edits, spliced
from privacy import KINDS
from tests.pipelines.units import decided, documents_of, files_under, rows_of

KEEP = KeepConfig(order=("stars", "path"))
REMOVE = FunctionsConfig(find=True, remove=True, least_words=20)
STRIP = ParagraphsConfig(find=True, strip="head")
LICENCE = "# Copyright (c) the authors of this small corpus.\n# Permission is granted to do what you like with it.\n"


def body(name: str, seed: int, depth: int = 1) -> str:
    indent = "    " * depth
    steps = "".join(f"{indent}value_{seed}_{n} = first_{seed} * {n} + other_{n}\n" for n in range(12))
    return f"{'    ' * (depth - 1)}def {name}(first_{seed}, other):\n{steps}{indent}return value_{seed}_0\n"


def other(seed: int) -> str:
    """A function that no other file has."""
    rng = np.random.default_rng(seed)
    steps = "".join(f"    own_{seed}_{n} = call_{rng.integers(1 << 30)}({n})\n" for n in range(12))
    return f"def own_{seed}():\n{steps}    return own_{seed}_0\n"


COPIED = body("copied", 1)
NEAR = COPIED.replace("return value_1_0", "return changed")
FILES: dict[str, str | None] = {
    "best.py": f"{other(1)}\n\n{COPIED}\n\nx = 1\n",
    "worse.py": f"#!/usr/bin/env python\n{LICENCE}\nimport a\n\n\n# about it\n@wrapped\n{COPIED}\n\n{other(2)}",
    "exact.py": f"import b\n\n\n{COPIED}\n\n{other(3)}",
    "near.py": f"{other(4)}\n\n{NEAR}",
    "twice.py": f"{body('again', 5)}\n\ny = 2\n\n\n{body('again', 5)}",
    "only.py": f"if a:\n{body('copied', 1, 2)}\nz = 3\n",
    "class_1.py": f"class A:\n{body('f', 8, 2)}\n{body('g', 9, 2)}\n\n{other(6)}",
    "class_2.py": f"import c\n\n\nclass A:\n{body('f', 8, 2)}\n{body('g', 9, 2)}\n\n{other(7)}",
    "method.py": f"class B:\n    size = 1\n\n{body('g', 9, 2)}\n{other(8)}",
    "dropped.py": f"{body('gone', 11)}",
    "stays.py": f"q = 1\n\n\n{body('gone', 11)}",
    "problem.py": None,
    **{f"licensed/{n}.py": f"{LICENCE}\n{other(20 + n)}" for n in range(12)},
}
STARS = {"best.py": 9, "twice.py": 8, "class_1.py": 7, "dropped.py": 6}


def cut(
    folder, functions=REMOVE, paragraphs=STRIP, workers: int = 1, parts: int = 3, keep=KEEP,
    files=FILES, dropped=frozenset({"dropped.py"}),
) -> tuple[Dataset, dict]:  # fmt: skip
    """A decided dataset with all stages of units run over it."""
    dataset = decided(folder, documents_of(files, stars=STARS), parts, dropped)
    engine = Engine("DirectRunner", workers, "threads", (), 3000 if workers > 1 else 8 << 20)
    if functions.find:
        stage = functions_stage(dataset, functions, "docs")
        find_functions(engine, dataset, stage, functions)
        link_functions(engine, dataset, function_links_stage(dataset, functions, "found"), functions)
    if paragraphs.find:
        find_paragraphs(engine, dataset, paragraphs_stage(dataset, paragraphs, "docs"), paragraphs)
    config = CutsConfig(functions, paragraphs, keep)
    return dataset, dict(make_cuts(engine, dataset, cuts_stage(dataset, config, "all"), config))


def texts(dataset: Dataset) -> dict[str, str | None]:
    read, found = Texts(dataset, Names(dataset.parts())), {}
    for part in range(dataset.parts()):
        for batch in read(part, ["path", "content"]):
            found |= dict(zip(*(column.to_pylist() for column in batch.columns), strict=True))
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return cut(tmp_path_factory.mktemp("made"))


def by_path(dataset: Dataset) -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = {}
    for row in rows_of(dataset, "cuts"):
        found.setdefault(row["path"], []).append(row)
    return found


def test_the_copied_function_leaves_the_worse_files_and_names_the_better_one(made):
    dataset, _ = made
    (found,) = by_path(dataset)["exact.py"]
    assert (found["name"], found["kind"], found["similarity"], found["applied"]) == (
        "copied",
        "function",
        1.0,
        True,
    )
    line = FILES["best.py"].split("\n").index("def copied(first_1, other):") + 1
    assert (found["keeper_path"], found["keeper_line"], found["line"]) == ("best.py", line, 4)
    assert found["keeper"] == documents_of({"best.py": FILES["best.py"]}).column("doc_id")[0].as_py()
    assert "best.py" not in by_path(dataset)
    assert texts(dataset)["exact.py"] == f"import b\n\n\n{other(3)}"


def test_a_near_copy_goes_with_its_verified_similarity(made):
    (found,) = by_path(made[0])["near.py"]
    assert found["keeper_path"] == "best.py"
    assert 0.8 <= found["similarity"] < 1.0
    assert texts(made[0])["near.py"] == f"{other(4)}\n\n"


def test_comments_and_decorators_go_with_the_function_and_the_shebang_stays(made):
    assert texts(made[0])["worse.py"] == f"#!/usr/bin/env python\nimport a\n\n\n{other(2)}"


def test_the_first_of_two_copies_in_one_file_stays(made):
    (found,) = by_path(made[0])["twice.py"]
    assert (found["keeper_path"], found["keeper_line"]) == ("twice.py", 1)
    assert texts(made[0])["twice.py"] == f"{body('again', 5)}\n\ny = 2\n\n\n"


def test_the_only_statement_of_a_block_stays_and_is_counted(made):
    dataset, commit = made
    assert "only.py" not in by_path(dataset)
    assert commit["counts"]["not_cut"] == 1


def test_a_class_takes_its_methods_with_it(made):
    (found,) = by_path(made[0])["class_2.py"]
    assert (found["kind"], found["keeper_path"], found["keeper_line"]) == ("class", "class_1.py", 1)
    (found,) = by_path(made[0])["method.py"]
    assert (found["kind"], found["name"], found["keeper_path"]) == ("method", "g", "class_1.py")


def test_only_functions_of_kept_files_take_part(made):
    assert not {"dropped.py", "stays.py", "problem.py"} & set(by_path(made[0]))
    assert texts(made[0])["stays.py"] == FILES["stays.py"]


def test_a_licence_in_many_files_is_stripped(made):
    dataset, commit = made
    for n in range(12):
        assert texts(dataset)[f"licensed/{n}.py"] == other(20 + n)
        (found,) = by_path(dataset)[f"licensed/{n}.py"]
        assert (found["kind"], found["name"], found["keeper"], found["line"]) == ("paragraph", "", None, 1)
    assert commit["counts"]["found.paragraph"] == 13


def test_what_is_left_is_python_and_keepers_stay(made):
    dataset, commit = made
    left, cuts = texts(dataset), rows_of(dataset, "cuts")
    assert commit["counts"]["applied"] == len(cuts) > 15
    for path, text in left.items():
        if text is not None and path != "worse.py":
            ast.parse(text)
    lines = {(cut["path"], cut["line"]) for cut in cuts}
    assert not {(cut["keeper_path"], cut["keeper_line"]) for cut in cuts} & lines


def test_every_text_is_what_its_cuts_leave(made):
    dataset, _ = made
    cuts, left = by_path(dataset), texts(dataset)
    for path, text in FILES.items():
        raw = None if text is None else text.encode()
        for one in reversed(cuts.get(path, [])):
            raw = raw[: one["start"]] + raw[one["end"] :]
        assert left[path] == (None if raw is None else raw.decode())


def test_without_remove_functions_are_listed_and_stay(tmp_path, made):
    only_find = FunctionsConfig(find=True, remove=False, least_words=20)
    dataset, commit = cut(tmp_path, only_find, ParagraphsConfig())
    assert texts(dataset) == FILES
    functions = [row for row in rows_of(made[0], "cuts") if row["kind"] != "paragraph"]
    assert rows_of(dataset, "cuts") == [{**row, "applied": False} for row in functions]
    assert commit["counts"]["applied"] == 0


def test_nothing_looked_for_is_an_empty_table(tmp_path):
    dataset, _ = cut(tmp_path, FunctionsConfig(), ParagraphsConfig())
    assert rows_of(dataset, "cuts") == []
    assert texts(dataset) == FILES
    assert not CutsConfig(FunctionsConfig(), ParagraphsConfig(), KEEP).wanted


def test_strip_all_takes_common_code_too(tmp_path):
    common = "alpha = beta(gamma, delta)\n" * 4
    files = {f"{n}.py": f"a{n} = {n}\n\n{common}\nb{n} = {n}\n" for n in range(10)}
    dataset, _ = cut(tmp_path, FunctionsConfig(), ParagraphsConfig(find=True, strip="all"), files=files)
    assert texts(dataset) == {f"{n}.py": f"a{n} = {n}\n\nb{n} = {n}\n" for n in range(10)}


@pytest.mark.slow
def test_the_same_bytes_for_two_workers_and_small_batches(tmp_path, made):
    dataset, _ = cut(tmp_path, workers=2)
    folders = ("cuts", "functions/facts", "functions/links", "paragraphs")
    assert files_under(dataset.place, *folders) == files_under(made[0].place, *folders)
    assert texts(dataset) == texts(made[0])


@pytest.mark.parametrize("parts", [1, 7])
def test_the_texts_do_not_depend_on_the_number_of_parts(tmp_path, made, parts):
    dataset, _ = cut(tmp_path, parts=parts)
    assert texts(dataset) == texts(made[0])


def test_the_order_of_files_decides_which_copy_stays(tmp_path):
    files = {"a.py": f"x = 1\n\n\n{COPIED}", "best.py": f"y = 1\n\n\n{COPIED}"}
    dataset, _ = cut(tmp_path, keep=KeepConfig(order=("path",)), files=files, parts=1)
    assert list(by_path(dataset)) == ["best.py"]


INTERVALS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30), st.integers(1, 8)), max_size=14)


def apart(intervals: list[tuple[int, int, int]]) -> Spans:
    kept: list[tuple[int, int, int]] = []
    for row, start, size in sorted(set(intervals)):
        if not kept or kept[-1][0] < row or kept[-1][2] <= start:
            kept.append((row, start, start + size))
    return Spans(*np.array(kept, np.int64).reshape(-1, 3).T)


def listed(spans: Spans) -> list[tuple[int, int, int]]:
    return list(zip(*(column.tolist() for column in spans), strict=True))


def overlaps(one: tuple[int, int, int], two: tuple[int, int, int]) -> bool:
    return one[0] == two[0] and one[1] < two[2] and two[1] < one[2]


def holds(one: tuple[int, int, int], two: tuple[int, int, int]) -> bool:
    return one[0] == two[0] and one[1] <= two[1] and two[2] <= one[2]


@given(functions=INTERVALS, paragraphs=INTERVALS, removed=st.booleans())
def test_functions_and_paragraphs_never_overlap(functions, paragraphs, removed):
    ours, theirs = apart(functions), apart(paragraphs)
    stays, goes = beside(ours, theirs, removed=removed)
    some, others = listed(ours), listed(theirs)
    for paragraph, found in zip(others, goes, strict=True):
        touched = [one for one in some if overlaps(one, paragraph)]
        assert found == (not removed or all(holds(paragraph, one) for one in touched))
    gone = [paragraph for paragraph, found in zip(others, goes, strict=True) if found]
    for one, found in zip(some, stays, strict=True):
        assert found == (not any(overlaps(one, paragraph) for paragraph in gone))


@given(outer=INTERVALS, inner=INTERVALS)
def test_the_outermost_spans_are_apart(outer, inner):
    classes = listed(apart(outer))
    nested = [
        one for one in listed(apart(inner)) if any(holds(whole, one) and whole != one for whole in classes)
    ]
    every = sorted({*classes, *nested})
    spans = Spans(*np.array(every, np.int64).reshape(-1, 3).T)
    found = outermost(spans, np.ones(len(every), np.bool_))
    assert [one for one, kept in zip(every, found, strict=True) if kept] == classes
    assert covered(spans, apart(outer)).all()


def test_covered_looks_at_the_row():
    spans = Spans(np.array([0, 1]), np.array([2, 2]), np.array([3, 3]))
    assert covered(spans, Spans(np.array([1]), np.array([0]), np.array([9]))).tolist() == [False, True]
    assert covered(spans, Spans(*np.zeros((3, 0), np.int64))).tolist() == [False, False]


def test_a_body_keeps_its_first_function():
    spans = Spans(np.array([0, 0, 1]), np.array([30, 10, 10]), np.array([40, 20, 20]))
    assert last_statements(spans, np.array([5, 5, 5]), np.array([2, 2, 2])).tolist() == [False, True, False]
    assert not last_statements(spans, np.array([-1, -1, -1]), np.array([0, 0, 0])).any()


def spans_batch(spans: list[tuple[int, int]], kind: str | None = None) -> pa.RecordBatch:
    columns = {"row": [0] * len(spans), "start": [a for a, _ in spans], "end": [b for _, b in spans]}
    name, value = ("text", "") if kind is None else ("kind", kind)
    schema = pa.schema([("row", pa.int64()), ("start", pa.int64()), ("end", pa.int64()), (name, pa.string())])
    return pa.RecordBatch.from_pydict({**columns, name: [value] * len(spans)}, schema)


def edited_slow(text: str, redacted: list[tuple[int, int]], cuts: list[tuple[int, int]]) -> str:
    """Letter by letter, written for reading."""
    cuts = [c for c in cuts if not any(r[0] <= c[0] and c[1] <= r[1] and r != c for r in redacted)]
    out, said = [], set()
    for at, letter in enumerate(text):
        if any(start <= at < end for start, end in cuts):
            continue
        inside = [span for span in redacted if span[0] <= at < span[1]]
        if not inside:
            out.append(letter)
        elif inside[0] not in said:
            said.add(inside[0])
            out.append(KINDS["email"].placeholder)
    return "".join(out)


@given(redacted=INTERVALS, cuts=INTERVALS)
def test_edits_are_one_pass_over_the_original_text(redacted, cuts):
    text = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN"
    one, other_ = ([(a, b) for row, a, b in listed(apart(spans)) if row == 0] for spans in (redacted, cuts))
    changes = edits(spans_batch(one, "email"), spans_batch(other_))
    content = pa.array([text], pa.large_string())
    assert spliced(content, changes).to_pylist() == [edited_slow(text, one, other_)]
    assert all(
        a.end <= b.start for listed_ in changes.values() for a, b in zip(listed_, listed_[1:], strict=False)
    )


def test_spliced_slices_and_nulls():
    content = pa.array(["skip", "abcd", None, "éf"], pa.large_string()).slice(1)
    assert spliced(content, {0: [Edit(0, 2)], 2: [Edit(0, 2, b"e")]}).to_pylist() == ["cd", None, "ef"]


def test_redactions_outside_cuts_still_work(tmp_path):
    from columns.tables import write_table

    secret = "mail = 'ada@lovelace.org'\n"
    files = {"a.py": f"x = 1\n\n\n{COPIED}", "b.py": f"{secret}\n\n{COPIED}\nend = 1\n"}
    dataset, _ = cut(tmp_path, files=files, parts=1)
    at = next(n for n, row in enumerate(texts(dataset)) if row == "b.py")
    inside = len(secret) + 20
    spans = [(8, 24), (inside, inside + 5)]
    columns = {"row": [at] * 2, "start": [a for a, _ in spans], "end": [b for _, b in spans], "line": [1, 5]}
    batch = pa.RecordBatch.from_pydict({**columns, "kind": ["email"] * 2}, REDACTIONS)
    write_table(dataset.ledger, Names(1).redactions(0), [batch], REDACTIONS)
    assert texts(dataset)["b.py"] == "mail = '<EMAIL>'\n\n\nend = 1\n"


def test_the_schema_says_what_each_column_is():
    assert all(field.metadata and field.metadata[b"about"] for field in CUTS)


RECIPE = """
extends: codex
name: small
layout: {parts: 4}
ingest: {languages: []}
filters: {preset: codex, without: [%s]}
contamination: {suites: []}
dedup:
  near: false
  functions: {find: true, remove: true, least_words: 20}
  paragraphs: {find: true, strip: head}
tokenizer: {vocab_size: 600, sample_bytes: 400000}
pack: {seq_len: 64, shard_tokens: 65536, validation_fraction: 0.0}
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    from filters import load_preset
    from tests.pipelines.building import build
    from tests.pipelines.corpus import write_tree

    folder = tmp_path_factory.mktemp("built")
    tree = write_tree(folder / "tree", {path: text for path, text in FILES.items() if text is not None})
    recipe = RECIPE % ", ".join(rule.name for rule in load_preset("codex").rules)
    return build(folder, folder / "out", [tree], text=recipe), recipe, folder, tree


def test_a_build_counts_and_tells_its_cuts(built):
    from rich.console import Console

    from pipelines.finished import Finished
    from pipelines.story import render, tell

    place, _, _, _ = built
    dedup = Finished.open(place).section("dedup")
    assert dedup["cuts"]["applied"] > 15
    assert dedup["functions"]["compared"]["class"] == 3
    assert dedup["paragraphs"]["common_heads"] == 13
    told = tell(place, "exact.py")
    (one,) = told.cuts
    assert (one.kind, one.name, one.similarity, one.applied) == ("function", "copied", 1.0, True)
    console = Console(record=True, width=200)
    render(told, console)
    assert "cut out in the shards (1)\n  function copied, line 4, " in console.export_text()
    assert tell(place, "licensed/3.py").facts["common_head_bytes"] == len(LICENCE)
    assert told.to_dict()["cuts"][0]["keeper"]["path"] == one.keeper.path


def test_a_build_without_units_leaves_no_trace_of_them(built):
    from pipelines.finished import Finished
    from tests.pipelines.building import build

    _, recipe, folder, tree = built
    plain = recipe.replace("find: true", "find: false")
    other = build(folder, folder / "out", [tree], text=plain)
    assert all(not other.child(name).names() for name in ("cuts", "paragraphs", "functions/facts"))
    assert not {"cuts", "functions", "paragraphs"} & set(Finished.open(other).section("dedup"))
