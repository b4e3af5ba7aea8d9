"""Export and import as users see them: each format from one dataset, a card beside it, and clear refusals."""

from __future__ import annotations

import json

import numpy as np
import pytest

from columns.errors import InputError, OutputError, RecipeError
from columns.files import Place
from pipelines.exporting import README, SOURCE, export, import_tokens, keep_exports
from pipelines.recipe import load_recipe
from shards import PackConfig, ShardSet
from shards.exports import FORMATS
from tests.pipelines.building import RECIPE, build, command, recipe


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    folder = tmp_path_factory.mktemp("export")
    (folder / "src").mkdir()
    for number in range(30):
        code = "\n".join(
            f"def f{number}_{index}(x):\n    return x * {index + number}\n" for index in range(20)
        )
        (folder / "src" / f"f{number}.py").write_text(code)
    return build(folder, folder / "out", [folder / "src"])


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_format_holds_every_token(place, tmp_path, name):
    found = export(place, name, Place(str(tmp_path / name)))
    written = json.loads(place.read("manifest.json"))["tokens"]["written"]
    assert sum(one.tokens for one in found.values()) == written
    assert (tmp_path / name / README).is_file()
    assert all((tmp_path / name / file).is_file() for one in found.values() for file in one.files)


def test_the_card_of_hugging_face_names_its_files(place, tmp_path):
    found = export(place, "huggingface", Place(str(tmp_path)))
    text = (tmp_path / README).read_text()
    assert text.startswith("---\nconfigs:\n- config_name: default\n")
    assert all(f"path: {split}/data-*.arrow" in text for split in found)
    assert "## What was left out" in text


def test_there_and_back(place, tmp_path):
    export(place, "megatron", Place(str(tmp_path / "m")))
    tokenizer = json.loads(place.read("manifest.json"))["tokenizer"]
    config = PackConfig(seq_len=256, shard_tokens=65536, tail="pad", validation_fraction=0.0)
    back = Place(str(tmp_path / "back"))
    import_tokens(str(tmp_path / "m" / "train.bin"), "megatron", back, config,
                  eot_id=tokenizer["eot"], vocab_size=tokenizer["vocab_size"])  # fmt: skip
    whole = [one.ids.tolist() for one in ShardSet(str(place.local), "train").documents() if one.complete]
    again = [one.ids.tolist() for one in ShardSet(str(back.local), "train").documents()]
    assert [ids for ids in whole if ids not in again] == []


def test_an_export_of_an_import_has_a_small_card(tmp_path):
    (tmp_path / "x.bin").write_bytes(np.array([5, 6, 0, 7, 0], np.uint16).tobytes())
    config = PackConfig(seq_len=4, shard_tokens=4, tail="pad", validation_fraction=0.0)
    back = Place(str(tmp_path / "back"))
    import_tokens(str(tmp_path / "x.bin"), "bin", back, config, eot_id=0, vocab_size=9)
    assert export(back, "bin", Place(str(tmp_path / "out")))["train"].tokens == 5
    assert sorted((tmp_path / "out" / "train.bin").read_bytes()) == sorted((tmp_path / "x.bin").read_bytes())


def test_a_recipe_keeps_exports_beside_its_shards(place, tmp_path):
    source = [place.local.parent / "src"]
    text = RECIPE + "exports: [bin, tfrecord]\n"
    out = build(tmp_path, tmp_path / "out", source, text=text)
    export(out, "tfrecord", Place(str(tmp_path / "asked")))
    kept, asked = tmp_path / "out/exports/tfrecord", tmp_path / "asked"
    assert {one.name: one.read_bytes() for one in asked.iterdir()} == {
        one.name: one.read_bytes() for one in kept.iterdir() if one.name != SOURCE
    }
    assert keep_exports(out, ("bin", "tfrecord")) == []
    (kept / SOURCE).write_bytes(b'{"shards": "of another build"}')
    assert keep_exports(out, ("bin", "tfrecord")) == ["tfrecord"]
    build(tmp_path, tmp_path / "out", source, text=RECIPE + "exports: [bin]\n")
    assert not kept.exists()
    assert (tmp_path / "out/exports/bin/train.bin").is_file()


def test_a_recipe_cannot_ask_for_an_unknown_export(tmp_path):
    with pytest.raises(RecipeError, match="exports: no format 'tfrecords'; formats: bin"):
        load_recipe(recipe(tmp_path, RECIPE + "exports: [tfrecords]\n"))


def test_refusals(place, tmp_path):
    with pytest.raises(InputError, match="no format parquet"):
        export(place, "parquet", Place(str(tmp_path)))
    with pytest.raises(OutputError, match=r"no manifest\.json"):
        export(Place(str(tmp_path)), "bin", Place(str(tmp_path / "out")))
    with pytest.raises(InputError, match="no format ragged to import"):
        import_tokens("x", "ragged", Place(str(tmp_path)), PackConfig(), eot_id=0, vocab_size=1)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    for refused in (
        lambda at: export(place, "bin", at),
        lambda at: import_tokens("x", "bin", at, PackConfig(), eot_id=0, vocab_size=1),
    ):
        with pytest.raises(OutputError, match="not empty"):
            refused(Place(str(tmp_path / "full")))


def test_the_commands(place, tmp_path):
    done = command("export", str(place.local), "--format", "bin", "--output", str(tmp_path / "bin"), "--json")
    found = json.loads(done.stdout)
    eot = str(json.loads((tmp_path / "bin" / "train.json").read_text())["eot"])
    options = ("--format", "bin", "--eot", eot, "--vocab-size", "1024", "--seq-len", "64")
    back = command(
        "import", str(tmp_path / "bin" / "train.bin"), *options, "--output", str(tmp_path / "back")
    )
    assert (back.returncode, back.stderr) == (0, "")
    assert f"{found['train']['samples']:,} documents" in back.stdout
    assert command("verify", str(tmp_path / "back")).returncode == 0
    bad = command("export", str(place.local), "--format", "zip", "--output", str(tmp_path / "zip"))
    assert (bad.returncode, "formats: bin, huggingface" in bad.stderr) == (2, True)
