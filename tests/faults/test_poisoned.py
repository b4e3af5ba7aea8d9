"""A text on which a kernel raises: found by halving its batch, marked and counted; all other files as ever."""

from __future__ import annotations

import json
import logging
import os

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import pipelines.families
import pipelines.measure
from columns.document import DOCUMENT, UNMEASURABLE, document_batch
from columns.errors import EnvironmentProblem, ThresherError
from columns.files import Place
from columns.tables import read_whole
from pipelines.isolation import LEAST, isolated, marked
from syntax import sandbox as sandboxes
from tests.pipelines.building import RECIPE, ROOT, build, command, recipe, result_bytes
from tests.pipelines.corpus import corpus, write_tree

POISON = "# the text that no kernel can take\n"
EVERY = (
    RECIPE
    + """
filters: {measure: [all], tokenizer: codex}
privacy: {find: true}
licenses: {detect: true}
"""
)
KERNELS = {
    "signals": (pipelines.families, "measure_signals"),
    "heuristics": (pipelines.families, "measure_heuristics"),
    "lexing": (pipelines.families, "measure_lexing"),
    "syntax": (pipelines.families, "measure_syntax"),
    "tokenizer": (pipelines.families, "text_stats"),
    "licences": (pipelines.families, "measure_licenses"),
    "secrets": (pipelines.families, "measure_privacy"),
    "words": (pipelines.measure, "word_hashes"),
    "signatures": (pipelines.measure, "signatures"),
    "evidence": (pipelines.measure, "evidence"),
}
WORKER = """
import sys
if "multiprocessing.forkserver" in " ".join(sys.orig_argv):
    from tests.faults.test_poisoned import failing
    import pipelines.measure as module
    module.evidence = failing(module.evidence)
"""


def failing(kernel):
    """The kernel, but that it raises where the poison is among its texts."""

    def poisoned(first, *args, **kwargs):
        content = first.column("content") if isinstance(first, pa.RecordBatch) else first
        if pc.any(pc.match_substring(content, POISON)).as_py():
            raise ZeroDivisionError("the kernel's own fault")
        return kernel(first, *args, **kwargs)

    return poisoned


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("poisoned")


@pytest.fixture(scope="module")
def tree(folder):
    files = dict(list(corpus().items())[::6])
    return write_tree(folder / "corpus", files | {"bad.py": POISON + "value = 1\n" * 30})


@pytest.fixture(scope="module")
def undisturbed(folder, tree):
    return facts(build(folder, folder / "undisturbed", [tree], text=EVERY, stages=("ingest", "measure")))


def facts(place: Place) -> dict[str, dict]:
    child = place.child("facts")
    names = [name for name in child.names() if name.startswith("part-") and name.endswith(".parquet")]
    return {row["path"]: row for name in names for row in read_whole(child, name).to_pylist()}


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("workers", "batch_bytes"), [(1, 8 << 20), (2, 30_000)])
def test_one_text_is_marked_and_no_other_changes(
    kernel, workers, batch_bytes, folder, tree, undisturbed, tmp_path, monkeypatch, caplog
):
    module, name = KERNELS[kernel]
    monkeypatch.setattr(module, name, failing(getattr(module, name)))
    place = build(
        folder, tmp_path / "out", [tree], text=EVERY, stages=("ingest", "measure"), workers=workers,
        batch_bytes=batch_bytes,
    )  # fmt: skip
    found = facts(place)
    bad = found.pop("bad.py")
    assert bad["problem"] == UNMEASURABLE
    assert bad["bytes"] is None
    assert found == {path: row for path, row in undisturbed.items() if path != "bad.py"}
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert said == ["bad.py: it cannot be measured: ZeroDivisionError: the kernel's own fault"]
    commit = json.loads((tmp_path / "out" / "facts" / "_stage.json").read_text())
    assert commit["counts"]["problem.unmeasurable"] == 1


@pytest.fixture(scope="module")
def whole(folder, tree):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipelines.measure, "evidence", failing(pipelines.measure.evidence))
        return build(folder, folder / "whole", [tree])


def test_the_marked_file_is_in_no_shard_and_is_counted(whole):
    manifest = json.loads(whole.read("manifest.json"))
    assert manifest["documents"]["problems"] == {UNMEASURABLE: 1}
    ledger = [
        row for name in whole.child("ledger").names() if name.endswith(".parquet")
        for row in read_whole(whole.child("ledger"), name).to_pylist()
    ]  # fmt: skip
    bad = next(row for row in ledger if row["path"] == "bad.py")
    assert (bad["kept"], bad["rule"]) == (False, "unreadable")


