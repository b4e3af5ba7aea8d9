"""Reuse: a refreshed dataset is the rebuilt one, byte for byte, and only new texts were measured for it."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from columns.document import DOCUMENT
from columns.errors import OutputError
from columns.files import Place
from columns.tables import read_whole
from pipelines import measure as measuring
from pipelines.build import STAGES, Build, BuildOptions
from pipelines.dataset import Dataset
from pipelines.engine import Engine
from pipelines.progress import Display
from pipelines.recipe import load_recipe
from pipelines.reuse import ANSWER, KeyConfig, answers, check_old, obstacle, positions
from tests.pipelines.building import assert_same, command, recipe
from tests.pipelines.corpus import leak, near_copy, sources

SMALL = """
extends: codex
name: refreshed
ingest: {{languages: [python, c, html]}}
layout: {{parts: {parts}}}
filters: {{measure: [lexing, detected, html, repetition]}}
privacy: {{find: true}}
licenses: {{detect: true}}
guard: {{share: 1.0}}
dedup: {{bands: {{verify: jaccard}}}}
tokenizer: {{vocab_size: 384, sample_bytes: 60000}}
pack: {{seq_len: 128, shard_tokens: 65536, validation_fraction: 0.1}}
"""
TEXTS = [text[:3000] for text in sources(60).values()]
EXTRA = [
    leak("HumanEval/4"),
    "",
    "x = 1\n",
    "mail = 'ada@lovelace.org'\n" * 3,
    "<html><body>a b c d e f</body></html>",
]


@dataclasses.dataclass(frozen=True)
class File:
    """One file of a snapshot."""

    path: str
    text: str | None
    repo: str = "made/corpus"
    ref: str = "v1"
    stars: int = 1
    language: str = "python"
    license: str | None = "mit"


def write(folder: Path, name: str, files: list[File]) -> Path:
    """A snapshot as a Parquet file."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = {
        field.name: [getattr(file, field.name) for file in files] for field in dataclasses.fields(File)
    }
    columns["content"] = pa.array(columns.pop("text"), pa.string())
    pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    return folder / f"{name}.parquet"


def build(
    folder: Path, name: str, snapshot: Path, *, parts: int = 3, reuse: Place | None = None, workers: int = 1,
    mode: str = "threads", text: str = SMALL, stages: tuple[str, ...] = STAGES,
) -> Place:  # fmt: skip
    """Build a snapshot, with or without an older dataset."""
    place = Place(str(folder / name))
    options = BuildOptions((str(snapshot),), place, (), stages, reuse)
    loaded = load_recipe(recipe(folder, text.format(parts=parts)))
    engine = Engine("DirectRunner", workers, mode)
    Build(loaded, options, engine, Display(Console(), quiet=True)).run()
    return place


def counts(place: Place) -> dict[str, int]:
    """How many files were measured, moved and reused."""
    found = json.loads(Dataset(place).facts.read("_stage.json"))["counts"]
    return {name: found[name] for name in ("measured", "moved", "reused")}


def first(n: int = 16) -> list[File]:
    """A snapshot with near and exact copies and a file for each special step."""
    files = [File(f"src/file_{at}.py", TEXTS[at]) for at in range(n)]
    copies = [File(f"lib/near_{at}.py", near_copy(TEXTS[at]), "other/repo") for at in range(4)]
    same = [File(f"lib/same_{at}.py", TEXTS[at], "other/repo", stars=5) for at in range(4, 7)]
    return [*files, *copies, *same, *(File(f"extra/{at}.py", text) for at, text in enumerate(EXTRA))]


MEASURED, DECIDED = STAGES[:2], STAGES[:4]
POOL = [*TEXTS[:14], *(near_copy(text) for text in TEXTS[:5]), *EXTRA, None]


def facts(place: Place, stage: str = "facts") -> dict[str, bytes]:
    """Every file that the measure stage left, or another one."""
    folder = place.child(stage)
    return {name: folder.read(name) for name in folder.names() if not name.startswith("_")}


def edits(most: int) -> st.SearchStrategy[list[tuple[str, int, int]]]:
    """What happens between two snapshots: which change, at which file, with which value."""
    kinds = (
        "insert", "insert", "delete", "change", "replace", "rename", "language", "star", "ref", "move", "license",
        "duplicate",
    )  # fmt: skip
    return st.lists(st.tuples(st.sampled_from(kinds), st.integers(0, 99), st.integers(0, 99)), max_size=most)


