from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from crawling import change, paths, read_source, states
from reads import git
from servers import cut, cut_cleanly, damaged, silent, slow_loris, status

from columns.errors import InputError
from sources import IngestConfig
from sources.github import GithubSource
from sources.github import shelf as shelves
from sources.github.outcomes import OUTCOMES

LARGE = IngestConfig(max_bytes=1000)
HELD = """
import sys
from sources.github import States
store = sys.argv[1]
held = HELD
print(1, flush=True)
input()
"""


def test_rows(make, source, upstream):
    folder = make("acme/one")
    table, skipped, listing = read_source(source("acme/one"))
    commit = git(folder, "rev-parse", "HEAD")
    assert paths(table) == ["acme/one:a.py", "acme/one:lib/b.go"]
    row = table.to_pylist()[0]
    assert (row["ref"], row["source"], row["provenance"]) == (commit, "github", f"github {commit}")
    assert row["blob_id"] == git(folder, "rev-parse", "HEAD:a.py")
    assert (row["content"], row["stars"], skipped) == ("name = 'acme/one'\n", None, {})
    assert (listing.files, len(listing.units), listing.temporary) == (2, 1, ())
    assert pickle.loads(pickle.dumps(listing.units)) == listing.units
    assert upstream.requests("acme/one") == 3


def test_order_of_the_list_changes_nothing(make, source):
    for name in ("b/two", "a/one", "c/three"):
        make(name)
    first, _, listing = read_source(source("c/three", "a/one", "b/two"))
    second, skipped, again = read_source(source("b/two", "a/one", "a/one.git", "# nothing", "", "c/three"))
    assert skipped == {}
    assert second.equals(first)
    assert listing.stamp != ""
    assert again.files == listing.files


def test_unchanged_is_not_fetched_again_and_stamp_says_so(make, source, upstream):
    folder = make("a/b")
    first, _, before = read_source(source("a/b"))
    second, _, after = read_source(source("a/b"))
    assert second.equals(first)
    assert before.stamp == after.stamp
    assert upstream.asked["/a/b.git/git-upload-pack#fetch"] == 1
    change(folder, "c.py", b"c")
    third, _, changed = read_source(source("a/b"))
    assert third.num_rows == 3
    assert changed.stamp != after.stamp
    assert upstream.asked["/a/b.git/git-upload-pack#fetch"] == 2


def test_changed_fetches_only_what_is_new(make, source, upstream):
    noise = os.urandom(200_000)
    folder = make("a/b", {"big.py": noise.hex().encode(), "a.py": b"1"})
    read_source(source("a/b"))
    whole = upstream.sent["a/b"]
    change(folder, "c.py", b"c = 1\n")
    table, _, _ = read_source(source("a/b"))
    assert paths(table) == ["a/b:a.py", "a/b:big.py", "a/b:c.py"]
    assert whole > 200_000
    assert upstream.sent["a/b"] - whole < 5_000
    assert states(source())["a/b"].bytes > 200_000


def test_incremental_equals_fresh(make, source, tmp_path):
    folder = make("a/b", {f"f{i}.py": f"x = {i}\n".encode() * 50 for i in range(30)})
    read_source(source("a/b"))
    for step in range(3):
        (folder / f"f{step}.py").unlink()
        change(folder, f"f{step + 5}.py", f"y = {step}\n".encode() * 60)
        table, _, _ = read_source(source("a/b"))
    fresh, _, _ = read_source(source("a/b", store=str(tmp_path / "other")))
    assert table.equals(fresh)


def test_many_packs_are_replaced(make, source, monkeypatch):
    monkeypatch.setattr(shelves, "MAX_PACKS", 2)
    folder = make("a/b")
    for step in range(5):
        change(folder, "n.py", b"%d" % step)
        table, _, _ = read_source(source("a/b"))
    found = list(Path(source().github.store).rglob("*.pack"))
    assert 1 <= len(found) <= 3
    assert table.num_rows == 3


