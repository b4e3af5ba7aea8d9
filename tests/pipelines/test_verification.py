"""Verification: a whole dataset passes every check, and each kind of damage is found and named."""

from __future__ import annotations

import json
import shutil
import sysconfig
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from columns.errors import OutputError
from columns.files import Place
from columns.tables import write_arrow
from pipelines.finished import Finished
from pipelines.verification import verify_dataset
from pipelines.verification.files import check_shards
from pipelines.verification.rows import check_rows
from shards import open_shard, read_manifest
from shards.format import file_sha256
from shards.manifest import MANIFEST
from tests.pipelines.building import RECIPE, build, command

STDLIB = Path(sysconfig.get_paths()["stdlib"])


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A dataset of 20 files with several shards of each kind, built once."""
    folder = tmp_path_factory.mktemp("verify")
    (folder / "src").mkdir()
    for path in sorted(STDLIB.glob("[a-c]*.py"))[:20]:
        shutil.copy(path, folder / "src" / path.name)
    shutil.copy(folder / "src" / "bdb.py", folder / "src" / "bdb_again.py")
    build(folder, folder / "out", [folder / "src"], text=RECIPE)
    return folder / "out"


@pytest.fixture
def copy(made, tmp_path) -> Place:
    shutil.copytree(made, tmp_path / "out")
    return Place(str(tmp_path / "out"))


def failed(place: Place, **options) -> dict[str, tuple[str, ...]]:
    return {check.name: check.problems for check in verify_dataset(place, **options) if not check.passed}


def largest(place: Place) -> str:
    return max(read_manifest(place).shards, key=lambda entry: entry["rows"])["name"]


def edit_manifest(place: Place, change) -> None:
    manifest = json.loads(place.read(MANIFEST))
    change(manifest)
    place.write_bytes(MANIFEST, json.dumps(manifest).encode())


def rewrite(place: Place, name: str, change) -> None:
    """Write a shard again with other rows, and let every checksum be right: only what it holds is wrong."""
    shards = place.child("shards")
    shard = open_shard(shards, name)
    schema = shard.reader.schema
    table = change(
        pa.Table.from_batches([pa.RecordBatch.from_pylist(shard.reader.read_all().to_pylist(), schema)])
    )
    write_arrow(shards, name, table.combine_chunks().to_batches(1024), schema)

    def relabel(manifest):
        for entry in manifest["shards"]:
            if entry["name"] == name:
                tokens = int(np.sum(table.column("n_tokens").to_numpy()))
                entry |= {"rows": table.num_rows, "tokens": tokens, "bytes": shards.size(name), "batches": []}
                entry["sha256"] = file_sha256(shards, name)

    edit_manifest(place, relabel)


def test_a_whole_dataset_passes(made):
    checks = verify_dataset(Place(str(made)), sample=None)
    assert [check.name for check in checks if not check.passed or check.skipped] == []
    looked = {check.name: check.looked for check in checks}
    assert looked["texts"].startswith(looked["every survivor"].split()[0])
    assert {"shards", "manifest", "tokens account", "rows and spans", "no dropped file"} <= set(looked)


@pytest.mark.parametrize(
    "pack",
    [
        "tail: pool",
        "tail: pad, pad: left",
        "method: best_fit",
        "method: single, overlong: truncate",
        "method: single",
    ],
)
def test_every_way_of_packing_passes(made, tmp_path, pack):
    text = RECIPE.replace("validation_fraction: 0.1", f"validation_fraction: 0.1, {pack}")
    place = build(tmp_path, tmp_path / "out", [made.parent / "src"], text=text)
    assert failed(place, sample=None) == {}


def test_tokenizers_that_begin_documents_pass(made, tmp_path):
    text = RECIPE.replace("vocab_size: 1024", "vocab_size: 1024, bos: <s>, special_tokens: [<s>]")
    place = build(tmp_path, tmp_path / "out", [made.parent / "src"], text=text)
    assert failed(place, sample=None) == {}


def test_redacted_and_cut_texts_pass(made, tmp_path):
    (tmp_path / "src").mkdir()
    for number in range(6):
        code = [f"def f{number}_{index}(x):\n    return x + {index * number}\n" for index in range(60)]
        mail = f"# mail someone{number}@gmail.com, please\n"
        (tmp_path / "src" / f"f{number}.py").write_text(mail + "\n".join(code))
    text = RECIPE + "privacy: {find: true, redact: [email]}\n"
    place = build(tmp_path, tmp_path / "out", [tmp_path / "src"], text=text)
    assert failed(place, sample=None) == {}


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_a_flipped_byte_is_found(copy, share):
    name = largest(copy)
    entry = next(one for one in read_manifest(copy).shards if one["name"] == name)
    data = bytearray(copy.child("shards").read(name))
    batch = entry["batches"][0]
    at = int(batch["input_ids"] + share * (batch["bytes"] + batch["offset"] - batch["input_ids"]))
    data[at] ^= 64
    copy.child("shards").write_bytes(name, bytes(data))
    wrong = failed(copy)["shards"]
    assert wrong[0] == f"shards/{name}: the SHA-256 is not that of the manifest"
    assert wrong[1].startswith(f"shards/{name}: record batch 0, bytes 0 to ")


def test_a_truncated_shard_is_found(copy):
    name = largest(copy)
    data = copy.child("shards").read(name)
    copy.child("shards").write_bytes(name, data[: len(data) // 2])
    wrong = failed(copy)
    assert f"expected {len(data):,}" in wrong["shards"][0]
    assert "cannot be read" in wrong["rows and spans"][0]
    assert "could not be read" in wrong["every survivor"][-1]


def test_swapped_shards_are_found(copy):
    one, other = [entry["name"] for entry in read_manifest(copy).shards if entry["split"] == "train"][:2]
    shards = copy.child("shards")
    left, right = shards.read(one), shards.read(other)
    shards.write_bytes(one, right)
    shards.write_bytes(other, left)
    wrong = failed(copy)
    assert any(f"shards/{one}: " in line for line in wrong["shards"])
    assert any("belong into another shard" in line for line in wrong["rows and spans"])


def test_missing_and_strange_shards_are_found(copy):
    name = largest(copy)
    data = copy.child("shards").read(name)
    copy.child("shards").remove([name])
    copy.child("shards").write_bytes("train-00000-of-99999.arrow", data)
    wrong = failed(copy)["shards"]
    assert wrong == (f"shards/{name}: missing", "shards/train-00000-of-99999.arrow: is not in the manifest")


@pytest.mark.parametrize(
    ("change", "check", "said"),
    [
        (lambda m: m["tokens"].update(written=1), "manifest", "tokens.written is 1, the stage"),
        (lambda m: m["tokens"].update(written=1), "tokens account", "written + dropped"),
        (lambda m: m["documents"].update(files=3), "manifest", "documents.files is 3"),
        (lambda m: m["shards"][0].update(rows=9), "rows and spans", "the manifest says 9"),
        (lambda m: m["shards"].pop(), "manifest", "shards is"),
        (lambda m: m["ledger"][0].update(sha256="0"), "manifest", "ledger[0].sha256 is 0"),
        (lambda m: m["funnel"][-1].update(files=1), "manifest", "files kept is 1"),
    ],
)
def test_an_edited_manifest_is_found(copy, change, check, said):
    edit_manifest(copy, change)
    assert any(said in line for line in failed(copy, sample=1)[check])


def test_a_changed_ledger_is_found(copy):
    name = next(name for name in copy.child("ledger").names() if name.startswith("part-"))
    path = Path(copy.child("ledger").path(name))
    table = pq.read_table(path)
    kept = pa.array([not one for one in table.column("kept").to_pylist()])
    pq.write_table(table.set_column(table.schema.get_field_index("kept"), "kept", kept), path)
    wrong = failed(copy, sample=1)
    assert wrong["other files"] == (f"ledger/{name}: is not the file that the stage wrote",)
    assert any("but in the shards" in line for line in wrong["no dropped file"])


def test_a_dropped_row_is_found_though_checksums_are_right(copy):
    name = largest(copy)
    rewrite(copy, name, lambda table: pa.concat_tables([table.slice(0, 3), table.slice(4)]))
    wrong = failed(copy, sample=None)
    assert "shards" not in wrong
    assert any("has a gap, at its token" in line for line in wrong["every survivor"])
    assert wrong["tokens account"]


def test_a_row_that_comes_twice_is_found(copy):
    rewrite(copy, largest(copy), lambda table: pa.concat_tables([table, table.slice(2, 1)]))
    assert any("is twice in the shards" in line for line in failed(copy)["every survivor"])


def test_other_tokens_are_found(copy):
    def swap(table):
        ids = np.array(table.column("input_ids").to_pylist())
        ids[1, 5:9] = ids[1, 5:9] + 1
        kind = table.schema.field("input_ids")
        values = pa.FixedSizeListArray.from_arrays(
            pa.array(ids.ravel(), kind.type.value_type), type=kind.type
        )
        return table.set_column(0, kind, values)

    rewrite(copy, largest(copy), swap)
    (line,) = failed(copy, sample=None)["texts"]
    assert "its tokens spell another text, from token" in line or "not the beginning" in line


def test_a_file_that_is_gone_is_found(copy):
    """Every piece of one document leaves: its rows say so nowhere, only the ledger does."""
    name = largest(copy)
    table = open_shard(copy.child("shards"), name).reader.read_all()
    victim = table.column("doc_ids").to_pylist()[0][0]

    def without(table):
        rows = [one for one, ids in enumerate(table.column("doc_ids").to_pylist()) if victim not in ids]
        return table.take(rows)

    rewrite(copy, name, without)
    assert any("kept, but not in the shards" in line for line in failed(copy)["every survivor"])


def test_spans_that_cannot_be_are_found(copy):
    def shift(table):
        starts = table.column("doc_starts").to_pylist()
        starts[0][0] = -4
        return table.set_column(3, table.schema.field(3), pa.array(starts, table.schema.field(3).type))

    rewrite(copy, largest(copy), shift)
    assert any("row 0: a piece from -4 to" in line for line in failed(copy)["rows and spans"])


def test_a_kept_file_with_a_benchmark_task_is_found(copy):
    leaks = copy.child("leaks")
    for name in [name for name in leaks.names() if name.startswith("part-")]:
        schema = pq.read_schema(leaks.path(name))
        ledger = pq.read_table(copy.child("ledger").path(name), columns=["kept"]).column(0).to_pylist()
        if any(ledger):
            row = {field.name: None for field in schema} | {
                "row": ledger.index(True), "suite": "humaneval", "task": "HumanEval/1", "action": "drop",
                "reached": True,
            }  # fmt: skip
            pq.write_table(pa.Table.from_pylist([row], schema), leaks.path(name))
            break
    assert any("kept with humaneval HumanEval/1 (drop)" in line for line in failed(copy)["no benchmark task"])


def test_a_copy_of_shards_alone_is_checked_as_far_as_it_goes(copy):
    for folder in ("documents", "facts", "links", "leaks", "ledger", "tokens", "tokenizer"):
        copy.child(folder).remove_tree()
    checks = {check.name: check for check in verify_dataset(copy)}
    assert all(check.passed for check in checks.values())
    assert checks["texts"].skipped == "the ledger is not here"
    assert checks["shards"].skipped == ""


def test_the_sample_is_as_large_as_asked_for(made):
    seen = []
    checks = verify_dataset(Place(str(made)), sample=3, watch=lambda *said: seen.append(said))
    said = {check.name: check.looked for check in checks}
    assert said["texts"] == "3 documents decoded and compared"
    assert said["no benchmark text"] == "3 documents searched as their tokens spell them"
    assert {what for what, _, _ in seen} == {"shards", "other files", "rows", "texts"}
    assert all(done < total for _, done, total in seen)


def test_a_place_without_a_dataset_is_refused(tmp_path):
    with pytest.raises(OutputError, match=r"no manifest\.json"):
        verify_dataset(Place(str(tmp_path)))


def test_a_manifest_without_sections_is_refused(copy):
    edit_manifest(copy, lambda manifest: manifest.pop("tokens"))
    with pytest.raises(OutputError, match="section is missing"):
        verify_dataset(copy)


def test_the_command(copy, tmp_path):
    good = command("verify", str(copy.local), "--sample", "2")
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.splitlines()[-1] == "the dataset is whole"
    copy.child("shards").remove([largest(copy)])
    bad = command("verify", str(copy.local), "--json")
    found = json.loads(bad.stdout)
    assert (bad.returncode, found["passed"]) == (1, False)
    assert next(check["name"] for check in found["checks"] if not check["passed"]) == "shards"
    none = command("verify", str(tmp_path))
    assert (none.returncode, none.stdout) == (2, "")
    assert "no manifest.json" in none.stderr
    assert command("verify", str(copy.local), "--sample", "few").returncode == 2


def test_damage_anywhere_is_found_and_nothing_raises(copy):
    """Sixty places over a whole shard, footer included: one byte flipped, or the file cut there."""
    name = largest(copy)
    good = copy.child("shards").read(name)
    dataset = Finished.open(copy)
    for at in np.linspace(0, len(good) - 1, 60).astype(int).tolist():
        flipped = bytearray(good)
        flipped[at] ^= 32
        for damaged in (bytes(flipped), good[:at]):
            copy.child("shards").write_bytes(name, damaged)
            assert not check_shards(dataset, lambda *_: None).passed
            check_rows(dataset, lambda *_: None)
