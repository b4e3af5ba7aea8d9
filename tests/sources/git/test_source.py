from __future__ import annotations

import http.server
import os
import pickle
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from reads import by_path, git, ids, read, read_all, repository

from columns.errors import InputError
from sources import IngestConfig, parse_spec, read_unit
from sources.git import program as gitprogram
from sources.git import source as repositories
from sources.git.blobs import Blob, read_blobs
from sources.stopping import Stop

FILES = {
    "a.py": b"a = 1\n",
    "src/b.go": b"package b\n",
    "src/caf\u00e9.py": b"e",
    "readme.xyz": b"?",
    "new\nline.py": b"n",
}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    repository(tmp_path / "project", FILES)
    return tmp_path / "project"


def test_rows(repo: Path) -> None:
    commit = git(repo, "rev-parse", "HEAD")
    table, skipped, listing = read_all(f"git:{repo}")
    found = by_path(table)
    assert sorted(found) == sorted(["a.py", "src/b.go", "src/café.py", "new\nline.py"])
    row = found["a.py"]
    assert (row["repo"], row["ref"], row["content"], row["language"]) == (
        "project",
        commit,
        "a = 1\n",
        "python",
    )
    assert row["blob_id"] == git(repo, "rev-parse", "HEAD:a.py")
    assert (row["source"], row["provenance"], row["size"]) == ("git", f"git {commit}", 6)
    assert skipped == {"other_language": 1}
    assert (listing.files, listing.total_bytes) == (4, 18)


def test_object_store_not_checkout(repo: Path) -> None:
    (repo / "a.py").write_text("changed")
    (repo / "untracked.py").write_text("new")
    found = by_path(read(f"git:{repo}"))
    assert found["a.py"]["content"] == "a = 1\n"
    assert "untracked.py" not in found


def test_refs(repo: Path) -> None:
    first = git(repo, "rev-parse", "HEAD")
    git(repo, "tag", "-a", "v1", "-m", "one")
    repository_two = repo / "c.py"
    repository_two.write_text("c")
    git(repo, "add", "c.py")
    git(repo, "commit", "-qm", "two")
    git(repo, "branch", "feature/x")
    for ref in (first, first[:10], "v1", "main~1"):
        table = read(f"git:{repo}@{ref}")
        assert (table.num_rows, set(table.column("ref").to_pylist())) == (4, {first})
    assert read(f"git:{repo}@feature/x").num_rows == 5


def test_bad_ref_lists_what_is_there(repo: Path) -> None:
    git(repo, "branch", "develop")
    with pytest.raises(InputError, match="no commit 'mian'") as caught:
        read(f"git:{repo}@mian")
    assert "develop, main" in str(caught.value)


@pytest.mark.parametrize("ref", ["--output=x", "-n", "a\nb", "main\x1b"])
def test_refs_that_look_like_options_are_refused(ref: str, repo: Path) -> None:
    with pytest.raises(InputError, match="refused"):
        read(f"git:{repo}@{ref}")


@pytest.mark.parametrize("where", ["-upload-pack=x", "--help"])
def test_repositories_that_look_like_options_are_refused(where: str) -> None:
    with pytest.raises(InputError, match="refused"):
        read(f"git:{where}")