def test_rewritten_history(make, source):
    folder = make("a/b")
    read_source(source("a/b"))
    git(folder, "checkout", "-q", "--orphan", "fresh")
    change(folder, "z.py", b"z")
    git(folder, "branch", "-q", "-M", "fresh", "main")
    git(folder, "-c", "gc.reflogExpire=now", "gc", "-q", "--prune=now")
    table, _, _ = read_source(source("a/b"))
    assert "a/b:z.py" in paths(table)


def test_large_blobs_stay_on_the_server(make, source, upstream):
    make("a/b", {"a.py": b"a", "edge.py": b"e" * 1000, "large.py": os.urandom(3000).hex().encode()})
    table, _, _ = read_source(source("a/b"), LARGE)
    rows = {row["path"]: row for row in table.to_pylist()}
    assert (rows["large.py"]["problem"], rows["large.py"]["size"]) == ("too_large", None)
    assert (rows["edge.py"]["problem"], rows["a.py"]["content"]) == (None, "a")
    assert upstream.sent["a/b"] < 3000


def test_another_limit_fetches_afresh_and_gives_the_same_rows(make, source, tmp_path):
    make("a/b", {"a.py": b"a", "large.py": b"x" * 3000})
    read_source(source("a/b"), LARGE)
    whole, _, _ = read_source(source("a/b"))
    assert whole.column("problem").null_count == 2
    small, _, _ = read_source(source("a/b"), LARGE)
    fresh, _, _ = read_source(source("a/b", store=str(tmp_path / "other")), LARGE)
    assert small.equals(fresh)


def test_no_store_knows_a_promisor(make, source):
    make("a/b", {"a.py": b"a", "large.py": b"x" * 3000})
    _, _, listing = read_source(source("a/b"), LARGE)
    config = git(Path(listing.units[0].location), "config", "--list", "--local")
    assert "promisor" not in config
    assert "remote" not in config
    assert "filter" not in config
    assert not list(Path(listing.units[0].location).rglob("*.promisor"))


def test_refs_and_pins(make, source, upstream):
    folder = make("a/b")
    first = git(folder, "rev-parse", "HEAD")
    git(folder, "tag", "-a", "v1", "-m", "one")
    change(folder, "c.py", b"c")
    for entry, rows in ((f"a/b@{first}", 2), ("a/b@v1", 2), ("a/b@main", 3), ("a/b", 3)):
        assert read_source(source(entry))[0].num_rows == rows
    assert set(read_source(source(where=f"a/b@{first}"))[0]["ref"].to_pylist()) == {first}
    before = upstream.requests("a/b")
    assert read_source(source(f"a/b@{first}"))[0].num_rows == 2
    assert upstream.requests("a/b") == before
    assert read_source(source("a/b@nope"))[1] == {"repository_failed": 1}
    assert "no branch or tag 'nope'" in states(source())["a/b"].reason


def test_empty_and_missing(make, source, upstream):
    git(Path(upstream.root), "init", "-q", "--bare", "e/mpty.git")
    make("a/b")
    table, skipped, _ = read_source(source("a/b", "e/mpty", "not/there"))
    assert (table.num_rows, skipped) == (2, {"empty_repository": 1, "repository_gone": 1})
    found = states(source())
    assert [found[name].state for name in ("a/b", "e/mpty", "not/there")] == ["done", "done", "gone"]


@pytest.mark.parametrize(
    ("code", "state"),
    [(401, "gone"), (403, "forbidden"), (404, "gone"), (410, "gone"), (451, "forbidden"), (418, "failed")],
)
def test_final_answers_of_the_git_server(code, state, make, source, upstream, clock):
    make("a/b")
    upstream.tricks["a/b"] = [status(code)]
    _, skipped, _ = read_source(source("a/b"))
    assert (skipped, clock.waits) == ({f"repository_{state}": 1}, [])
    assert str(code) in states(source())["a/b"].reason
    assert read_source(source("a/b"))[0].num_rows == 2


