"""Against a known corpus: every file that it has is found, named, and found again however things are cut."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import orjson
import pyarrow as pa
import pytest
from rich.console import Console
from typer.testing import CliRunner

from columns.errors import EnvironmentProblem, InputError, OutputError, RecipeError
from columns.files import Place
from columns.hashing import content_hashes, doc_id
from columns.tables import read_whole, write_arrow, write_table
from columns.testing import documents
from dedup import BandConfig, MinHashConfig, estimate, signature_matrix, signatures
from dedup.index import DESCRIPTION, ENTRY, TABLES, open_index
from pipelines.against import against, against_stage, open_known
from pipelines.build import Build, BuildOptions
from pipelines.cli import app
from pipelines.dataset import Dataset, Names
from pipelines.engine import Engine
from pipelines.finished import FORMAT, Finished
from pipelines.guard import GuardConfig
from pipelines.indexing import make_index
from pipelines.matches import (
    EXACT,
    KNOWN,
    MATCH,
    NEAR,
    UNVERIFIED,
    aligned,
    already_have,
    best_matches,
    match_text,
)
from pipelines.progress import Display
from pipelines.recipe import load_recipe
from pipelines.sampling import draw
from pipelines.stage import COMMIT, Stage, UnitRecord
from pipelines.story import tell
from pipelines.whatif import what_if
from tests.pipelines.building import build, recipe
from tests.pipelines.corpus import near_copy, sources, write_tree
from tests.pipelines.redisserver import server

MINHASH = MinHashConfig(num_perm=64)
BANDS = BandConfig(bands=16, rows=4, threshold=0.6)
FACTS = pa.schema([("content_hash", pa.binary(32)), ("doc_id", pa.binary(16))])


def text(family: int, changed: int = 0) -> str:
    words = [f"w{family}_{at}" for at in range(80)]
    for at in random.Random(family * 100 + changed).sample(range(80), changed):
        words[at] = f"other_{family}_{changed}_{at}"
    return " ".join(words)


def table(texts: dict[str, str | None], repo: str = "old/repo") -> pa.RecordBatch:
    return documents(list(texts.values()), list(texts), repo)


def dataset(
    folder, batch: pa.RecordBatch, parts: int = 3, kept=None, minhash: MinHashConfig = MINHASH
) -> Dataset:
    """What a finished build leaves for these steps: facts, signatures, the ledger and the manifest."""
    found, names = Dataset(Place(str(folder))), Names(parts)
    stage = Stage("ingest", found.documents, "d", parts)
    stage.begin()
    number = np.array([identity[0] % parts for identity in batch.column("doc_id").to_pylist()])
    keep = np.ones(batch.num_rows, np.bool_) if kept is None else np.array(kept)
    for part in range(parts):
        at = np.flatnonzero(number == part)
        rows = batch.take(pa.array(at, pa.int64()))
        write_table(found.facts, names.part(part), [rows.select(FACTS.names)], FACTS)
        sketch = pa.RecordBatch.from_arrays([signatures(rows.column("content"), minhash)], ["signature"])
        write_arrow(found.facts, names.signatures(part), [sketch], sketch.schema)
        ledger = rows.select(ENTRY.names).append_column("kept", pa.array(keep[at]))
        write_table(found.ledger, names.part(part), [ledger], ledger.schema)
        found.documents.write_bytes(names.part(part), b"")
        stage.record(part, UnitRecord((names.part(part),), {}, {}))
    stage.commit()
    section = {"minhash": dataclasses.asdict(minhash), "bands": dataclasses.asdict(BANDS)}
    digest = f"{sorted(batch.column('doc_id').to_pylist())}{keep.tolist()}"
    manifest = {
        "format": FORMAT,
        "recipe": {"name": "made", "dedup": section},
        "fingerprints": {"ledger": digest},
    }
    found.place.write_bytes("manifest.json", orjson.dumps(manifest))
    return found


def index_of(folder, texts: dict[str, str | None], parts: int = 2, **options) -> Place:
    made = dataset(folder / "known-dataset", table(texts), parts, options.pop("kept", None))
    target = Place(str(folder / "known"))
    make_index(Engine(workers=1), made.place, target, **options)
    return target


def matched(mine: Dataset, *urls: str, bands: BandConfig = BANDS, near: bool = True, workers: int = 1):
    """Matches of all parts by the path of the file, and what the stage counted."""
    config = open_known(urls, MINHASH, bands, near=near)
    stage = against_stage(mine, config, "up")
    commit = against(Engine(workers=workers), mine, stage, config)
    names, found = Names(mine.parts()), {}
    for part in range(names.count):
        paths = read_whole(mine.ledger, names.part(part), ["path"]).column(0).to_pylist()
        rows = read_whole(mine.known, names.part(part))
        assert rows.schema == KNOWN
        found |= {path: row for path, row in zip(paths, plain(rows), strict=True) if row["kind"]}
    return found, commit["counts"]


def plain(known: pa.Table) -> list[dict]:
    return [{name.removeprefix("known_"): value for name, value in row.items()} for row in known.to_pylist()]


def files(place: Place, *folders: str) -> dict[str, bytes]:
    children = [place, *(place.child(folder) for folder in folders)]
    return {f"{child.url[-9:]}/{name}": child.read(name) for child in children for name in child.names()}


HELD = {f"lib/{family}.py": text(family) for family in range(12)} | {"tiny.py": "x = 1", "none.py": None}
MINE = (
    {f"copy/{family}.py": text(family) for family in range(4)}
    | {f"near/{family}.py": text(family, 3) for family in range(4, 8)}
    | {f"new/{family}.py": text(family) for family in range(50, 55)}
    | {"far.py": text(8, 60), "short.py": "x = 1", "broken.py": None}
)


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    return index_of(tmp_path_factory.mktemp("index"), HELD)


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    return dataset(tmp_path_factory.mktemp("mine"), table(MINE, "new/repo"))


# the index of a dataset


def test_the_index_holds_what_was_kept(tmp_path):
    texts = {"a.py": text(1), "b.py": text(2), "c.py": text(1), "d.py": None, "e.py": "short"}
    place = index_of(tmp_path, texts, kept=[True, False, True, False, True])
    index = open_index(place, MINHASH)
    rows = [row for part in range(index.partitions) for row in index.entry_rows(part).to_pylist()]
    digests = content_hashes(pa.array([text(1), "short"], pa.large_string())).to_pylist()
    assert {row["content_hash"] for row in rows} == set(digests)
    one = min(doc_id("old/repo", None, path, digests[0]) for path in ("a.py", "c.py"))
    assert {row["doc_id"] for row in rows} == {one, doc_id("old/repo", None, "e.py", digests[1])}
    assert (index.entries, index.signed) == (2, 1)
    assert index.source == {"recipe": "made", "ledger": index.source["ledger"], "files": "kept"}


def test_all_files_with_text_can_be_held(tmp_path):
    place = index_of(tmp_path, {"a.py": text(1), "b.py": text(2), "c.py": None}, kept=[False] * 3, every=True)
    assert open_index(place).entries == 2
    assert open_index(place).source["files"] == "all"


def test_tables_are_sorted_and_every_bucket_is_in_its_partition(known):
    index = open_index(known)
    postings = [index.postings(part) for part in range(index.partitions)]
    for part, batch in enumerate(postings):
        hashes = np.asarray(batch.column("hash"))
        assert (np.sort(hashes) == hashes).all()
        assert set(((hashes >> np.uint64(32)) % np.uint64(index.partitions)).tolist()) <= {part}
    assert sum(batch.num_rows for batch in postings) == 12 * 16


def test_the_bytes_depend_on_nothing_but_the_corpus(tmp_path, known):
    batch = table(HELD)
    order = random.Random(5).sample(range(batch.num_rows), batch.num_rows)
    again = dataset(tmp_path / "again", batch.take(pa.array(order)), 2)
    target = Place(str(tmp_path / "index"))
    make_index(Engine(workers=2), again.place, target)
    one, other = (files(place, TABLES) for place in (known, target))
    names = sorted(name.rpartition("/")[2] for name in one if not name.endswith(COMMIT))
    assert DESCRIPTION in names
    for name in names:
        (left,), (right,) = (
            [data for at, data in held.items() if at.endswith(name)] for held in (one, other)
        )
        if name != DESCRIPTION:
            assert left == right, name


def test_a_finished_index_is_left_as_it_is(tmp_path, monkeypatch):
    place = index_of(tmp_path, HELD)
    before = files(place, TABLES)
    monkeypatch.setattr(Engine, "run", lambda *_: pytest.fail("the job ran again"))
    make_index(Engine(), Place(str(tmp_path / "known-dataset")), place)
    assert files(place, TABLES) == before
    assert not (tmp_path / "known" / ".work").exists()


def test_another_dataset_takes_the_place_of_an_index(tmp_path):
    index_of(tmp_path, HELD)
    dataset(tmp_path / "other", table({"z.py": text(77)}), 1)
    target = Place(str(tmp_path / "known"))
    make_index(Engine(workers=1), Place(str(tmp_path / "other")), target)
    assert open_index(target).entries == 1
    assert len(target.child(TABLES).names()) == 4


def test_files_beside_an_index_are_never_touched(tmp_path):
    target = tmp_path / "home"
    target.mkdir()
    (target / "entries-mine.txt").write_text("precious")
    made = dataset(tmp_path / "d", table({"a.py": text(1)}), 1)
    make_index(Engine(workers=1), made.place, Place(str(target)))
    assert (target / "entries-mine.txt").read_text() == "precious"


def test_an_index_is_not_made_over_a_dataset_or_of_nothing(tmp_path):
    made = dataset(tmp_path / "d", table({"a.py": text(1)}), 1)
    with pytest.raises(OutputError, match="holds a dataset"):
        make_index(Engine(workers=1), made.place, made.place)
    with pytest.raises(OutputError, match=r"no manifest\.json"):
        make_index(Engine(workers=1), Place(str(tmp_path / "nothing")), Place(str(tmp_path / "i")))


def test_a_dataset_of_another_version_says_so(tmp_path):
    made = dataset(tmp_path / "d", table({"a.py": text(1)}), 1)
    manifest = orjson.loads(made.place.read("manifest.json"))
    manifest["recipe"]["dedup"]["minhash"] = {"perms": 1}
    made.place.write_bytes("manifest.json", orjson.dumps(manifest))
    with pytest.raises(OutputError, match="not of this version"):
        make_index(Engine(workers=1), made.place, Place(str(tmp_path / "i")))


# matches


def test_equal_and_similar_files_are_found_and_named(mine, known):
    found, counts = matched(mine, known.url)
    names = {path: (row["kind"], row["repo"], row["path"]) for path, row in found.items()}
    assert names == {
        **{f"copy/{n}.py": (EXACT, "old/repo", f"lib/{n}.py") for n in range(4)},
        **{f"near/{n}.py": (NEAR, "old/repo", f"lib/{n}.py") for n in range(4, 8)},
        "short.py": (EXACT, "old/repo", "tiny.py"),
    }
    assert all(row["similarity"] == 1 for row in found.values() if row["kind"] == EXACT)
    assert all(0.6 <= row["similarity"] < 1 for row in found.values() if row["kind"] == NEAR)
    assert {row["index"] for row in found.values()} == {"known"}
    digest = content_hashes(pa.array([text(2)], pa.large_string()))[0].as_py()
    assert found["copy/2.py"]["doc_id"] == doc_id("old/repo", None, "lib/2.py", digest)
    assert (counts["known.exact"], counts["known.near"], counts["known.unverified"]) == (5, 4, 0)
    assert counts["buckets_capped"] == counts["buckets_dropped"] == 0


def test_the_bytes_do_not_depend_on_workers(mine, known):
    results = []
    for workers in (1, 2):
        matched(mine, known.url, workers=workers)
        results.append(files(mine.known))
    assert results[0] == results[1]
    assert not (mine.place.local / ".work").exists()


@pytest.mark.parametrize(("parts", "held_parts"), [(1, 1), (5, 4)])
def test_matches_do_not_depend_on_the_cut(tmp_path, mine, known, parts, held_parts):
    place = index_of(tmp_path, HELD, held_parts)
    other = dataset(tmp_path / "mine", table(MINE, "new/repo"), parts)
    assert matched(other, place.url)[0] == matched(mine, known.url)[0]


def brute_force(mine: dict, held: dict, threshold: float) -> tuple[dict, set]:
    """The best match of every file, comparing everything, and the files that no band can find."""
    texts = [pa.array(list(side.values()), pa.large_string()) for side in (mine, held)]
    (own, valid), (other, there) = (signature_matrix(signatures(column, MINHASH)) for column in texts)
    digests = [content_hashes(column).to_pylist() for column in texts]
    ids = [doc_id("old/repo", None, path, digest) for path, digest in zip(held, digests[1], strict=True)]
    best, missed = {}, set()
    for one, path in enumerate(mine):
        options, unseen = [], []
        for two in range(len(held)):
            if digests[0][one] == digests[1][two] and digests[0][one]:
                options.append((0, -1.0, ids[two]))
            elif valid[one] and there[two]:
                similar = float(estimate(own[one : one + 1], other[two : two + 1])[0])
                banded = (own[one].reshape(16, 4) == other[two].reshape(16, 4)).all(axis=1).any()
                if similar >= np.float32(threshold):
                    (options if banded else unseen).append((1, -similar, ids[two]))
        if options:
            best[path] = min(options)
        elif unseen:
            missed.add(path)
    return best, missed


@pytest.mark.parametrize("seed", range(4))
def test_the_matches_are_those_of_comparing_everything_that_shares_a_band(tmp_path, seed):
    draw = random.Random(seed)
    held = {f"h{n}.py": text(draw.randrange(8), draw.choice([0, 1, 4, 9])) for n in range(30)}
    mine = {f"m{n}.py": text(draw.randrange(12), draw.choice([0, 1, 2, 5, 9, 14])) for n in range(40)}
    mine |= {"short.py": "a b", "gone.py": None}
    place = index_of(tmp_path, held, draw.randrange(1, 5))
    found, _ = matched(dataset(tmp_path / "mine", table(mine), draw.randrange(1, 5)), place.url)
    expected, missed = brute_force(mine, held, BANDS.threshold)
    got = {path: (row["kind"] == NEAR, -row["similarity"], row["doc_id"]) for path, row in found.items()}
    assert got == expected
    assert len(expected) > 8
    assert not missed & set(found)


def test_adding_a_file_changes_nobody_else_s_match(tmp_path, mine, known):
    before, _ = matched(mine, known.url)
    more = dataset(tmp_path, table(MINE | {"added.py": text(5, 2)}, "new/repo"))
    after, _ = matched(more, known.url)
    assert after.pop("added.py")["path"] == "lib/5.py"
    assert after == before


def test_a_corpus_is_wholly_in_its_own_index(tmp_path):
    place = index_of(tmp_path, HELD, every=True)
    found, _ = matched(Dataset(Place(str(tmp_path / "known-dataset"))), place.url)
    assert set(found) == set(HELD) - {"none.py"}
    assert {path: row["path"] for path, row in found.items()} == {path: path for path in found}


def test_the_best_of_several_indexes_wins_whatever_their_order(tmp_path, mine, known):
    (tmp_path / "more").mkdir()
    place = index_of(tmp_path / "more", {"better.py": text(5, 3), "also.py": text(50)}, 1)
    found, _ = matched(mine, known.url, place.url)
    again, _ = matched(mine, place.url, known.url)
    assert found == again
    assert (found["near/5.py"]["path"], found["near/5.py"]["kind"]) == ("better.py", EXACT)
    assert found["near/5.py"]["index"] != found["near/4.py"]["index"]
    assert {found["near/5.py"]["index"], found["near/4.py"]["index"]} == {"known", "known-2"}
    assert found["new/50.py"]["path"] == "also.py"


def test_a_full_bucket_of_the_index_gives_its_first_entries(tmp_path, mine):
    place = index_of(tmp_path, {f"same{n}.py": f"{text(5)} end_{n}" for n in range(9)}, 2)
    capped = dataclasses.replace(BANDS, bucket_cap=4, leaders=2)
    found, counts = matched(mine, place.url, bands=capped)
    assert counts["buckets_capped"] > 0
    assert found["near/5.py"]["kind"] == NEAR
    every, none = (
        matched(mine, place.url)[1],
        matched(mine, place.url, bands=dataclasses.replace(BANDS, drop_above=3)),
    )
    assert counts["candidates"] < every["candidates"]
    assert every["buckets_capped"] == 0
    assert none[1]["buckets_dropped"] > 0
    assert none[1]["candidates"] < every["candidates"]


def test_an_empty_index_matches_nothing(tmp_path, mine):
    found, counts = matched(mine, index_of(tmp_path, {"none.py": None}, 1).url)
    assert found == {}
    assert counts["candidates"] == 0


def test_without_signatures_equal_contents_are_found(mine, known):
    found, counts = matched(mine, known.url, near=False)
    assert {row["kind"] for row in found.values()} == {EXACT}
    assert counts["known.exact"] == 5


def test_an_index_is_probed_with_its_own_bands(tmp_path, mine, known):
    wide, _ = matched(mine, known.url, bands=dataclasses.replace(BANDS, bands=2, rows=30))
    assert wide == matched(mine, known.url)[0]


def test_the_threshold_decides_what_is_a_match(mine, known):
    lower, _ = matched(mine, known.url, bands=dataclasses.replace(BANDS, threshold=0.0))
    higher, _ = matched(mine, known.url, bands=dataclasses.replace(BANDS, threshold=0.99))
    assert set(higher) < set(lower)
    assert {row["kind"] for row in higher.values()} == {EXACT}


# reading and ranking


def test_what_is_verified_above_the_threshold_counts():
    rows = [
        {"known_similarity": 1.0, "known_kind": EXACT}, {"known_similarity": None, "known_kind": None},
        {"known_similarity": 0.7, "known_kind": NEAR}, {"known_similarity": 0.69, "known_kind": NEAR},
        {"known_similarity": None, "known_kind": UNVERIFIED},
    ]  # fmt: skip
    assert already_have(pa.Table.from_pylist(rows, KNOWN), 0.7).tolist() == [True, False, True, False, False]
    assert already_have(KNOWN.empty_table(), 0.7).tolist() == []


def test_matches_are_ranked_by_text_similarity_and_name():
    names = ["row", *(f"known_{name}" for name in ("similarity", "kind", "doc_id", "index", "path"))]
    ranked = [
        (1, 1.0, EXACT, b"z" * 16, "b", "p"), (1, 1.0, NEAR, b"a" * 16, "a", "p"),
        (1, 0.75, NEAR, b"a" * 16, "a", "p"), (1, 0.75, NEAR, b"b" * 16, "a", "p"),
        (1, 0.75, NEAR, None, "a", "o"), (1, 0.75, NEAR, None, "a", "p"), (1, 0.75, NEAR, None, "b", "a"),
        (1, None, UNVERIFIED, None, "a", "a"),
    ]  # fmt: skip
    for first in range(len(ranked)):
        left = ranked[first:]
        for seed in range(3):
            mixed = random.Random(seed).sample(left, len(left))
            rows = [dict(zip(names, row, strict=True)) for row in mixed]
            (best,) = best_matches(pa.Table.from_pylist(rows, MATCH)).to_pylist()
            assert tuple(best[name] for name in names) == left[0]


def test_matches_are_put_beside_their_files():
    rows = [
        {"row": 3, "known_path": "c", "known_kind": NEAR},
        {"row": 1, "known_path": "a", "known_kind": EXACT},
    ]
    found = aligned(pa.Table.from_pylist(rows, MATCH), 5)
    assert found.schema == KNOWN
    assert found.column("known_path").to_pylist() == [None, "a", None, "c", None]


def test_a_match_is_said_in_words():
    row = {
        "known_kind": NEAR,
        "known_repo": None,
        "known_path": "key",
        "known_index": "i",
        "known_similarity": 0.75,
    }
    assert match_text(row) == "similarity 0.750 to key in i"
    assert match_text(row | {"known_kind": EXACT, "known_repo": "r"}) == "same text as r:key in i"


# stages and refusals


def test_the_stage_is_finished_until_something_changes(mine, known, tmp_path):
    matched(mine, known.url)
    config = open_known([known.url], MINHASH, BANDS)
    assert against_stage(mine, config, "up").finished()
    other = open_known([index_of(tmp_path, {"a.py": text(1)}, 1).url], MINHASH, BANDS)
    for changed, upstream in [
        (config, "other"), (other, "up"),
        (open_known([known.url], MINHASH, dataclasses.replace(BANDS, threshold=0.7)), "up"),
        (open_known([known.url], MINHASH, BANDS, near=False), "up"),
    ]:  # fmt: skip
        assert not against_stage(mine, changed, upstream).finished()


def test_what_the_manifest_says_names_no_place(known):
    (said,) = open_known([known.url], MINHASH, BANDS).described()
    assert (said["name"], said["kind"], said["entries"]) == ("known", "index", 13)
    assert known.url not in str(said)


def test_other_signatures_are_refused_unless_only_equal_text_counts(known):
    other = MinHashConfig(num_perm=128)
    with pytest.raises(RecipeError, match="num_perm 64, the recipe's 128"):
        open_known([known.url], other, BANDS)
    assert len(open_known([known.url], other, BANDS, near=False).indexes) == 1


def test_a_dataset_itself_is_no_index(mine):
    with pytest.raises(OutputError, match="thresher index"):
        open_known([mine.place.url], MINHASH, BANDS)


def test_an_unknown_place_is_refused(tmp_path):
    with pytest.raises(OutputError, match=r"no index\.json"):
        open_known([str(tmp_path / "nowhere")], MINHASH, BANDS)
    with pytest.raises(InputError):
        open_known(["redis://localhost"], MINHASH, BANDS)


# a user's LSH in Redis


def filled(port: int, texts: dict[str, str], scheme: MinHashConfig, password: str | None = None):
    """An LSH that datasketch filled, with its own hashing."""
    datasketch = pytest.importorskip("datasketch")
    config = {
        "type": "redis",
        "basename": b"seen",
        "redis": {"host": "127.0.0.1", "port": port, "password": password},
    }
    lsh = datasketch.MinHashLSH(num_perm=scheme.num_perm, params=(16, 4), storage_config=config)
    for name, content in texts.items():
        made, words = datasketch.MinHash(num_perm=scheme.num_perm), content.split()
        made.update_batch([" ".join(words[at : at + 5]).encode() for at in range(len(words) - 4)])
        lsh.insert(name, made)
    return lsh


def test_a_user_s_lsh_in_redis_is_asked_beside_an_index(tmp_path, monkeypatch):
    scheme = MinHashConfig(num_perm=64, hash="sha1")
    monkeypatch.setattr("tests.pipelines.test_against.MINHASH", scheme)
    mine = dataset(tmp_path / "mine", table(MINE, "new/repo"), 3, minhash=scheme)
    held = dataset(tmp_path / "held", table({"lib/0.py": text(0)}), 1, minhash=scheme)
    place = Place(str(tmp_path / "held-index"))
    make_index(Engine(workers=1), held.place, place)
    with server(tmp_path) as port:
        filled(port, {"stack/four": text(4), "stack/new": text(50), "stack/zero": text(0)}, scheme)
        url = f"redis://127.0.0.1:{port}/0?basename=seen&num_perm=64"
        config = open_known([url, place.url], scheme, BANDS)
        stage = against_stage(mine, config, "up")
        counts = dict(against(Engine(workers=2), mine, stage, config)["counts"])
        assert stage.finished()
        assert not against_stage(mine, config, "up").finished()
        rows, _ = matched(mine, url, place.url, workers=1)
    assert {path: (row["kind"], row["index"], row["path"]) for path, row in rows.items()} == {
        "copy/0.py": (EXACT, "held-index", "lib/0.py"),
        "near/4.py": (NEAR, "seen", "stack/four"),
        "new/50.py": (NEAR, "seen", "stack/new"),
    }
    assert rows["new/50.py"]["doc_id"] is None
    assert rows["new/50.py"]["similarity"] == 1
    assert (counts["known.exact"], counts["known.near"]) == (1, 2)
    (_, said) = config.described()
    assert said == {"name": "seen", "kind": "redis", "server": f"127.0.0.1:{port}/0", "basename": "seen",
                    "num_perm": 64, "seed": 1, "hash": "sha1", "bands": 16, "rows": 4, "keys": 3}  # fmt: skip


def test_a_server_that_goes_away_stops_the_stage_with_its_name(tmp_path):
    scheme = MinHashConfig(num_perm=64, hash="sha1")
    mine = dataset(tmp_path / "mine", table({"a.py": text(1)}), 1, minhash=scheme)
    with server(tmp_path) as port:
        filled(port, {"a": text(1)}, scheme)
        config = open_known([f"redis://:pw@127.0.0.1:{port}?basename=seen&num_perm=64"], scheme, BANDS)
    with pytest.raises(EnvironmentProblem, match=f"redis 127.0.0.1:{port}/0") as caught:
        against(Engine(workers=1), mine, against_stage(mine, config, "up"), config)
    assert "pw" not in str(caught.value)


# a whole build


@pytest.fixture(scope="module")
def july(tmp_path_factory):
    """A corpus and its index, and a build of other files, some of them known, against it."""
    folder = tmp_path_factory.mktemp("builds")
    texts = sources(40)
    paths = sorted(texts)
    june = build(
        folder, folder / "june", [write_tree(folder / "lib", {path: texts[path] for path in paths[:25]})]
    )
    index = make_index(Engine(workers=1), june, Place(str(folder / "june-index")))
    mine = {f"same/{path}": texts[path] for path in paths[:3]}
    mine |= {f"near/{path}": near_copy(texts[path]) for path in paths[5:8]}
    mine |= {f"new/{path}": texts[path] for path in paths[25:]}
    tree = write_tree(folder / "mine", mine)
    options = BuildOptions((str(tree),), Place(str(folder / "july")), against=(index.place.url,))
    loaded = load_recipe(recipe(folder))
    job = Build(loaded, options, Engine(workers=1), Display(Console(), quiet=True))
    job.run()
    return job


def test_known_files_are_dropped_by_name_and_say_which_file_it_is(july):
    rows = [row for part in Finished.open(july.options.place).parts()
            for row in Finished.open(july.options.place).ledger(part).to_pylist()]  # fmt: skip
    dropped = {row["path"] for row in rows if row["rule"] == "already_have"}
    assert dropped == {row["path"] for row in rows if row["path"].startswith(("same/", "near/"))}
    assert len(dropped) == 6
    one = min(path for path in dropped if path.startswith("same/"))
    told = tell(july.options.place, one)
    assert (
        told.verdict == f"dropped by already_have: same text as lib:{one.removeprefix('same/')} in june-index"
    )
    assert told.facts["known_kind"] == EXACT
    near = tell(july.options.place, min(path for path in dropped if path.startswith("near/")))
    assert near.verdict.startswith("dropped by already_have: similarity 0.9")
    sheet = draw(july.options.place, "already_have", 6)
    assert all(item.why.endswith("in june-index") for item in sheet.items)


def test_the_manifest_and_the_funnel_say_what_was_known(july):
    dataset = Finished.open(july.options.place)
    said = dataset.section("dedup", "against")
    assert (said["exact"], said["near"], said["unverified"]) == (3, 3, 0)
    assert [corpus["name"] for corpus in said["corpora"]] == ["june-index"]
    steps = {step["rule"]: step["removed_files"] for step in dataset.section("funnel")}
    assert steps["already_have"] == 6
    assert list(steps)[-2:] == ["already_have", "near_duplicate"]


@pytest.mark.slow
def test_a_higher_threshold_is_decided_from_what_is_stored(july):
    base = july.loaded.recipe
    bands = dataclasses.replace(base.dedup.bands, threshold=0.9999)
    changed = dataclasses.replace(base, dedup=dataclasses.replace(base.dedup, bands=bands))
    found = what_if(july.options.place, base, changed)
    assert found.gained.files > 0
    assert found.lost.files == 0


def test_the_guard_lets_go_what_is_known():
    rules = ["already_have", "line_max"]
    assert GuardConfig().watched(rules).tolist() == [[False, True], [False, True]]


def test_without_it_nothing_is_known_any_more(july):
    options = dataclasses.replace(july.options, against=())
    Build(july.loaded, options, july.engine, july.display).run()
    dataset = Finished.open(options.place)
    assert not dataset.section("dedup", "against")
    assert "already_have" not in [step["rule"] for step in dataset.section("funnel")]
    rules = {rule for part in dataset.parts() for rule in dataset.ledger(part).column("rule").to_pylist()}
    assert "already_have" not in rules


def test_a_wrong_index_is_refused_before_anything_is_read(july, tmp_path):
    options = BuildOptions(
        july.options.inputs, Place(str(tmp_path / "new")), against=(july.options.place.url,)
    )
    with pytest.raises(OutputError, match="thresher index"):
        Build(july.loaded, options, july.engine, july.display).run()
    assert not (tmp_path / "new" / "documents").exists()


def test_the_command_makes_an_index(july, tmp_path):
    target = str(tmp_path / "index")
    place = str(Place(july.options.place.url.replace("july", "june")).local)
    said = CliRunner().invoke(app, ["index", place, "--output", target, "--workers", "1"])
    assert said.exit_code == 0, said.output
    assert "25 entries, 25 signatures" in " ".join(said.output.split())
    as_json = CliRunner().invoke(app, ["index", place, "--output", target, "--workers", "1", "--json"])
    assert orjson.loads(as_json.output) == open_index(Place(target)).described()
