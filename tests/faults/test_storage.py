"""A store that answers 429 and 503, breaks off, gives less than asked: the same bytes, or one line, no half files."""

from __future__ import annotations

import pytest
from rich.console import Console

from columns.errors import EnvironmentProblem
from columns.files import TEMPORARY, Place
from pipelines.build import Build, BuildOptions
from pipelines.engine import Engine
from pipelines.progress import Display
from pipelines.recipe import load_recipe
from tests.faults.store import OTHERS, READS, WRITES, faulty_store, none, seeded
from tests.pipelines.building import RECIPE, assert_same, build, recipe, result_bytes
from tests.pipelines.corpus import corpus, write_jsonl, write_parquet

pytestmark = pytest.mark.slow

FEW = RECIPE.replace("parts: 4", "parts: 2")


@pytest.fixture(scope="module")
def store():
    with faulty_store() as found:
        yield found


@pytest.fixture(autouse=True)
def calm(store):
    store.plan = none
    store.seen.clear()
    yield
    store.plan = none


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("storage")


@pytest.fixture(scope="module")
def inputs(folder, store):
    files = list(corpus().items())[::6]
    write_parquet(folder / "in" / "a.parquet", dict(files[::2]))
    write_jsonl(folder / "in" / "b.jsonl.gz", dict(files[1::2]))
    there = Place("gs://mine/in")
    for name in ("a.parquet", "b.jsonl.gz"):
        there.write_bytes(name, (folder / "in" / name).read_bytes())
    return ["gs://mine/in/a.parquet", "gs://mine/in/b.jsonl.gz"]


@pytest.fixture(scope="module")
def undisturbed(folder, store, inputs):
    return build(folder, "gs://mine/undisturbed", inputs, text=FEW)


@pytest.mark.long
@pytest.mark.parametrize("seed", [1])
def test_a_build_on_a_bad_store_has_the_same_bytes(seed, folder, store, inputs, undisturbed):
    store.plan = seeded(seed, 0.08)
    place = build(folder, f"gs://mine/seed-{seed}", inputs, text=FEW)
    store.plan = none
    assert_same(place, undisturbed)
    assert not [name for name in result_bytes(place) if TEMPORARY in name]
    assert set(store.seen) - {""} >= {"429", "503", "reset", "lost"}


@pytest.mark.long
@pytest.mark.parametrize("kind", ["503", "truncated"])
def test_a_store_that_stays_bad_is_one_line_and_the_same_command_goes_on(
    kind, folder, store, inputs, undisturbed
):
    place = Place(f"gs://mine/fails-{kind}")
    store.plan = lambda method, path: kind if "facts" in path and media(path, kind) else ""
    with pytest.raises(EnvironmentProblem) as said:
        build(folder, place.url, inputs, text=FEW)
    assert "facts" in said.value.what
    assert "the storage failed 6 times" in said.value.what
    assert "\n" not in said.value.what
    assert "run the same command again" in str(said.value.hint)
    store.plan = none
    assert not place.exists("manifest.json")
    assert_same(build(folder, place.url, inputs, text=FEW), undisturbed)


def media(path: str, kind: str) -> bool:
    return "alt=media" in path or kind not in ("short", "truncated")


@pytest.mark.long
@pytest.mark.parametrize("kind", ["reset", "short", "timeout"])
def test_an_input_that_cannot_be_read_now_is_not_taken_for_a_damaged_one(kind, folder, store, inputs):
    store.plan = lambda method, path: kind if "b.jsonl" in path and "alt=media" in path else ""
    with pytest.raises(EnvironmentProblem, match=r"b\.jsonl\.gz: the storage failed 6 times"):
        build(folder, f"gs://mine/input-{kind}", inputs, text=FEW)


def test_an_input_folder_that_cannot_be_listed_now_is_not_taken_for_an_absent_one(folder, store, inputs):
    store.plan = lambda method, path: "503" if "/o" in path else ""
    options = BuildOptions(("parquet:gs://mine/in",), Place(str(folder / "unlisted")))
    with pytest.raises(EnvironmentProblem, match="the storage failed 6 times"):
        Build(
            load_recipe(recipe(folder, FEW)), options, Engine(workers=1), Display(Console(), quiet=True)
        ).run()


@pytest.mark.parametrize("kind", sorted({*READS, *WRITES, *OTHERS}))
@pytest.mark.parametrize("size", [10, 700_000])
def test_every_fault_once_on_every_request(kind, size, store):
    place, data = Place(f"gs://mine/each-{kind}-{size}"), bytes(range(256)) * (size // 256 + 1)
    met: set[tuple[str, str]] = set()

    def once(method: str, path: str) -> str:
        if (method, path.partition("?")[0]) in met:
            return ""
        met.add((method, path.partition("?")[0]))
        return kind

    store.plan = once
    place.write_bytes("f", data)
    assert place.names() == ["f"]
    assert place.size("f") == len(data)
    assert place.read("f") == data
    assert place.open("f").read(100) == data[:100]
    place.child("other").link(["f"], place)
    assert place.child("other").read("f") == data
    assert place.create("g", b"mine")
    assert not place.create("g", b"yours")
    place.remove(["g"])
    assert not place.exists("g")
    place.child("other").remove_tree()
    assert place.names() == ["f"]


def test_what_is_not_there_or_forbidden_is_not_tried_again(store):
    before = store.requests
    with pytest.raises(FileNotFoundError):
        Place("gs://mine/nothing").read("f")
    assert store.requests - before < 12


def test_every_try_is_said_in_a_line(store, caplog):
    store.plan = lambda method, path: "short" if "alt=media" in path and store.seen["short"] < 2 else ""
    place = Place("gs://mine/said")
    place.write_bytes("f", b"0123456789")
    assert place.read("f") == b"0123456789"
    said = [record.getMessage() for record in caplog.records if record.name == "thresher.storage"]
    assert said == [
        "mine/said/f: 5 bytes of 10 at 0; try 2 of 6 in 0.001 s",
        "mine/said/f: 5 bytes of 10 at 0; try 3 of 6 in 0.002 s",
    ]