@pytest.mark.parametrize("trick", [status(500), status(503), cut, cut_cleanly, damaged])
def test_passing_failures_are_tried_again(trick, make, source, upstream, clock):
    make("a/b", {"a.py": os.urandom(3000).hex().encode()})
    upstream.tricks["a/b"] = [trick]
    table, skipped, _ = read_source(source("a/b"))
    assert (table.num_rows, skipped, len(clock.waits)) == (1, {}, 1)
    assert 0.5 <= clock.waits[0] <= 1


def test_failures_that_do_not_pass(make, source, upstream, clock):
    make("a/b")
    make("c/d")
    upstream.tricks["a/b"] = [status(502)] * 4
    table, skipped, _ = read_source(source("a/b", "c/d"))
    assert (table.num_rows, skipped, len(clock.waits)) == (2, {"repository_failed": 1}, 3)
    assert states(source())["a/b"].reason == "502: Bad Gateway (4 attempts)"


def test_server_that_asks_to_wait(make, source, upstream, clock):
    make("a/b")
    upstream.tricks["a/b"] = [status(429, Retry_After="17")]
    assert read_source(source("a/b"))[0].num_rows == 2
    assert clock.waits == [17]
    upstream.tricks["a/b"] = [status(429, Retry_After="99999")]
    assert read_source(source("a/b"))[1] == {"repository_failed": 1}
    assert clock.waits == [17]


def test_slow_loris_and_silence_end(make, source, upstream):
    for name in ("slow/loris", "si/lent", "a/b"):
        make(name)
    upstream.tricks["slow/loris"] = [slow_loris]
    upstream.tricks["si/lent"] = [silent] * 2
    hurried = {"stall_seconds": 1, "max_seconds": 2, "attempts": 2}
    timed = source("slow/loris", "si/lent", "a/b", **hurried)
    table, skipped, _ = read_source(GithubSource(timed.where, timed.choice, timed.github))
    assert (table.num_rows, skipped) == (2, {"repository_failed": 2})
    found = states(source())
    assert "slow" in found["slow/loris"].reason
    assert "broke off" in found["si/lent"].reason or "no answer" in found["si/lent"].reason


def test_moved_by_the_git_server(make, source, upstream):
    make("new/name")
    location = f"{upstream.url}/new/name.git/info/refs?service=git-upload-pack"
    upstream.tricks["old/name"] = [status(301, Location=location), status(301, Location=location)]
    table, _, _ = read_source(source("old/name"))
    assert paths(table)[0] == "new/name:a.py"
    assert (states(source())["old/name"].state, states(source())["old/name"].now) == ("moved", "new/name")


def test_both_names_of_a_moved_one_are_read_once(make, source, upstream):
    make("new/name")
    location = f"{upstream.url}/new/name.git/info/refs?service=git-upload-pack"
    upstream.tricks["old/name"] = [status(301, Location=location), status(301, Location=location)]
    table, skipped, _ = read_source(source("new/name", "old/name"))
    assert (table.num_rows, skipped) == (2, {"duplicate_repository": 1})


@pytest.mark.parametrize(("code", "left"), [(404, 0), (451, 0), (500, 1)])
def test_what_was_taken_away_is_not_kept(code, left, make, source, upstream):
    make("a/b")
    first, _, _ = read_source(source("a/b"))
    upstream.tricks["a/b"] = [status(code)] * (4 if left else 1)
    assert read_source(source("a/b"))[0].num_rows == 0
    assert len(list(Path(source().github.store).rglob("*.pack"))) == left
    assert read_source(source("a/b"))[0].equals(first)


@pytest.mark.parametrize("location", ["http://[", "//other.example/x", "\u00e9", "file:///etc/passwd", ""])
def test_redirects_to_nowhere(location, make, source, upstream):
    make("a/b")
    upstream.tricks["a/b"] = [status(302, Location=location.encode().decode("latin-1"))] * 12
    assert read_source(source("a/b"))[1] == {"repository_failed": 1}


def test_redirects_elsewhere_are_not_followed(make, source, upstream):
    make("a/b")
    elsewhere = status(302, Location="http://169.254.169.254/latest/meta-data")
    upstream.tricks["a/b"] = [elsewhere, elsewhere]
    assert read_source(source("a/b"))[1] == {"repository_failed": 1}
    assert "another host" in states(source())["a/b"].reason


