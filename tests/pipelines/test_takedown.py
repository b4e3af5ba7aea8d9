"""Takedown: the dataset of a build that had the wishes from the start, its report, its proof, and its memory."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from columns.errors import InputError, OutputError
from columns.files import Place
from columns.hashing import content_hashes, doc_id
from columns.tables import read_whole
from columns.versions import Versions, current_place
from pipelines.build import Build, BuildOptions
from pipelines.engine import Engine
from pipelines.proof import SPAN, _Filter, _runs, prove
from pipelines.takedown import Taken, takedown
from pipelines.takedowns import TAKEDOWNS, Takedown, honoured, read_takedowns, remember
from pipelines.verification import verify_dataset
from shards import ShardSet
from tests.pipelines.building import assert_same, result_bytes
from tests.pipelines.test_refresh import GIVEN, TEXTS, File, built, display, loaded, refreshed, write

ASKED = Takedown("repo", "Other/Repo", "asked by mail", "Ada", "2026-01-02")


def taken(root: Place, *asked: Takedown, **how) -> Taken:
    return takedown(root, asked or (ASKED,), Engine(workers=1), display(), **how)


def snapshot() -> list[File]:
    """Files whose best copy lies in the repository that will go: more stars there."""
    files = [File(f"src/file_{at}.py", TEXTS[at]) for at in range(12)]
    best = [File(f"lib/same_{at}.py", TEXTS[at], "other/repo", stars=50) for at in range(4)]
    return [*files, *best, File("lib/only.py", TEXTS[30], "other/repo", stars=50)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("takedown")


@pytest.fixture(scope="module")
def done(folder):
    """A dataset after a takedown, and the same snapshot built with the list from the start."""
    write(folder, "files", snapshot())
    root = built(folder, "set", folder / "files.parquet")
    before = result_bytes(root)
    found = taken(root)
    anew = folder / "anew"
    anew.mkdir()
    (anew / TAKEDOWNS).write_bytes((Path(root.url) / TAKEDOWNS).read_bytes())
    return root, before, found, built(folder, "anew", folder / "files.parquet")


def ledger(place: Place) -> dict[str, dict]:
    names = [name for name in place.child("ledger").names() if name.startswith("part-")]
    return {row["path"]: row for name in names for row in read_whole(place.child("ledger"), name).to_pylist()}


def test_a_takedown_is_the_build_that_knew_it(done):
    root, _, found, anew = done
    assert found.version.changed
    assert current_place(root) == found.version.place
    assert_same(found.version.place, anew)


def test_the_next_best_copies_are_promoted(done):
    root, _, found, _ = done
    before, after = ledger(Versions(root).at(1)), ledger(found.version.place)
    assert [before[f"lib/same_{at}.py"]["kept"] for at in range(4)] == [True] * 4
    assert [before[f"src/file_{at}.py"]["kept"] for at in range(4)] == [False] * 4
    assert [after[f"src/file_{at}.py"]["kept"] for at in range(4)] == [True] * 4
    assert {after[f"lib/same_{at}.py"]["rule"] for at in range(4)} == {"unreadable"}
    promoted = found.report["promoted"]
    assert [one["path"] for one in promoted] == [f"src/file_{at}.py" for at in range(4)]
    assert {one["instead_of"] for one in promoted} == {"exact_duplicate"}


def test_the_report_says_what_went_from_where(done):
    root, _, found, _ = done
    files = found.report["files"]
    assert [file["path"] for file in files] == ["lib/only.py", *(f"lib/same_{at}.py" for at in range(4))]
    for file in files:
        pieces = ShardSet(Versions(root).at(1)).find(bytes.fromhex(file["doc_id"]))
        assert {piece.shard for piece in pieces} == {file["shard"]}
    assert files[0]["content_sha256"] == hashlib.sha256(TEXTS[30].encode()).hexdigest()
    folder = Path(root.url) / "removals"
    assert json.loads((folder / "000002.json").read_bytes()) == found.report
    text = (folder / "000002.md").read_text()
    for said in (
        "repo `Other/Repo`",
        "asked by mail",
        "Ada",
        "2026-01-02",
        "lib/only.py",
        "Nothing of the removed",
    ):
        assert said in text


def test_the_proof_holds_and_names_what_is_equal_elsewhere(done):
    proof = done[2].report["proof"]
    assert proof["holds"]
    assert proof["left"] == {"documents": 0, "facts": 0, "ledger": 0, "shards": 0}
    assert (proof["removed"], proof["strangers"]) == (5, 0)
    assert proof["runs"] > 100
    assert {one["path"] for one in proof["documents"]} >= {f"src/file_{at}.py" for at in range(4)}


def test_the_proof_sees_what_is_left(done):
    root, _, found, _ = done
    ids = pa.array([bytes.fromhex(file["doc_id"]) for file in found.report["files"]], pa.binary(16))
    still = prove(Versions(root).at(1), Versions(root).at(1), ids)
    assert not still.holds
    assert still.left["documents"] == still.left["ledger"] == 5
    assert still.left["shards"] >= 5


def test_a_file_without_text_keeps_its_id_and_the_proof_holds(tmp_path):
    files = [*(File(f"src/{at}.py", TEXTS[at]) for at in range(3)), File("lib/zero.py", "a\0b", "other/repo")]
    root = built(tmp_path, "set", write(tmp_path, "files", files))
    found = taken(root)
    assert [file["path"] for file in found.report["files"]] == ["lib/zero.py"]
    assert found.report["proof"]["holds"]
    assert ledger(found.version.place)["lib/zero.py"]["rule"] == "unreadable"
    assert not taken(root).version.changed


def test_older_versions_are_untouched_and_told(done):
    root, before, found, _ = done
    assert found.older == {1: 5}
    assert result_bytes(root) == before
    for place in (Versions(root).at(1), found.version.place):
        assert [check.problems for check in verify_dataset(place) if not check.passed] == []


def test_a_refresh_honours_what_was_taken_down(folder, done):
    root = done[0]
    assert not refreshed(folder, root, folder / "files.parquet").changed
    more = [*snapshot(), File("lib/later.py", TEXTS[33], "other/repo"), File("src/later.py", TEXTS[34])]
    found = refreshed(folder, root, write(folder, "more", more))
    rows = ledger(found.place)
    assert rows["lib/later.py"]["rule"] == "unreadable"
    assert rows["src/later.py"]["kept"]
    anew = folder / "anew2"
    anew.mkdir()
    (anew / TAKEDOWNS).write_bytes((Path(root.url) / TAKEDOWNS).read_bytes())
    assert_same(found.place, built(folder, "anew2", folder / "more.parquet"))


def test_a_text_goes_with_all_its_copies_by_blob(tmp_path):
    files = write(tmp_path, "files", snapshot())
    root = built(tmp_path, "set", files)
    text = TEXTS[2].encode()
    blob = hashlib.sha1(b"blob %d\0" % len(text) + text).hexdigest()
    found = taken(root, Takedown("blob", blob.upper()))
    assert [file["path"] for file in found.report["files"]] == ["src/file_2.py", "lib/same_2.py"]
    kinds = {(entry.kind, entry.value) for entry in read_takedowns(root)}
    assert kinds == {("blob", blob.upper()), ("content", hashlib.sha256(text).hexdigest())}
    copy = [*snapshot(), File("elsewhere/again.py", TEXTS[2], "third/repo")]
    later = refreshed(tmp_path, root, write(tmp_path, "copied", copy))
    assert ledger(later.place)["elsewhere/again.py"]["rule"] == "unreadable"


def test_purging_leaves_nothing_of_it_on_the_disk(tmp_path):
    secret = "def wholly_private_thing(x):\n    return x * 31337\n" * 20
    files = [*snapshot(), File("lib/secret.py", secret, "other/repo")]
    root = built(
        tmp_path, "set", write(tmp_path, "files", files), text=GIVEN.replace("codex}}", "codex}}", 1)
    )
    found = taken(root, purge=True)
    assert (found.purged, found.older) == ((1,), {})
    assert Versions(root).numbers() == [2]
    assert not (Path(root.url) / "documents").exists()
    assert [check.problems for check in verify_dataset(current_place(root)) if not check.passed] == []
    digest = hashlib.sha256(secret.encode()).digest()
    identity = doc_id("other/repo", None, "lib/secret.py", digest)
    for path in Path(root.url).rglob("*"):
        if path.is_file() and path.suffix in {".arrow", ".parquet"} and path.name != "changes.parquet":
            assert identity not in path.read_bytes()


def test_what_is_not_there_is_remembered_all_the_same(tmp_path):
    root = built(tmp_path, "set", write(tmp_path, "files", snapshot()))
    found = taken(root, Takedown("owner", "nobody"))
    assert (found.version.changed, found.version.number, found.report) == (False, 1, {})
    assert [entry.value for entry in read_takedowns(root)] == ["nobody"]
    again = taken(root)
    assert again.version.number == 2
    assert {entry.value for entry in read_takedowns(root)} == {"nobody", "Other/Repo"}
    assert not taken(root).version.changed


def test_a_trained_tokenizer_is_kept(tmp_path):
    text = GIVEN.replace("tokenizer: {{spec: codex}}", "tokenizer: {{vocab_size: 384, sample_bytes: 60000}}")
    root = built(tmp_path, "set", write(tmp_path, "files", snapshot()), text=text)
    found = taken(root)
    tokenizers = [Versions(root).at(number).child("tokenizer").read("ranks.tiktoken") for number in (1, 2)]
    assert tokenizers[0] == tokenizers[1]
    assert found.report["proof"]["holds"]
    assert found.version.record["cost"]["tokens"]["reused"] > 0
    assert [check.problems for check in verify_dataset(found.version.place) if not check.passed] == []


def test_paths_owners_and_texts_can_be_named(tmp_path):
    root = built(tmp_path, "set", write(tmp_path, "files", snapshot()))
    hashed = content_hashes(pa.array([TEXTS[5]], pa.large_string()))[0].as_py().hex()
    found = taken(root, Takedown("path", "**/file_1?.py"), Takedown("content", hashed))
    gone = ["src/file_10.py", "src/file_11.py", "src/file_5.py"]
    assert sorted(file["path"] for file in found.report["files"]) == gone
    assert taken(root, Takedown("owner", "OTHER")).report["files"][0]["path"] == "lib/only.py"


def test_nothing_asked_or_no_dataset_is_refused(tmp_path):
    with pytest.raises(InputError, match="nothing to remove"):
        takedown(Place(str(tmp_path)), (), Engine(workers=1), display())
    with pytest.raises(OutputError, match="no finished dataset here"):
        taken(Place(str(tmp_path)))
    assert not (tmp_path / TAKEDOWNS).exists()


def test_an_interrupted_takedown_is_honoured_by_the_next_refresh(tmp_path, monkeypatch):
    files = write(tmp_path, "files", snapshot())
    root = built(tmp_path, "set", files)
    before = result_bytes(root)
    monkeypatch.setattr(
        "pipelines.takedown.Without._measure", lambda _: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        taken(root)
    monkeypatch.undo()
    assert current_place(root) == Versions(root).at(1)
    assert result_bytes(root) == before
    found = refreshed(tmp_path, root, files)
    assert found.changed
    assert ledger(found.place)["lib/only.py"]["rule"] == "unreadable"
    assert not taken(root).version.changed


def test_the_list_keeps_what_was_said_first(tmp_path):
    place = Place(str(tmp_path))
    remember(place, [ASKED])
    remember(place, [dataclasses.replace(ASKED, value="other/repo", reason="again"), Takedown("owner", "x")])
    assert read_takedowns(place) == (Takedown("owner", "x"), ASKED)
    recipe = honoured(loaded(tmp_path), place).recipe
    assert [(wish.kind, wish.value) for wish in recipe.ingest.opt_out] == [
        ("owner", "x"),
        ("repo", "Other/Repo"),
    ]
    assert honoured(honoured(loaded(tmp_path), place), place).recipe == recipe


@pytest.mark.parametrize(
    "text", ["{", "[1]", '[{"kind": "repo"}]', '[{"kind": "blob", "value": "12"}]', '[{"a": 1}]']
)
def test_a_damaged_list_stops_a_build(tmp_path, text):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / TAKEDOWNS).write_text(text)
    options = BuildOptions(("x",), Place(str(tmp_path / "set")))
    with pytest.raises(OutputError, match=r"takedowns\.json: not a list of takedowns"):
        Build(loaded(tmp_path), options, Engine(workers=1), display()).run()


def test_runs_are_found_wherever_they_begin():
    ids = np.random.default_rng(0).integers(0, 60000, (3, 200)).astype("uint16")
    needle = ids[1:2, 40 : 40 + SPAN]
    hashes = _runs(ids)
    assert hashes.shape == (3, 200 - SPAN + 1)
    found = _Filter(np.unique(_runs(needle))).where(hashes)
    assert found.tolist() == [1 * hashes.shape[1] + 40]