def edited(files: list[File], changes: list[tuple[str, int, int]]) -> list[File]:
    """The next snapshot."""
    result = list(files)
    for kind, number, value in changes:
        at = number % len(result)
        file = result[at]
        if kind == "insert":
            result.append(File(f"new/{value}.py", POOL[value % len(POOL)], f"repo{value % 3}"))
        elif kind == "delete" and len(result) > 1:
            del result[at]
        elif kind == "duplicate":
            result.append(dataclasses.replace(file, path=f"copy/{value}.py", repo=f"repo{value % 3}"))
        elif kind == "ref":
            result = [dataclasses.replace(file, ref=f"v{value}") for file in result]
        elif kind != "delete":
            result[at] = dataclasses.replace(file, **change(kind, file, value))
    return result


def change(kind: str, file: File, value: int) -> dict[str, object]:
    return {
        "change": {"text": f"{file.text or ''}\nchanged = {value}\n"},
        "replace": {"text": POOL[value % len(POOL)]},
        "rename": {"path": f"moved/{value}/{file.path.rpartition('/')[2]}"},
        "language": {"language": ["html", "c", "python"][value % 3]},
        "star": {"stars": value},
        "move": {"repo": f"repo{value % 3}"},
        "license": {"license": [None, "mit", "gpl-3.0", "apache-2.0"][value % 4]},
    }[kind]


def snapshots() -> st.SearchStrategy[list[File]]:
    """A first snapshot of 10 to 30 files, copies and near copies among them."""
    file = st.builds(
        lambda text, repo, at: File(f"src/{at}.py", POOL[text], f"repo{repo}", stars=at),
        st.integers(0, len(POOL) - 1), st.integers(0, 2), st.integers(0, 40),
    )  # fmt: skip
    return st.lists(file, min_size=10, max_size=30)


@pytest.mark.slow
@given(old=snapshots(), changes=edits(12), parts=st.tuples(st.integers(1, 5), st.integers(1, 5)))
@settings(max_examples=5)
def test_what_is_reused_is_what_would_be_measured(tmp_path_factory, old, changes, parts):
    folder, new = tmp_path_factory.mktemp("facts"), edited(old, changes)
    past = build(folder, "old", write(folder, "s1", old), parts=parts[0], stages=MEASURED)
    snapshot = write(folder, "s2", new)
    refreshed = build(folder, "refreshed", snapshot, parts=parts[1], stages=MEASURED, reuse=past)
    rebuilt = build(folder, "rebuilt", snapshot, parts=parts[1], stages=MEASURED)
    assert facts(refreshed) == facts(rebuilt)
    known = {file.text for file in old}
    whole = {(file.text, file.path, file.language) for file in old}
    again = sum((file.text, file.path, file.language) in whole for file in new)
    fresh = sum(file.text not in known for file in new)
    assert counts(refreshed) == {"measured": fresh, "reused": again, "moved": len(new) - fresh - again}
    assert counts(rebuilt) == {"measured": len(new), "reused": 0, "moved": 0}


@pytest.mark.long
@pytest.mark.slow
@given(old=snapshots(), chain=st.lists(st.tuples(edits(10), st.integers(1, 4)), min_size=2, max_size=2))
@settings(max_examples=2)
def test_a_chain_of_refreshes_is_a_chain_of_rebuilds(tmp_path_factory, old, chain):
    folder, files = tmp_path_factory.mktemp("chain"), old
    past = build(folder, "first", write(folder, "s0", files))
    for step, (changes, parts) in enumerate(chain):
        files = edited(files, changes)
        snapshot = write(folder, f"s{step + 1}", files)
        past = build(folder, f"refreshed{step}", snapshot, parts=parts, reuse=past)
        assert_same(past, build(folder, f"rebuilt{step}", snapshot, parts=parts))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("reuse")


@pytest.fixture(scope="module")
def old(folder):
    return build(folder, "old", write(folder, "old_files", first()))


@pytest.fixture(scope="module")
def later(folder):
    """The next snapshot: other revision and stars, two files gone, one new, moved, changed, in another language."""
    files = [dataclasses.replace(file, ref="v2", stars=file.stars + 1) for file in first()[2:]]
    files[0] = dataclasses.replace(files[0], text=f"{files[0].text}\nchanged = True\n")
    files[1] = dataclasses.replace(files[1], path="moved/file.py")
    files[3] = dataclasses.replace(files[3], language="c")
    return write(folder, "later_files", [*files, File("new.py", TEXTS[40], ref="v2")])