def test_over_the_pack_limit(make, source, upstream):
    folder = make("a/b", {"a.py": os.urandom(30_000).hex().encode()})
    _, skipped, _ = read_source(source("a/b", max_pack_bytes=10_000))
    assert skipped == {"repository_too_large": 1}
    fetches = upstream.asked["/a/b.git/git-upload-pack#fetch"]
    _, skipped, _ = read_source(source("a/b", max_pack_bytes=10_000))
    assert skipped == {"repository_too_large": 1}
    assert upstream.asked["/a/b.git/git-upload-pack#fetch"] == fetches
    git(folder, "rm", "-q", "a.py")
    change(folder, "b.py", b"b")
    assert read_source(source("a/b", max_pack_bytes=10_000))[0].num_rows == 1


def test_tree_bomb_costs_itself(make, source):
    folder = make("bo/mb")
    make("a/b")
    tree = git(folder, "rev-parse", "HEAD^{tree}")
    for _ in range(12):
        tree = git(folder, "mktree", stdin="".join(f"040000 tree {tree}\td{i}\n" for i in range(10)).encode())
    commit = git(folder, "commit-tree", tree, "-m", "bomb")
    git(folder, "update-ref", "refs/heads/main", commit)
    table, skipped, _ = read_source(source("a/b", "bo/mb", max_entries=5000))
    assert (table.num_rows, skipped) == (2, {"repository_too_large": 1})


def test_blob_bomb_stays_outside(make, source):
    make("bo/mb", {"a.py": b"\0" * 50_000_000, "b.py": b"b"})
    table, _, listing = read_source(source("bo/mb"))
    assert table.column("problem").to_pylist() == ["too_large", None]
    assert sum(f.stat().st_size for f in Path(listing.units[0].location).rglob("*") if f.is_file()) < 20_000


def test_names_in_trees_that_would_harm_a_checkout(make, source, tmp_path):
    folder = make("a/b")
    blob = git(folder, "rev-parse", "HEAD:a.py")
    inner = git(folder, "mktree", stdin=f"100644 blob {blob}\tconfig.py\n".encode())
    listing = (
        f"100644 blob {blob}\t..\\evil.py\n040000 tree {inner}\t.GIT\n160000 commit {'1' * 40}\tmodule.py\n"
    )
    tree = git(folder, "mktree", "--missing", stdin=(listing + f"120000 blob {blob}\tlink.py\n").encode())
    git(folder, "update-ref", "refs/heads/main", git(folder, "commit-tree", tree, "-m", "evil"))
    table, skipped, _ = read_source(source("a/b"))
    assert paths(table) == ["a/b:..\\evil.py", "a/b:.GIT/config.py"]
    assert (skipped["symlink"], skipped["submodule"]) == (1, 1)
    assert not list(tmp_path.rglob("*evil.py"))
    assert not list(tmp_path.glob("store/**/config.py"))


def test_lfs_pointers_are_what_is_read(make, source):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"
    make(
        "a/b",
        {
            "a.py": pointer,
            ".gitattributes": b"*.py filter=lfs\n",
            ".lfsconfig": b"[lfs]\nurl=http://127.0.0.1:1\n",
        },
    )
    assert read_source(source("a/b"))[0].to_pylist()[0]["content"].encode() == pointer


def test_a_store_is_used_by_one_run(make, source):
    make("a/b")
    store = source().github.store
    with another_run(store, "States(store)"), pytest.raises(InputError, match="another run is using"):
        read_source(source("a/b"))
    assert read_source(source("a/b"))[0].num_rows == 2


def test_a_store_is_not_changed_while_it_is_read(make, source):
    make("a/b")
    store = source().github.store
    with (
        another_run(store, "States(store).settle()"),
        pytest.raises(InputError, match="another run is using"),
    ):
        read_source(source("a/b"))
    read_source(source("a/b"))[2].discard()
    with another_run(store, "States(store)"):
        pass