@pytest.mark.parametrize("where", ["ext::sh -c id", "ext://sh", "foo://host/a.git"])
def test_transports_that_run_programs_are_refused(where: str, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        read(f"git:{where}", workdir=str(tmp_path))


def test_empty_repository(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "empty")
    table, skipped, listing = read_all(f"git:{tmp_path / 'empty'}")
    assert (table.num_rows, skipped, listing.units) == (0, {"empty_repository": 1}, ())


def test_commit_without_files(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "none")
    assert read(f"git:{tmp_path}").num_rows == 0


def test_not_a_repository(tmp_path: Path, repo: Path) -> None:
    (repo / "inside").mkdir()
    for folder in (tmp_path, repo / "inside"):
        with pytest.raises(InputError, match="not a git repository"):
            read(f"git:{folder}")
    with pytest.raises(InputError, match="no such file or directory") as caught:
        read(f"git:{tmp_path / 'projekt'}")
    assert "project" in str(caught.value)


def test_symlinks_and_submodules_are_counted(repo: Path) -> None:
    (repo / "link.py").symlink_to("a.py")
    git(repo, "add", "link.py")
    git(repo, "update-index", "--add", "--cacheinfo", f"160000,{git(repo, 'rev-parse', 'HEAD')},module.py")
    git(repo, "commit", "-qm", "links")
    table, skipped, _ = read_all(f"git:{repo}")
    assert table.num_rows == 4
    assert (skipped["symlink"], skipped["submodule"]) == (1, 1)


def test_path_bytes_and_length(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repositories, "MAX_PATH_BYTES", 20)
    blob = git(repo, "rev-parse", "HEAD:a.py").encode()
    entries = b"".join(b"100644 blob %s\t%s\0" % (blob, name) for name in (b"caf\xe9.py", b"x" * 30 + b".py"))
    tree = git(repo, "mktree", "-z", stdin=entries)
    commit = git(repo, "commit-tree", tree, "-m", "bytes")
    table, skipped, _ = read_all(f"git:{repo}@{commit}")
    assert table.column("path").to_pylist() == ["caf\\xe9.py"]
    assert skipped == {"path_too_long": 1}


def test_tree_bomb_is_refused(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = git(repo, "rev-parse", "HEAD^{tree}")
    for _ in range(12):
        tree = git(repo, "mktree", stdin="".join(f"040000 tree {tree}\td{i}\n" for i in range(10)).encode())
    commit = git(repo, "commit-tree", tree, "-m", "bomb")
    monkeypatch.setattr(repositories, "MAX_ENTRIES", 5000)
    with pytest.raises(InputError, match="more than 5,000 entries"):
        read(f"git:{repo}@{commit}")


def test_too_large_blob_is_not_read(repo: Path) -> None:
    found = by_path(read(f"git:{repo}", IngestConfig(max_bytes=6)))
    row = found["src/b.go"]
    assert (row["content"], row["problem"], row["size"]) == (None, "too_large", 10)
    assert found["a.py"]["content"] == "a = 1\n"


def test_damaged_and_missing_blobs_cost_themselves(tmp_path: Path) -> None:
    repo = tmp_path / "r"
    repository(repo, {f"{i}.py": f"x = {i}\n".encode() for i in range(20)})
    config = IngestConfig()
    listing = parse_spec(f"git:{repo}").units(config)
    for name, damage in (("3.py", None), ("7.py", b"not zlib"), ("9.py", b"")):
        blob = git(repo, "rev-parse", f"HEAD:{name}")
        stored = repo / ".git" / "objects" / blob[:2] / blob[2:]
        stored.chmod(0o644)
        stored.unlink() if damage is None else stored.write_bytes(damage)
    rows = {r["path"]: r for u in listing.units for b in read_unit(u, config) for r in b.to_pylist()}
    bad = {name for name, row in rows.items() if row["problem"]}
    assert (bad, len(rows)) == ({"3.py", "7.py", "9.py"}, 20)
    assert all(rows[name]["problem"].split(":")[0] in ("missing", "unreadable") for name in bad)
    assert all(rows[f"{i}.py"]["content"] == f"x = {i}\n" for i in range(20) if i not in (3, 7, 9))


def test_owned_by_someone_else(repo: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a repository to another user")
    for folder, _, names in os.walk(repo):
        os.chown(folder, 12345, 12345)
        for name in names:
            os.chown(os.path.join(folder, name), 12345, 12345)
    assert read(f"git:{repo}").num_rows == 4


def test_users_configuration_and_environment_are_not_read(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".gitconfig").write_text("[broken")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    assert read(f"git:{repo}").num_rows == 4


def test_hostile_configuration_runs_nothing(repo: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    for key in (
        "core.fsmonitor",
        "core.sshCommand",
        "core.pager",
        "core.alternateRefsCommand",
        "uploadpack.packObjectsHook",
    ):
        git(repo, "config", key, f"touch {trap}")
    git(repo, "config", "remote.origin.url", f"ext::touch {trap}")
    git(repo, "config", "remote.origin.promisor", "true")
    git(repo, "config", "protocol.ext.allow", "always")
    config = IngestConfig()
    units = parse_spec(f"git:{repo}").units(config).units
    blob = git(repo, "rev-parse", "HEAD:a.py")
    (repo / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    rows = {r["path"]: r for u in units for b in read_unit(u, config) for r in b.to_pylist()}
    assert rows["a.py"]["content"] is None
    assert rows["src/b.go"]["content"] == "package b\n"
    assert not trap.exists()


def test_replacement_objects_change_nothing(repo: Path) -> None:
    other = git(repo, "hash-object", "-w", "--stdin", stdin=b"evil")
    git(repo, "replace", git(repo, "rev-parse", "HEAD:a.py"), other)
    assert by_path(read(f"git:{repo}"))["a.py"]["content"] == "a = 1\n"


def test_bare_repositories_are_detected(repo: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(repo), "plain.git")
    git(tmp_path, "clone", "-q", "--bare", str(repo), "noname")
    assert ids(read(f"git:{repo}/.git")) == ids(read(f"git:{repo}"))
    for name, label in (("plain.git", "plain"), ("noname", "noname")):
        assert set(read(tmp_path / name).column("repo").to_pylist()) == {label}


def test_units_are_picklable_and_batches_change_nothing(repo: Path) -> None:
    units = parse_spec(f"git:{repo}").units(IngestConfig()).units
    assert pickle.loads(pickle.dumps(units)) == units
    assert read(f"git:{repo}", batch_bytes=3).equals(read(f"git:{repo}"))


def test_git_not_installed(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gitprogram.shutil, "which", lambda name: None)
    with pytest.raises(gitprogram.EnvironmentProblem, match="git is not installed"):
        read(f"git:{repo}")


def test_blobs_that_a_filter_left_out_are_too_large(repo: Path) -> None:
    known = git(repo, "rev-parse", "HEAD:src/b.go")
    asked = [Blob(b"gone.py", "1" * 40, 0), Blob(b"b.go", known, 10), Blob(b"large.go", known, 99)]
    for filtered, expected in (
        (False, [("missing", None), (None, 10), ("too_large", 99)]),
        (True, [("too_large", None), (None, 10), ("too_large", None)]),
    ):
        found = read_blobs(str(repo), asked, 20, filtered=filtered)
        assert [(file.problem, file.size) for file in found] == expected


def test_endless_path_is_refused(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repositories, "_MAX_RECORD", 3)
    with pytest.raises(repositories.TooManyEntries, match="a path of more than 3 bytes"):
        list(repositories._split(_Stream([b"abc\0de", b"fgh"])))  # type: ignore[arg-type]


class _Stream:
    def __init__(self, blocks: list[bytes]) -> None:
        self.stdout = self
        self.blocks = blocks

    def read1(self, _: int) -> bytes:
        return self.blocks.pop(0) if self.blocks else b""


def feed(folder: Path, blocks: Iterable[bytes], seconds: float = 20, memory: int = 4 << 30) -> None:
    arguments = ["index-pack", "--stdin"]
    gitprogram.feed_git(
        arguments, blocks, folder=str(folder), memory_bytes=memory, seconds=seconds, stop=Stop()
    )


def packed(repo: Path, *options: str) -> bytes:
    command = ["git", "-C", str(repo), "pack-objects", "--all", "--stdout", "-q", *options]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout


def test_feeding_git(repo: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "other.git")
    whole = packed(repo)
    feed(tmp_path / "other.git", [whole[:50], whole[50:]])
    assert git(tmp_path / "other.git", "cat-file", "-t", git(repo, "rev-parse", "HEAD")) == "commit"
    with pytest.raises(InputError, match="git index-pack: fatal"):
        feed(tmp_path / "other.git", [whole[:50]])
    with pytest.raises(InputError, match="git index-pack: fatal"):
        feed(tmp_path / "other.git", [b"nothing of the kind" * 1000] * 1000)


def test_feeding_git_ends_in_time_and_with_its_blocks(repo: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "other.git")
    whole = packed(repo)

    def slow() -> Iterator[bytes]:
        for byte in whole:
            yield bytes([byte])
            time.sleep(0.05)

    with pytest.raises(InputError, match="stopped by signal 9"):
        feed(tmp_path / "other.git", slow(), seconds=0.3)

    def broken() -> Iterator[bytes]:
        yield whole[:20]
        raise KeyError("connection")

    with pytest.raises(KeyError, match="connection"):
        feed(tmp_path / "other.git", broken())


def test_feeding_git_has_a_limit_of_memory(tmp_path: Path) -> None:
    repository(tmp_path / "r", {"a.py": b"\0" * 30_000_000})
    git(tmp_path, "init", "-q", "--bare", "other.git")
    with pytest.raises(InputError, match="index-pack"):
        feed(tmp_path / "other.git", [packed(tmp_path / "r")], memory=24 << 20)


class Backend(http.server.BaseHTTPRequestHandler):
    """Git's own HTTP server program behind a loopback socket."""

    root = ""

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": self.root,
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_LENGTH": str(length),
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "GIT_CONFIG_COUNT": "1",
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "REMOTE_ADDR": "127.0.0.1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        }
        body = self.rfile.read(length)
        done = subprocess.run(
            ["git", "http-backend"], input=body, capture_output=True, env=environment, check=False
        )
        head, _, rest = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Keep the tests quiet."""


@pytest.fixture
def remote(repo: Path, tmp_path: Path) -> Iterator[str]:
    handler = type("Handler", (Backend,), {"root": str(tmp_path)})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_over_http(remote: str, repo: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    table, _, listing = read_all(f"git:{remote}/project/.git", workdir=str(work))
    assert table.select(["path", "content", "blob_id", "ref"]).equals(
        read(f"git:{repo}").select(["path", "content", "blob_id", "ref"])
    )
    assert [str(work)] == [os.path.dirname(folder) for folder in listing.temporary]
    listing.discard()
    assert list(work.iterdir()) == []


def test_over_http_refs(remote: str, repo: Path, tmp_path: Path) -> None:
    first = git(repo, "rev-parse", "HEAD")
    git(repo, "tag", "v1")
    (repo / "c.py").write_text("c")
    git(repo, "add", "c.py")
    git(repo, "commit", "-qm", "two")
    for ref, rows in (("v1", 4), ("main", 5), (first, 4)):
        assert read(f"git+{remote}/project/.git@{ref}", workdir=str(tmp_path / "w")).num_rows == rows
    with pytest.raises(InputError, match="no commit 'nope'") as caught:
        read(f"{remote}/project/.git@nope", workdir=str(tmp_path / "w"))
    assert "main, v1" in str(caught.value)


def test_over_http_twice_starts_afresh(remote: str, repo: Path, tmp_path: Path) -> None:
    spec, work = f"git:{remote}/project/.git", str(tmp_path / "w")
    first = read(spec, workdir=work)
    (tmp_path / "w" / ".tmp-git-stale").mkdir()
    assert read(spec, workdir=work).equals(first)


def test_over_http_empty_and_missing(remote: str, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "empty.git")
    table, skipped, _ = read_all(f"git:{remote}/empty.git", workdir=str(tmp_path / "w"))
    assert (table.num_rows, skipped) == (0, {"empty_repository": 1})
    with pytest.raises(InputError, match="not found"):
        read(f"git:{remote}/nothing.git", workdir=str(tmp_path / "w"))
    with pytest.raises(InputError, match="needs a folder"):
        read(f"git:{remote}/project/.git")
    assert not any((tmp_path / "w").iterdir()) if (tmp_path / "w").exists() else True


def test_names_of_urls() -> None:
    names = {"https://h/owner/name.git": "owner/name", "ssh://git@h/a/b/c.git": "b/c", "https://h/one": "one"}
    assert {url: repositories._url_name(url) for url in names} == names
