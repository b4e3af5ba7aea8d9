"""Exports of transformed documents: joined repositories stay whole, and what shards note goes along where it can."""

from __future__ import annotations

import json
import tarfile
from collections import defaultdict
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from columns.files import Place
from pipelines.exporting import export, import_tokens
from pipelines.verification import verify_dataset
from shards import PackConfig, ShardSet, load_tokenizer
from shards.exports import FORMATS
from shards.exports.reading import read_megatron
from tests.pipelines.building import build
from tests.pipelines.corpus import write_tree
from tests.pipelines.test_shard import FILES
from tests.pipelines.test_verifying_transforms import KEEP_ALL, PREFIX, TOKENIZER

NOTES = ["doc_forms", "doc_cuts", "doc_prefixes", "doc_lengths", "doc_firsts", "doc_befores"]
TRANSFORMS = f"infill: {{rate: 0.9}}, {PREFIX}, repository: {{join: true, token: <file_sep>}}"
PACKS = {
    "best_fit": "seq_len: 256, method: best_fit", "pool": "seq_len: 1000, tail: pool",
    "drop": "seq_len: 256, tail: drop",
    "single": "seq_len: 900, method: single, overlong: truncate",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Six repositories of unequal size."""
    folder, names = tmp_path_factory.mktemp("export-transforms"), list(FILES)
    for number in range(6):
        mine = names[number * number : (number + 1) ** 2]
        write_tree(folder / f"repo{number}", {name: FILES[name] for name in mine})
    return folder


def a_dataset(folder: Path, name: str) -> Place:
    out = folder / f"out-{name}"
    if not (out / "manifest.json").exists():
        pack = f"pack: {{shard_tokens: 8192, validation_fraction: 0.0, {PACKS[name]}}}\n"
        text = f"{KEEP_ALL}{TOKENIZER}{pack}transforms: {{{TRANSFORMS}}}\n"
        build(folder, out, [folder / f"repo{number}" for number in range(6)], text=text)
    return Place(str(out))


def repositories(place: Place) -> dict[bytes, list[int]]:
    """The ids of each repository, file by file in the order that the shards say: put together without `joined`."""
    files = defaultdict(dict)
    for document in ShardSet(place.url).documents():
        notes = document.notes
        files[notes["doc_firsts"]][notes["doc_befores"]] = document.ids.tolist()
    return {
        first: [*chain.from_iterable(found[at] for at in sorted(found))] for first, found in files.items()
    }


@pytest.mark.parametrize("pack", PACKS)
def test_joined_documents_are_the_files_of_repositories(folder, pack):
    place = a_dataset(folder, pack)
    wanted = repositories(place)
    found = {one.doc_id: one.ids.tolist() for one in ShardSet(place.url).documents(joined=True)}
    assert found == wanted
    eot = load_tokenizer(place.child("tokenizer")).eot_id
    for one in ShardSet(place.url).documents(joined=True):
        assert (one.ids == eot).sum() == int(one.complete)
    assert pack in ("drop", "single") or all(
        one.complete for one in ShardSet(place.url).documents(joined=True)
    )


@pytest.mark.parametrize("pack", PACKS)
def test_nothing_runs_into_another_repository(folder, tmp_path, pack):
    """nanoGPT's file knows documents by the end of text alone: between two ends stands one repository."""
    place = a_dataset(folder, pack)
    export(place, "bin", Place(str(tmp_path)))
    about = json.loads((tmp_path / "train.json").read_text())
    ids = np.fromfile(tmp_path / "train.bin", np.uint16)
    ends = np.flatnonzero(ids == about["eot"])
    found = [part.tolist() for part in np.split(ids, ends + 1)[:-1]]
    wanted = [
        one if one[-1] == about["eot"] else [*one, about["eot"]] for one in repositories(place).values()
    ]
    assert sorted(found) == sorted(wanted)
    assert ends[-1] + 1 == len(ids) == about["tokens"]


def test_a_sequence_of_megatron_is_a_repository_and_an_import_keeps_it(folder, tmp_path):
    place = a_dataset(folder, "best_fit")
    tokenizer = load_tokenizer(place.child("tokenizer"))
    found = export(place, "megatron", Place(str(tmp_path / "m")))
    read = read_megatron(str(tmp_path / "m" / "train"), tokenizer.eot_id)
    wanted = repositories(place)
    assert found["train"].samples == len(read.doc_ids) == len(wanted)
    config = PackConfig(seq_len=512, shard_tokens=8192, tail="pad", validation_fraction=0.0)
    back = Place(str(tmp_path / "back"))
    import_tokens(str(tmp_path / "m" / "train"), "megatron", back, config,
                  eot_id=tokenizer.eot_id, vocab_size=tokenizer.vocab_size)  # fmt: skip
    assert sorted(one.ids.tolist() for one in ShardSet(back.url).documents()) == sorted(wanted.values())
    assert all(check.passed for check in verify_dataset(back))


@pytest.mark.parametrize("name", sorted(FORMATS))
@pytest.mark.parametrize("pack", ["best_fit", "pool"])
def test_every_format_holds_every_token(folder, tmp_path, name, pack):
    place = a_dataset(folder, pack)
    found = export(place, name, Place(str(tmp_path)))
    assert (
        sum(one.tokens for one in found.values())
        == json.loads(place.read("manifest.json"))["tokens"]["written"]
    )
    assert "Documents were transformed on their way into rows" in (tmp_path / "README.md").read_text()


def test_hugging_faces_features_are_its_columns(folder, tmp_path):
    place = a_dataset(folder, "best_fit")
    found = export(place, "huggingface", Place(str(tmp_path)))
    features = json.loads((tmp_path / "train" / "dataset_info.json").read_text())["features"]
    files = [name for name in found["train"].files if name.endswith(".arrow")]
    tables = [pa.ipc.open_stream((tmp_path / name).read_bytes()).read_all() for name in files]
    names = ["input_ids", "n_tokens", "doc_ids", "doc_starts", "doc_offsets", *NOTES]
    assert tables[0].schema.names == names
    assert sorted(features) == sorted(names)
    assert features["doc_cuts"]["feature"] == {
        "feature": {"dtype": "int64", "_type": "Value"},
        "length": 2,
        "_type": "List",
    }
    said = [one for table in tables for row in table.column("doc_firsts").to_pylist() for one in row]
    known = [one.hex() for shard in ShardSet(place.url).shards
             for batch in shard.batches for row in batch.column("doc_firsts").to_pylist() for one in row]  # fmt: skip
    assert said == known


def test_hugging_faces_library_reads_them(folder, tmp_path):
    datasets = pytest.importorskip("datasets")
    place = a_dataset(folder, "best_fit")
    export(place, "huggingface", Place(str(tmp_path)))
    rows = datasets.load_from_disk(str(tmp_path))["train"]
    assert rows.num_rows == ShardSet(place.url).rows()
    assert {*NOTES} < {*rows.column_names}
    assert len(rows[0]["doc_cuts"][0]) == 2


def test_samples_of_webdataset_say_what_was_done(folder, tmp_path):
    place = a_dataset(folder, "best_fit")
    export(place, "webdataset", Place(str(tmp_path)))
    (row,) = ShardSet(place.url).shards[0].batches[0].slice(0, 1).to_pylist()
    with tarfile.open(tmp_path / "train-000000.tar") as archive:
        said = json.load(archive.extractfile("train-000000-00000000.json"))
    assert [one["form"] for one in said["documents"]] == row["doc_forms"]
    assert [one["cuts"] for one in said["documents"]] == row["doc_cuts"]
    assert [one["first"] for one in said["documents"]] == [one.hex() for one in row["doc_firsts"]]
    assert {*said["documents"][0]} == {
        "id", "start", "offset", "form", "cuts", "prefix", "length", "first", "before",
    }  # fmt: skip


@pytest.mark.parametrize("pack", PACKS)
def test_the_archive_holds_files_with_their_notes(folder, tmp_path, pack):
    place = a_dataset(folder, pack)
    export(place, "ragged", Place(str(tmp_path)))
    table = pa.ipc.open_file(tmp_path / "train.ragged.arrow").read_all()
    assert table.schema.names == ["doc_id", "ids", "complete", *NOTES]
    wanted = {
        one.doc_id: (one.ids.tolist(), one.complete, one.notes) for one in ShardSet(place.url).documents()
    }
    assert table.num_rows == len(wanted)
    for row in table.to_pylist():
        ids, complete, notes = wanted[row["doc_id"]]
        assert (row["ids"], row["complete"]) == (ids, complete)
        assert {name: row[name] for name in NOTES} == notes
        assert not complete or len(ids) == notes["doc_lengths"]