@pytest.mark.long
@pytest.mark.slow
def test_worker_processes_find_the_same(whole, folder, tree, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(WORKER)
    prelude = f"import os; os.environ['PYTHONPATH'] = os.pathsep.join([{str(ROOT)!r}, {str(tmp_path)!r}])"
    arguments = ("build", recipe(folder), "--input", str(tree), "--output", str(tmp_path / "out"), "--quiet")
    done = command(*arguments, "--runner", "portable", "--workers", "2", prelude=prelude, timeout=280)
    assert done.returncode == 0, done.stderr
    assert result_bytes(Place(str(tmp_path / "out"))) == result_bytes(whole)


def documents(count: int) -> pa.RecordBatch:
    columns = {"path": [f"{n}.py" for n in range(count)], "content": [str(n) for n in range(count)]}
    return document_batch({**columns, "content_hash": [bytes(32)] * count}, count)


@pytest.mark.parametrize("bad", [(), (0,), (6,), (2, 3), (0, 3, 6), tuple(range(7))])
def test_halving_finds_every_bad_row_and_keeps_the_order(bad):
    def measure(batch: pa.RecordBatch) -> pa.RecordBatch:
        texts = batch.column("content").to_pylist()
        if {str(n) for n in bad} & set(texts):
            raise IndexError
        return pa.RecordBatch.from_pydict(
            {"bytes": pa.array(texts, pa.string()), "path": batch.column("path")}
        )

    found = pa.concat_batches(list(isolated(documents(7), measure)))
    assert found.column("path").to_pylist() == [f"{n}.py" for n in range(7)]
    assert tuple(np.flatnonzero(np.asarray(found.column("bytes").is_null()))) == bad


@pytest.mark.parametrize("error", [ThresherError("mend it"), OSError(28, "full"), MemoryError()])
def test_what_is_no_fault_of_a_text_marks_nothing(error):
    def measure(batch: pa.RecordBatch) -> pa.RecordBatch:
        raise error

    with pytest.raises(type(error)):
        list(isolated(documents(3), measure))


def test_a_kernel_that_fails_without_the_text_too_is_an_error():
    def measure(batch: pa.RecordBatch) -> pa.RecordBatch:
        raise IndexError("of the path")

    with pytest.raises(IndexError, match="of the path"):
        list(isolated(documents(2), measure))


@pytest.mark.parametrize(("lost", "fails"), [(LEAST, False), (LEAST + 1, True)])
def test_many_such_files_are_an_error_of_the_run(lost, fails):
    carried = documents(50)
    measured = pa.RecordBatch.from_pydict({"bytes": [None] * lost + [1] * (50 - lost)})
    if fails:
        with pytest.raises(
            EnvironmentProblem, match=r"11 of 50 files of part-1 cannot be measured, such as 0\.py"
        ):
            marked(carried, measured, "part-1")
    else:
        said = marked(carried, measured, "part-1").column("problem").to_pylist()
        assert said == [UNMEASURABLE] * lost + [None] * (50 - lost)


def test_files_that_had_no_text_keep_their_own_problem():
    carried = document_batch({"path": ["a"], "problem": ["binary"]}, 1)
    assert (
        marked(carried, pa.RecordBatch.from_pydict({"bytes": pa.array([None], pa.int64())}), "p") is carried
    )
    assert carried.schema == DOCUMENT


def test_a_parser_process_that_dies_costs_its_own_text_only(folder, tree, undisturbed, tmp_path, monkeypatch):
    sent = sandboxes.Child.exchange

    def killed(self, requests, answers):
        if any(POISON.encode() in bytes(text) for _, text in requests[:1]):
            os.kill(self.pid, 11)
        return sent(self, requests, answers)

    monkeypatch.setattr(sandboxes.Child, "exchange", killed)
    found = facts(build(folder, tmp_path / "out", [tree], text=EVERY, stages=("ingest", "measure")))
    assert found.keys() == undisturbed.keys()
    assert {path for path in found if found[path] != undisturbed[path]} <= {"bad.py"}
    assert found["bad.py"]["problem"] is None