@pytest.fixture(scope="module")
def rebuilt(folder, later):
    return build(folder, "rebuilt", later)


def test_a_refresh_is_the_rebuild_byte_for_byte(folder, old, later, rebuilt):
    refreshed = build(folder, "refreshed", later, reuse=old)
    assert_same(refreshed, rebuilt)
    assert counts(refreshed) == {"measured": 2, "moved": 2, "reused": len(first()) - 5}
    assert not [path for path in Path(refreshed.url).rglob("*") if path.name.startswith(".")]


def test_only_new_texts_are_read_and_measured(folder, old, later, monkeypatch):
    measured, read = [], []
    plain, rows_of = measuring.measure_batch, measuring.read_rows

    def measure_batch(batch, config):
        measured.extend(batch.column("path").to_pylist())
        return plain(batch, config)

    def read_rows(place, name, rows):
        for batch in rows_of(place, name, rows):
            read.extend(batch.column("path").to_pylist())
            yield batch

    monkeypatch.setattr(measuring, "measure_batch", measure_batch)
    monkeypatch.setattr(measuring, "read_rows", read_rows)
    build(folder, "watched", later, reuse=old, stages=MEASURED)
    assert sorted(measured) == ["new.py", "src/file_2.py"]
    assert sorted(read) == ["moved/file.py", "new.py", "src/file_2.py", "src/file_5.py"]


@pytest.mark.parametrize(
    ("workers", "mode"), [(2, "threads"), pytest.param(2, "processes", marks=pytest.mark.slow)]
)
def test_workers_change_nothing(folder, old, later, rebuilt, workers, mode):
    refreshed = build(folder, f"by_{mode}", later, reuse=old, workers=workers, mode=mode, stages=MEASURED)
    assert facts(refreshed) == facts(rebuilt)
    assert counts(refreshed)["measured"] == 2


def test_an_old_dataset_on_another_filesystem(folder, old, later, rebuilt):
    far = fsspec.filesystem("memory")
    far.put(old.url, "/old", recursive=True)
    refreshed = build(folder, "far", later, reuse=Place("memory://old"), stages=MEASURED)
    assert facts(refreshed) == facts(rebuilt)
    assert counts(refreshed)["measured"] == 2


def test_an_old_dataset_that_was_only_measured_is_enough(folder, later, rebuilt):
    begun = build(folder, "begun", write(folder, "begun_files", first()), stages=MEASURED)
    assert facts(build(folder, "from_begun", later, reuse=begun, stages=MEASURED)) == facts(rebuilt)


def test_an_interrupted_refresh_goes_on(folder, old, later, rebuilt, monkeypatch):
    plain, done = measuring.MeasurePart.__call__, []

    def interrupted(self, part):
        if len(done) == 1:
            raise KeyboardInterrupt
        done.append(part)
        return plain(self, part)

    monkeypatch.setattr(measuring.MeasurePart, "__call__", interrupted)
    with pytest.raises(BaseException, match=r".*"):
        build(folder, "interrupted", later, reuse=old, stages=MEASURED)
    monkeypatch.undo()
    again = build(folder, "interrupted", later, reuse=old)
    assert_same(again, rebuilt)
    assert counts(again)["measured"] == 2


def test_a_finished_dataset_is_not_built_again(folder, later, rebuilt, old):
    stamp = (Path(rebuilt.url) / "facts" / "_stage.json").stat().st_mtime_ns
    build(folder, "rebuilt", later, reuse=old)
    assert (Path(rebuilt.url) / "facts" / "_stage.json").stat().st_mtime_ns == stamp


def ledger(place: Place) -> dict[str, dict]:
    names = [name for name in place.child("ledger").names() if name.startswith("part-")]
    rows = [row for name in names for row in read_whole(place.child("ledger"), name).to_pylist()]
    return {row["path"]: row for row in rows}


