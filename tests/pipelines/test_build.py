"""The whole job: what it decides, and that nothing but input and recipe changes a byte."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from columns.files import Place
from columns.tables import read_whole
from pipelines.build import STAGES
from shards import ShardSet
from tests.pipelines.building import RECIPE, assert_same, build
from tests.pipelines.corpus import corpus, special, write_jsonl, write_parquet, write_tree


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("build")


@pytest.fixture(scope="module")
def tree(folder):
    return write_tree(folder / "corpus", corpus())


@pytest.fixture(scope="module")
def built(folder, tree):
    return build(folder, folder / "one", [tree])


def ledger(place: Place) -> dict[str, dict]:
    names = [name for name in place.child("ledger").names() if name.endswith(".parquet")]
    rows = [row for name in names for row in read_whole(place.child("ledger"), name).to_pylist()]
    return {row["path"]: row for row in rows}


def manifest(place: Place) -> dict:
    return json.loads(place.read("manifest.json"))


def test_every_file_has_a_row_and_every_rule_catches_its_file(built):
    rows = ledger(built)
    assert set(rows) == set(corpus())
    for path in special():
        assert rows[path]["rule"] == path.removeprefix("drop/").removesuffix(".py")
        assert not rows[path]["kept"]
    assert rows["drop/contaminated.py"]["tasks"] == ["humaneval/HumanEval/4"]


def test_duplicates_name_a_kept_file_and_their_similarity(built):
    rows = ledger(built)
    by_id = {row["doc_id"]: row for row in rows.values()}
    copies = [row for row in rows.values() if row["rule"] in {"exact_duplicate", "near_duplicate"}]
    assert len(copies) >= 15
    for row in copies:
        keeper = by_id[row["keeper"]]
        assert keeper["kept"] or row["rule"] == "exact_duplicate"
        assert row["similarity"] >= (0.7 if row["rule"] == "near_duplicate" else 1.0)
    for path in (f"copies/exact_{n}.py" for n in range(10)):
        twin = [row for row in rows.values() if row["content_hash"] == rows[path]["content_hash"]]
        assert sum(row["rule"] != "exact_duplicate" for row in twin) == 1


def test_the_funnel_adds_up(built):
    funnel = manifest(built)["funnel"]
    rows = ledger(built)
    assert funnel[0]["files"] == len(rows)
    assert funnel[-1]["files"] == sum(row["kept"] for row in rows.values())
    for before, after in zip(funnel, funnel[1:], strict=False):
        assert before["files"] - after["removed_files"] == after["files"]
        assert before["bytes"] - after["removed_bytes"] == after["bytes"]


def test_every_token_is_accounted_for(built):
    tokens = manifest(built)["tokens"]
    assert tokens["produced"] == tokens["written"] + sum(tokens["dropped"].values())
    assert tokens["produced"] == sum(tokens["by_split"].values()) == sum(tokens["by_language"].values())
    shards = ShardSet(built.url)
    assert sum(info["tokens"] for info in manifest(built)["shards"]) == tokens["written"]
    assert [shard.name for shard in shards.shards] == [info["name"] for info in manifest(built)["shards"]]


def test_the_tokens_of_a_kept_file_are_its_text(built, tree):
    from shards import load_tokenizer

    tokenizer, rows = load_tokenizer(built.child("tokenizer")), ledger(built)
    texts = {row["doc_id"]: (tree / path).read_text("utf-8") for path, row in rows.items() if row["kept"]}
    whole = 0
    for document in ShardSet(built.url).documents():
        text = tokenizer.decode([token for token in document.ids.tolist() if token != tokenizer.eot_id])
        assert texts[document.doc_id].startswith(text)
        whole += texts[document.doc_id] == text
    assert whole > 0.8 * len(texts)


def test_no_scratch_is_left(built):
    assert [path for path in built.local.rglob("*") if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    "how",
    [
        {"workers": 2},
        pytest.param({"workers": 2, "mode": "processes"}, marks=pytest.mark.slow),
        pytest.param({"batch_bytes": 1 << 16}, marks=pytest.mark.slow),
        pytest.param({"batch_bytes": 16 << 20}, marks=pytest.mark.slow),
        pytest.param({"flags": ("--direct_runner_bundle_repeat=1",)}, marks=pytest.mark.slow),
    ],
    ids=["threads", "processes", "small-batches", "large-batches", "replayed-bundles"],
)
def test_the_engine_never_changes_a_byte(how, built, folder, tree, tmp_path):
    assert_same(build(folder, tmp_path / "other", [tree], **how), built)


@pytest.mark.slow
def test_the_order_of_inputs_and_rows_never_changes_a_byte(folder, tmp_path):
    files = corpus()
    half = dict(list(files.items())[::2])
    one, two = tmp_path / "one", tmp_path / "two"
    for place, reverse in ((one, False), (two, True)):
        write_parquet(place / "a.parquet", files, reverse=reverse)
        write_jsonl(place / "b.jsonl.gz", dict(sorted(half.items(), reverse=reverse)))
    pinned = RECIPE.replace("parts: 4", "parts: 6")
    first = build(folder, one / "out", [one / "a.parquet", one / "b.jsonl.gz"], text=pinned)
    second = build(folder, two / "out", [two / "b.jsonl.gz", two / "a.parquet"], text=pinned)
    assert_same(first, second, but=("documents", "manifest.json", "report.html"))
    left, right = manifest(first), manifest(second)
    for name in ("funnel", "shards", "ledger", "tokens", "dedup", "contamination", "tokenizer"):
        assert left[name] == right[name], name


@pytest.mark.slow
def test_the_order_of_inputs_never_changes_a_byte(folder, tree, tmp_path):
    other = write_tree(tmp_path / "other", dict(list(corpus().items())[::3]))
    first = build(folder, tmp_path / "one", [tree, other])
    second = build(folder, tmp_path / "two", [other, tree, tree])
    assert_same(first, second)


@pytest.mark.slow
def test_finished_stages_are_not_done_again_and_a_threshold_costs_decisions_only(folder, tree, tmp_path):
    place = build(folder, tmp_path / "out", [tree])
    before = {
        name: place.child(name).read("_stage.json") for name in ("documents", "facts", "links", "ledger")
    }
    stamps = {name: (tmp_path / "out" / name / "_stage.json").stat().st_mtime_ns for name in before}
    build(folder, tmp_path / "out", [tree], text=RECIPE + "filters: {values: {line_max: 900}}\n")
    for name in ("documents", "facts", "links"):
        assert (tmp_path / "out" / name / "_stage.json").stat().st_mtime_ns == stamps[name]
    assert (tmp_path / "out" / "ledger" / "_stage.json").stat().st_mtime_ns != stamps["ledger"]
    fresh = build(folder, tmp_path / "fresh", [tree], text=RECIPE + "filters: {values: {line_max: 900}}\n")
    assert_same(place, fresh)


def test_a_changed_input_is_seen(folder, tmp_path):
    tree = write_tree(tmp_path / "corpus", dict(list(corpus().items())[:30]))
    place = build(folder, tmp_path / "out", [tree])
    write_tree(tree, {"new.py": "print('a new file that was not there before')\n" * 5})
    build(folder, tmp_path / "out", [tree])
    assert ledger(place)["new.py"]["kept"]
    assert_same(place, build(folder, tmp_path / "fresh", [tree]))


@pytest.mark.slow
def test_stages_one_by_one_give_the_same(folder, tree, built, tmp_path):
    for stage in STAGES:
        build(folder, tmp_path / "out", [tree], stages=(stage,))
    build(folder, tmp_path / "out", [tree])
    assert_same(Place(str(tmp_path / "out")), built)


def test_another_filesystem_gives_the_same(folder, tree, built):
    place = build(folder, "memory://build/set", [tree])
    assert_same(place, built)
    place.remove_tree()


def test_the_github_columns_reach_the_documents(folder, tmp_path):
    path = write_parquet(tmp_path / "in.parquet", dict(list(corpus().items())[:5]))
    place = build(folder, tmp_path / "out", [path])
    documents = [
        pq.read_table(tmp_path / "out" / "documents" / n)
        for n in place.child("documents").names()
        if "part" in n
    ]
    table = pa.concat_tables(documents)
    assert set(table.column("repo").to_pylist()) == {"made/corpus"}
    assert set(table.column("license").to_pylist()) == {"mit"}
    assert set(table.column("source").to_pylist()) == {"parquet"}
