"""Plan: a sample by hash, scaled; close to what the whole build then has; nothing left behind."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from rich.console import Console

from columns.files import Place
from pipelines.build import STAGES, BuildOptions
from pipelines.cli import planning
from pipelines.engine import Engine
from pipelines.finished import Finished
from pipelines.ingest import list_inputs
from pipelines.plan import Prices, plan, sampled
from pipelines.progress import Display
from pipelines.recipe import load_recipe
from sources import IngestConfig
from tests.pipelines.building import build, recipe
from tests.pipelines.corpus import corpus, write_tree

TEXT = """
extends: codex
name: small
layout: {parts: 2}
tokenizer: {vocab_size: 600, sample_bytes: 400000}
pack: {seq_len: 64, shard_tokens: 65536}
contamination: {suites: []}
dedup: {near: false}
"""


@pytest.fixture(scope="module")
def trees(tmp_path_factory) -> list[str]:
    """Eight inputs, so that there are units to choose from."""
    folder = tmp_path_factory.mktemp("plan")
    texts = list(corpus().items())
    return [str(write_tree(folder / f"t{n}", dict(texts[n::8]))) for n in range(8)]


def made(trees, tmp_path, **values):
    options = BuildOptions(tuple(trees), Place("unused"), (), STAGES)
    loaded = load_recipe(recipe(tmp_path, TEXT))
    given = {"workers": 4, "prices": Prices(2.0, 0.5, 3.0), "limit": 1} | values
    return plan(loaded, options, Engine("DirectRunner", 1), Display(Console(), quiet=True), **given)


def test_a_sample_is_chosen_by_hash_and_holds_at_least_one_unit(trees, tmp_path):
    inputs = list_inputs(trees, IngestConfig(), Place(str(tmp_path)))
    one = sampled(inputs, 1)
    assert len(one.units) == 1
    assert sampled(inputs, 1) == one
    some = sampled(inputs, inputs.total_bytes // 2)
    assert set(one.units) < set(some.units) < set(inputs.units)
    assert inputs.total_bytes // 2 <= some.total_bytes == sum(unit.bytes for unit in some.units)
    assert sampled(inputs, 1 << 60).units == inputs.units
    turned = replace(inputs, units=inputs.units[::-1])
    assert len(sampled(turned, 1).units) == 1


def test_a_plan_of_everything_is_the_build(trees, tmp_path):
    found = made(trees, tmp_path, limit=1 << 40)
    out = Finished.open(build(tmp_path, tmp_path / "out", trees, text=TEXT))
    assert found.factor == 1
    assert found.whole["files"] == out.section("documents", "files")
    assert found.whole["kept_files"] == out.section("tokens", "documents")
    assert found.whole["tokens"] == out.section("tokens", "produced")
    shards = out.place.child("shards")
    written = sum(shards.size(name) for name in shards.names())
    assert abs(found.whole["shards_bytes"] - written) < 100  # the commit holds seconds, whose digits vary
    read = out.section("documents", "bytes")
    assert (
        read < found.whole["shuffle_bytes"] < 4 * read
    )  # texts with their columns, and the tokenizer's sample
    assert sum(one.shuffled for one in found.stages) == found.whole["shuffle_bytes"]
    assert [one.stage for one in found.stages] == [
        "ingest", "measure", "link", "decide", "tokenizer", "tokens", "shards"
    ]  # fmt: skip


def test_a_sample_is_scaled_by_listed_bytes(trees, tmp_path):
    found = made(trees, tmp_path)
    assert found.factor == found.listed_bytes / found.sample_bytes
    assert found.factor > 2
    for name in ("files", "tokens", "documents_bytes"):
        assert found.whole[name] == pytest.approx(found.sample[name] * found.factor)
    shuffled = found.sample["shuffle_bytes"]
    assert (
        shuffled < found.whole["shuffle_bytes"] < shuffled * found.factor
    )  # the tokenizer's sample does not grow
    assert 0 < found.whole["cpu_seconds"] < found.sample["cpu_seconds"] * found.factor
    assert found.hours == pytest.approx(found.whole["cpu_seconds"] / 3600 / 4)


def test_the_price_is_of_cores_memory_and_shuffle():
    assert Prices().of(1e6, 1e15) == 0
    assert Prices(2.0).of(3, 1e12) == 6
    assert Prices(memory_gb_hour=0.5, memory_gb=4).of(3, 0) == 6
    assert Prices(shuffle_gb=0.01).of(3, 5e9) == pytest.approx(0.05)


def test_nothing_is_left_behind(trees, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "recipe").mkdir()
    made(trees, tmp_path / "recipe")
    assert [path.name for path in Path(tmp_path).iterdir()] == ["recipe"]


def test_a_plan_promises_nothing_about_a_dataset_that_nobody_gets(trees, tmp_path, capsys):
    made(trees, tmp_path)
    loaded = load_recipe(recipe(tmp_path, TEXT.replace("dedup: {near: false}", "")))
    options, display = (
        BuildOptions(tuple(trees), Place("unused"), (), STAGES),
        Display(Console(), quiet=False),
    )
    found = plan(loaded, options, Engine("DirectRunner", 1), display, workers=1, prices=Prices(), limit=1)
    said = capsys.readouterr().out
    assert "ingest" in said
    assert "pairs" not in said
    assert found.to_dict()["sources"] == []


def test_the_command_prints_what_to_expect(trees, tmp_path, capsys):
    planning.plan(recipe(tmp_path, TEXT), trees, workers=2, price_core_hour=1.0)
    said = capsys.readouterr().out
    for word in (
        "files", "tokens, at most", "core hours", "on 2 cores", "price:", "on Dataflow, 8 machines of 4 cores",
        "total", "prices: Dataflow", "not checked: compare with the source",
    ):  # fmt: skip
        assert word in said
    planning.plan(recipe(tmp_path, TEXT), trees, as_json=True)
    found = orjson.loads(capsys.readouterr().out)
    assert found["whole"]["files"] > 10
    assert {one["stage"] for one in found["stages"]} >= {"ingest", "measure", "link", "shards"}
    assert found["prices"]["checked"] is False


def test_more_than_the_least_is_sampled_of_large_inputs(trees, tmp_path):
    some = made(trees, tmp_path, share=0.5)
    assert some.listed_bytes / 2 <= some.sample_bytes < some.listed_bytes


def test_prices_of_ones_own_are_used(trees, tmp_path, capsys):
    mine = tmp_path / "ours.yaml"
    mine.write_text("{vcpu_hour: 1.0, memory_gb_hour: 0, shuffle_gb: 0, disk_gb_hour: 0, service: ours}")
    planning.plan(
        recipe(tmp_path, TEXT), trees, prices=str(mine), machines=1, machine_cores=1, start_seconds=0.0, as_json=True
    )  # fmt: skip
    found = orjson.loads(capsys.readouterr().out)
    assert sum(one["price"] for one in found["stages"]) == pytest.approx(
        found["whole"]["cpu_seconds"] / 3600, rel=0.01
    )
    assert found["prices"]["checked"] is True