@contextmanager
def another_run(store: str, held: str) -> Iterator[None]:
    """A process that holds a store."""
    command = [sys.executable, "-c", HELD.replace("HELD", held), store]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"1\n"
        yield
        run.communicate(b"\n")


def test_the_store_of_nobody_in_particular_is_in_the_users_cache(make, source, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    make("a/b")
    listing = source("a/b", store="").units(IngestConfig())
    assert listing.units[0].location.startswith(str(tmp_path / "cache" / "thresher" / "github"))


def test_a_lost_folder_is_fetched_again(make, source):
    make("a/b")
    first, _, listing = read_source(source("a/b"))
    Path(listing.units[0].location, "refs/thresher/commit").unlink()
    assert read_source(source("a/b"))[0].equals(first)


def test_not_a_git_server(source, api):
    api.only("/a/b.git/info/refs?service=git-upload-pack", 200, {"hello": "world"})
    _, skipped, _ = read_source(source("a/b", server_url=api.url))
    assert skipped == {"repository_failed": 1}
    assert "not a git server" in states(source())["a/b"].reason


@pytest.mark.parametrize("where", ["https://me:secret@github.com/a/b", "https://token@github.com/a/b"])
def test_logins_in_urls_are_refused_unseen(where):
    with pytest.raises(InputError, match="with a login") as caught:
        GithubSource(where)
    assert "secret" not in str(caught.value)
    assert "token" not in str(caught.value)


def test_repositories_whose_ids_are_sha256(make, source, upstream, tmp_path):
    """Also beside others on one server, which is asked what it can do only once, and from the second time on."""
    make("a/b")
    folder = Path(upstream.root, "new", "ids.git")
    git(tmp_path, "init", "-q", "--object-format=sha256", "-b", "main", str(folder))
    first = change(folder, "a.py", b"a = 1\n")
    for names in (["a/b", "new/ids"], ["new/ids"], [f"new/ids@{first}"]):
        table, skipped, _ = read_source(source(*names, store=str(tmp_path / f"s{len(names[0])}")))
        row = table.to_pylist()[-1]
        assert (row["repo"], row["ref"], row["content"], skipped) == ("new/ids", first, "a = 1\n", {})
        assert row["blob_id"] == git(folder, "rev-parse", "HEAD:a.py")
    second = change(folder, "b.py", b"b = 2\n")
    table, _, _ = read_source(source("new/ids", store=str(tmp_path / "s7")))
    assert (table.num_rows, set(table["ref"].to_pylist())) == (2, {second})


def test_what_became_of_every_repository_is_told(make, source, upstream):
    git(Path(upstream.root), "init", "-q", "--bare", "e/mpty.git")
    make("a/good")
    make("c/many", {f"{n}.py": b"x = 1\n" for n in range(9)})
    listing = source("a/good", "e/mpty", "c/many", "d/none", max_entries=5).units(IngestConfig())
    told = {row["repo"]: row for row in listing.repositories.to_pylist()}
    assert listing.repositories.schema == OUTCOMES
    assert {name: row["state"] for name, row in told.items()} == {
        "a/good": "done", "e/mpty": "done", "c/many": "too_large", "d/none": "gone",
    }  # fmt: skip
    assert told["a/good"]["ref"] == git(Path(upstream.root, "a/good.git"), "rev-parse", "HEAD")
    assert sorted(name for name, row in told.items() if row["ref"] is None) == ["c/many", "d/none", "e/mpty"]
    assert told["d/none"]["reason"]
    listing.discard()


def test_outcomes_are_a_list_that_reads_the_same_again(make, source, tmp_path):
    folder = make("a/b")
    table, _, listing = read_source(source("a/b"))
    pq.write_table(listing.repositories, tmp_path / "repositories.parquet")
    change(folder, "new.py", b"y = 2\n")
    again, _, _ = read_source(source(where=str(tmp_path / "repositories.parquet")))
    assert again.equals(table)
    assert read_source(source("a/b"))[0].num_rows == 3
