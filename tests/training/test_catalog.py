from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from columns.errors import OutputError
from columns.files import Place
from shards import Documents, Manifest, PackConfig, pack, write_shard
from training import ShardFile, shard_files


def rewrite(place: Path, change) -> None:
    manifest = json.loads((place / "manifest.json").read_text())
    change(manifest)
    (place / "manifest.json").write_text(json.dumps(manifest))


def test_lists_the_shards_of_a_split(dataset):
    assert [shard.name for shard in shard_files(dataset)] == [
        f"train-0000{i}-of-00003.arrow" for i in range(3)
    ]
    assert [shard.rows for shard in shard_files(dataset, "validation")] == [5]


@pytest.mark.parametrize("form", [str, Path, lambda p: Place(str(p)), lambda p: f"file://{p}"])
def test_a_directory_may_be_given_in_any_form(dataset, form):
    assert shard_files(form(dataset)) == shard_files(dataset)


def test_relative_paths_become_absolute_because_workers_run_elsewhere(dataset, monkeypatch):
    monkeypatch.chdir(dataset.parent)
    assert shard_files(dataset.name) == shard_files(dataset)
    listed = shard_files([f"{dataset.name}/shards/train-00001-of-00003.arrow"])
    assert [Path(shard.path).is_absolute() for shard in listed] == [True]


def test_order_is_the_manifests_not_the_directory_s(make_dataset):
    place = make_dataset()
    rewrite(place, lambda manifest: manifest["shards"].reverse())
    assert [shard.name[6:11] for shard in shard_files(place)] == ["00002", "00001", "00000"]


def test_files_the_manifest_does_not_list_are_not_read(make_dataset):
    place = make_dataset()
    (place / "shards" / "train-00003-of-00004.arrow").write_bytes(b"left over from another build")
    assert len(shard_files(place)) == 3


def test_a_list_of_files_is_taken_in_its_order(dataset):
    paths = [shard.path for shard in reversed(shard_files(dataset))]
    assert [shard.path for shard in shard_files(paths)] == paths


def test_missing_shard(make_dataset):
    place = make_dataset()
    (place / "shards" / "train-00001-of-00003.arrow").unlink()
    with pytest.raises(OutputError, match=r"train-00001-of-00003.arrow: shard is missing\nhint: "):
        shard_files(place)


def test_missing_file_in_a_list(tmp_path):
    with pytest.raises(OutputError, match="shard is missing"):
        shard_files([tmp_path / "gone.arrow"])


def test_wrong_size(make_dataset):
    place = make_dataset()
    with (place / "shards" / "train-00002-of-00003.arrow").open("ab") as file:
        file.write(b"x")
    with pytest.raises(OutputError, match=r"size expected \d+ bytes, got \d+\nhint: "):
        shard_files(place)


def test_other_splits_may_be_damaged(make_dataset):
    place = make_dataset()
    (place / "shards" / "validation-00000-of-00001.arrow").unlink()
    assert len(shard_files(place, "train")) == 3


def test_unknown_split_names_the_known_ones(dataset):
    with pytest.raises(OutputError, match="no shards of split 'test'\nhint: splits: train, validation"):
        shard_files(dataset, "test")


def test_no_manifest_means_not_finished(tmp_path):
    with pytest.raises(OutputError, match=r"no manifest\.json\nhint: not a finished dataset"):
        shard_files(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"format": "other/1"}', '{"shards": []}'])
def test_a_manifest_that_is_not_ours(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(OutputError, match=r"manifest\.json: "):
        shard_files(tmp_path)


def test_checksums(make_dataset):
    place = make_dataset()
    path = place / "shards" / "train-00000-of-00003.arrow"
    for shard in shard_files(place):
        shard.verify()
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(OutputError, match=r"checksum expected [0-9a-f]{64}, got [0-9a-f]{64}\nhint: "):
        next(shard_files(place)[0].batches(verify=True))


def test_a_file_that_is_not_arrow(tmp_path):
    (tmp_path / "a.arrow").write_bytes(b"no arrow here, but long enough")
    shard = ShardFile(Place(str(tmp_path)), "a.arrow", 30)
    with pytest.raises(OutputError, match=r"a\.arrow: not a shard"):
        list(shard.batches())
    with pytest.raises(OutputError, match=r"a\.arrow: not a shard"):
        shard.schema()


def test_batches_are_views_of_the_mapped_file(dataset):
    import pyarrow as pa

    before = pa.total_allocated_bytes()
    batches = list(shard_files(dataset)[0].batches())
    assert sum(batch.num_rows for batch in batches) == 10
    assert pa.total_allocated_bytes() == before


def test_schema_carries_the_metadata(dataset):
    said = shard_files(dataset, "validation")[0].schema().metadata
    assert said[b"thresher.split"] == b"validation"


def test_a_damaged_batch_is_named(tmp_path):
    lists = [f"{index}".encode().rjust(16) for index in range(3000)]
    documents = Documents(np.ones(30000, np.uint16), np.arange(0, 30001, 10), pa.array(lists, pa.binary(16)))
    config, place = PackConfig(seq_len=16, shard_tokens=64), Place(str(tmp_path))
    info = write_shard(
        place.child("shards"), "train-00000-of-00001.arrow", pack(documents, 0, config), config,
        tokenizer_sha256="", eot_id=0,
    )  # fmt: skip
    Manifest(shards=[info.describe()]).write(place)
    path, batch = tmp_path / "shards" / info.name, info.batches[1]
    data = bytearray(path.read_bytes())
    data[batch.n_tokens] ^= 1
    path.write_bytes(data)
    (shard,) = shard_files(tmp_path)
    said = f"record batch 1, bytes {batch.offset} to {batch.offset + batch.bytes}, is damaged"
    for look in (shard.verify, shard.check):
        with pytest.raises(OutputError, match=said):
            look()


def test_a_check_reads_record_batches_or_the_whole_file(make_dataset, make_texts, monkeypatch):
    (listed,) = shard_files(make_texts("texts", ["a = 1\n"], ["b = 2\n"]))
    listed.check()
    unlisted, *_ = shard_files(make_dataset())
    seen = []
    monkeypatch.setattr(type(listed), "verify", lambda shard: seen.append(shard.path))
    listed.check()
    unlisted.check()
    assert seen == [unlisted.path]