def test_the_next_best_is_kept_when_a_keeper_is_deleted(folder):
    text = max(TEXTS, key=lambda text: len(text.split()))
    group = [File(f"{stars}.py", f"{text}\n# copy {stars}\n", stars=stars) for stars in (9, 7, 5)]
    others = [File(f"other/{n}.py", TEXTS[n]) for n in range(6)]
    kept = build(folder, "kept", write(folder, "kept_files", [*group, *others]), stages=DECIDED)
    assert ledger(kept)["7.py"]["keeper"] == ledger(kept)["9.py"]["doc_id"]
    snapshot = write(folder, "promoted_files", [*group[1:], *others])
    promoted = build(folder, "promoted", snapshot, reuse=kept, stages=DECIDED)
    rows = ledger(promoted)
    assert rows["7.py"]["keeper"] is None
    assert rows["5.py"]["keeper"] == rows["7.py"]["doc_id"]
    assert counts(promoted) == {"measured": 0, "moved": 0, "reused": 8}
    anew = build(folder, "promoted_anew", snapshot, stages=DECIDED)
    assert facts(promoted, "ledger") == facts(anew, "ledger")


def test_stars_of_the_new_snapshot_choose_the_keeper(folder):
    text = max(TEXTS, key=lambda text: len(text.split()))
    one, other = File("one.py", f"{text}\n# 1\n", stars=9), File("other.py", f"{text}\n# 2\n", stars=1)
    before = build(folder, "starred", write(folder, "starred_files", [one, other]), stages=DECIDED)
    risen = [one, dataclasses.replace(other, stars=99)]
    after = build(folder, "risen", write(folder, "risen_files", risen), reuse=before, stages=DECIDED)
    assert ledger(after)["one.py"]["keeper"] == ledger(after)["other.py"]["doc_id"]
    assert counts(after)["measured"] == 0


OWN = """
import pyarrow as pa
import pyarrow.compute as pc
from filters import own_signal


@own_signal(version=1, about="stars and lines", type="int64")
def shine(stars: pa.Array, lines: pa.Array) -> pa.Array:
    return pc.add(pc.fill_null(stars, 0), pc.fill_null(lines, 0))
"""
EVERYTHING = SMALL.replace("measure: [lexing, detected, html, repetition]", "measure: [all], own: [own.py]")


def test_own_signals_and_every_family_are_reused(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    files = first(6)
    past = build(tmp_path, "old", write(tmp_path, "s1", files), text=EVERYTHING, stages=MEASURED)
    files[0] = dataclasses.replace(files[0], stars=50)
    files[1] = dataclasses.replace(files[1], path="moved.py")
    files[2:] = [dataclasses.replace(file, ref="v2") for file in files[2:]]
    snapshot = write(tmp_path, "s2", files)
    refreshed = build(tmp_path, "refreshed", snapshot, text=EVERYTHING, stages=MEASURED, reuse=past)
    assert facts(refreshed) == facts(build(tmp_path, "new", snapshot, text=EVERYTHING, stages=MEASURED))
    assert counts(refreshed) == {"measured": 2, "moved": 0, "reused": len(files) - 2}


def test_nothing_is_reused_of_what_was_measured_otherwise(folder, old, later, capsys):
    other = SMALL.replace("privacy: {{find: true}}", "")
    place = Place(str(folder / "otherwise"))
    options = BuildOptions((str(later),), place, (), MEASURED, old)
    loaded = load_recipe(recipe(folder, other.format(parts=3)))
    Build(loaded, options, Engine(workers=1), Display(Console(width=400))).run()
    assert f"nothing is reused of {old.url}: it was measured with other settings\n" in capsys.readouterr().out
    assert counts(place)["reused"] == 0
    assert facts(place) == facts(build(folder, "plain", later, text=other, stages=MEASURED))


@pytest.mark.parametrize("gone", [("code",), ("code", "settings"), ()])
def test_what_stands_in_the_way_is_named(tmp_path, gone):
    place = Place(str(tmp_path))
    mine = {"code": "1", "settings": "2"}
    Dataset(place).facts.write_bytes(
        "_stage.json", json.dumps({"measured_by": {**mine, **dict.fromkeys(gone)}}).encode()
    )
    expected = f"it was measured with other {' and '.join(gone)}" if gone else None
    assert obstacle(place, mine) == expected
    Dataset(place).facts.write_bytes("_stage.json", b"{}")
    assert obstacle(place, mine) == "it was measured with other code and settings"


def test_the_dataset_itself_or_no_dataset_is_refused(folder, old, later, tmp_path):
    (tmp_path / "link").symlink_to(old.url)
    for same in (old.url, f"{old.url}/", f"file://{old.url}", str(tmp_path / "link")):
        with pytest.raises(OutputError, match="that is the dataset to be built"):
            check_old(Place(same), old)
    before = facts(old)
    with pytest.raises(OutputError, match="that is the dataset to be built"):
        build(folder, "old", later, reuse=old)
    assert facts(old) == before
    with pytest.raises(OutputError, match="nothing is measured there"):
        check_old(Place(str(tmp_path / "nothing")), old)
    begun = build(folder, "ingested", later, stages=("ingest",))
    with pytest.raises(OutputError, match="nothing is measured there"):
        check_old(begun, old)


def test_a_stale_measurement_is_refused(folder, later):
    stale = build(folder, "stale", write(folder, "stale_files", first(3)), stages=MEASURED)
    build(folder, "stale", later, stages=("ingest",))
    with pytest.raises(OutputError, match="nothing is measured there"):
        check_old(stale, Place(str(folder / "other")))


@pytest.mark.slow
def test_the_command_says_what_is_wrong(folder, old, later):
    arguments = ("build", recipe(folder, SMALL.format(parts=3)), "-i", str(later), "-o", old.url)
    done = command(*arguments, "--reuse", old.url)
    assert done.returncode == 2
    assert "that is the dataset to be built" in done.stderr
    assert "build into another --output" in done.stderr


KEYS = KeyConfig(("path", "language"), moved=True)
KEY = st.tuples(
    st.sampled_from([None, b"a" * 32, b"b" * 32, b"a" * 31 + b"c"]), st.sampled_from([None, "", "x", "y"]),
    st.sampled_from([None, "python", "c"]), st.booleans(),
)  # fmt: skip


@given(keys=st.lists(KEY, max_size=25), moved=st.booleans(), seed=st.integers(0, 99))
@settings(max_examples=100)
def test_answers_are_those_of_a_plain_search(keys, moved, seed):
    config = dataclasses.replace(KEYS, moved=moved)
    rows = random.Random(seed).sample(range(1 << 40), len(keys))
    listed = [
        dict(zip(config.schema.names, (*key[:3], row, key[3]), strict=True))
        for key, row in zip(keys, rows, strict=True)
    ]
    found = answers(pa.RecordBatch.from_pylist(listed, schema=config.schema), config)
    assert found.schema.equals(ANSWER)
    expected = [answer for row in listed if not row["old"] and (answer := searched(row, listed, moved))]
    assert found.to_pylist() == expected


def searched(new: dict, listed: list[dict], moved: bool) -> dict | None:
    """The answer for one row, by comparing it with all others."""
    texts = [row for row in listed if row["old"] and row["content_hash"] == new["content_hash"]]
    whole = [row for row in texts if (row["path"], row["language"]) == (new["path"], new["language"])]
    chosen = whole or (texts if moved else [])
    least = min((row["row"] for row in chosen), default=None)
    return None if least is None else {"source": least, "target": new["row"], "whole": bool(whole)}


def test_own_columns_of_any_type_are_keys():
    names = tuple(name for name in DOCUMENT.names if name not in {"content", "content_hash"})
    config = KeyConfig(names, moved=False)
    row = {field.name: None for field in DOCUMENT} | {"stars": 3, "lossy": True, "content_hash": b"a" * 32}
    rows = [row | {"row": n, "old": n < 3, "stars": 3 + (n == 2)} for n in (2, 1, 0, 7)]
    batch = pa.RecordBatch.from_pylist(
        [{k: r[k] for k in config.schema.names} for r in rows], schema=config.schema
    )
    assert answers(batch, config).to_pylist() == [{"source": 0, "target": 7, "whole": True}]


COLUMNS = st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.sampled_from([None, "x", "y"]))


@given(
    after=st.lists(COLUMNS, max_size=8), before=st.lists(COLUMNS, max_size=8, unique_by=lambda row: row[0])
)
@settings(max_examples=100)
def test_positions_are_those_of_a_plain_search(after, before):
    schema = pa.schema([("doc_id", pa.binary()), ("path", pa.string())])
    tables = (
        pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema=schema)
        for rows in (after, before)
    )
    expected = [next((at for at, one in enumerate(before) if one == row), -1) for row in after]
    assert positions(*tables).tolist() == expected


def test_the_same_is_found_with_and_without_a_pipeline(folder, old, later, rebuilt, monkeypatch):
    monkeypatch.setattr("pipelines.reuse.SMALL", -1)
    by_exchange = build(folder, "by_exchange", later, reuse=old, stages=MEASURED)
    assert facts(by_exchange) == facts(rebuilt)
    assert counts(by_exchange) == {"measured": 2, "moved": 2, "reused": len(first()) - 5}
