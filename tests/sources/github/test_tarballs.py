"""Commits as tarballs: found by the API, fetched elsewhere without a token, read as the archives they are."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import subprocess
import tarfile
from pathlib import Path

import pyarrow as pa
import pytest
from crawling import change, read_source, states
from reads import git
from servers import ApiHandler, ApiServer, serving, status

from columns.document import DOCUMENT
from sources import Access, IngestConfig, Limits, Services, parse_spec, read_unit
from sources.github import GithubConfig, TarballUnit

SECRET = "ghp_0123456789abcdefSECRET"


@pytest.fixture
def codeload():
    """The host that the API redirects to."""
    with serving(ApiHandler, ApiServer()) as server:
        yield server


@pytest.fixture
def offer(api, codeload):
    """Let the API and the other host have a tarball; returns the commit."""

    def offer(folder: Path, name: str, raw: bytes | None = None) -> str:
        commit = git(folder, "rev-parse", "HEAD")
        top = f"{name.replace('/', '-')}-{commit[:7]}"
        command = ["git", "-C", str(folder), "archive", "--format=tar.gz", f"--prefix={top}/", "HEAD"]
        packed = subprocess.run(command, capture_output=True, check=True).stdout if raw is None else raw
        place = f"/{name}/legacy.tar.gz/{commit}"
        codeload.only(place, 200, packed)
        api.only(f"/repos/{name}/tarball/{commit}", 302, {}, Location=codeload.url + place)
        return commit

    return offer


@pytest.fixture
def tarballs(source):
    return lambda *names, **settings: source(*names, transport="tarball", **settings)


def made(*members: tuple[tarfile.TarInfo | str, bytes]) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as tar:
        for info, content in members:
            entry = tarfile.TarInfo(info) if isinstance(info, str) else info
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return sink.getvalue()


def test_rows_are_those_of_git(make, source, tarballs, offer, upstream, tmp_path):
    folder = make("acme/my-one", {"a.py": b"a = 1\n", "lib/b.go": b"package b\n", "lib/c.py": b"\xff\xfe"})
    commit = offer(folder, "acme/my-one")
    by_git, _, _ = read_source(source("acme/my-one", store=str(tmp_path / "git")))
    before = upstream.requests("acme/my-one")
    table, skipped, listing = read_source(tarballs("acme/my-one"))
    assert table.drop_columns(["blob_id"]).equals(by_git.drop_columns(["blob_id"]))
    assert table["blob_id"].null_count == 3
    assert (skipped, listing.files, listing.pinned) == ({}, 1, f"github:acme/my-one@{commit}")
    assert upstream.requests("acme/my-one") == before + 2
    assert upstream.asked["/acme/my-one.git/git-upload-pack#fetch"] == 1
    assert pickle.loads(pickle.dumps(listing.units)) == listing.units


def test_unchanged_is_not_fetched_again(make, tarballs, offer, codeload, api):
    folder = make("a/b")
    offer(folder, "a/b")
    first, _, listing = read_source(tarballs("a/b"))
    again, _, same = read_source(tarballs("a/b"))
    assert (len(codeload.seen), again.equals(first), same.stamp) == (1, True, listing.stamp)
    change(folder, "c.py", b"c")
    offer(folder, "a/b")
    third, _, changed = read_source(tarballs("a/b"))
    assert (third.num_rows, len(codeload.seen)) == (3, 2)
    assert changed.stamp != same.stamp
    assert len(list(Path(tarballs().github.store).rglob("*.tar.gz"))) == 1


def test_transports_do_not_take_each_other_s_place(make, source, tarballs, offer):
    offer(make("a/b"), "a/b")
    for _ in range(2):
        assert read_source(source("a/b"))[0]["blob_id"].null_count == 0
        assert read_source(tarballs("a/b"))[0]["blob_id"].null_count == 2


def test_the_token_stays_with_the_api(make, tarballs, offer, api, codeload, monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", SECRET)
    offer(make("a/b"), "a/b")
    crawled = tarballs("a/b")
    _, _, listing = read_source(crawled)
    assert [headers.get("Authorization") for _, headers in api.seen] == [f"Bearer {SECRET}"]
    assert len(codeload.seen) == 1
    assert not any(SECRET in json.dumps(headers) for _, headers in codeload.seen)
    assert SECRET.encode() not in pickle.dumps(listing.units)


def test_a_private_repository_stays_out_though_the_token_could_read_it(
    make, tarballs, offer, api, upstream, codeload, monkeypatch
):
    monkeypatch.setenv("GITHUB_TOKEN", SECRET)
    commit = offer(make("a/b"), "a/b")
    api.repository("a/b", private=True)
    for name in ("a/b", f"a/b@{commit}"):
        upstream.tricks["a/b"] = [status(401)]
        assert read_source(tarballs(name))[1] == {"repository_gone": 1}
        upstream.tricks["a/b"] = [status(500)] * 4
        assert read_source(tarballs(name))[1] == {"repository_forbidden": 1}
    assert codeload.seen == []


def test_the_commit_by_the_api_where_git_cannot_say_it(make, tarballs, offer, api, upstream):
    commit = offer(make("a/b"), "a/b")
    api.repository("a/b")
    api.only("/repos/a/b/commits/HEAD", 200, {"sha": commit})
    api.only("/repos/a/b/commits/feature%2Fx", 200, {"sha": commit})
    for entry in ("a/b", "a/b@feature/x"):
        upstream.tricks["a/b"] = [status(503)] * 8
        table, skipped, _ = read_source(tarballs(entry))
        assert (set(table["ref"].to_pylist()), skipped) == ({commit}, {})


@pytest.mark.parametrize("answer", [{"sha": "main"}, {"sha": 3}, {}, []])
def test_commits_that_make_no_sense(answer, make, tarballs, api, upstream):
    make("a/b")
    api.repository("a/b")
    api.only("/repos/a/b/commits/HEAD", 200, answer)
    upstream.tricks["a/b"] = [status(503)] * 4
    assert read_source(tarballs("a/b"))[1] == {"repository_failed": 1}


def test_metadata_and_renames(make, tarballs, offer, api):
    folder = make("new/name")
    commit = offer(folder, "new/name")
    api.repository("new/name")
    api.only("/repos/old/name", 301, {}, Location=f"{api.url}/repos/new/name")
    api.only(
        f"/repos/old/name/tarball/{commit}", 301, {}, Location=f"{api.url}/repos/new/name/tarball/{commit}"
    )
    table, _, _ = read_source(tarballs("old/name", metadata="api"))
    assert set(table["repo"].to_pylist()) == {"new/name"}
    assert set(table["stars"].to_pylist()) == {7}


@pytest.mark.parametrize(
    ("code", "state", "tries"),
    [(404, "gone", 1), (451, "forbidden", 1), (403, "forbidden", 1), (418, "failed", 1), (500, "failed", 4)],
)
@pytest.mark.parametrize("at", ["api", "codeload"])
def test_answers_of_both_hosts(at, code, state, tries, make, tarballs, offer, api, codeload):
    commit = offer(make("a/b"), "a/b")
    host, path = {
        "api": (api, f"/repos/a/b/tarball/{commit}"), "codeload": (codeload, f"/a/b/legacy.tar.gz/{commit}")
    }[at]  # fmt: skip
    kept = host.answers[path]
    host.only(path, code, {"message": "no"})
    assert read_source(tarballs("a/b"))[1] == {f"repository_{state}": 1}
    assert str(code) in states(tarballs())["a/b"].reason
    assert len([seen for seen, _ in host.seen if seen == path]) >= tries
    host.answers[path] = kept
    assert read_source(tarballs("a/b"))[0].num_rows == 2


def test_a_failure_that_passes(make, tarballs, offer, codeload, clock):
    commit = offer(make("a/b"), "a/b")
    codeload.before(f"/a/b/legacy.tar.gz/{commit}", 503)
    assert read_source(tarballs("a/b"))[0].num_rows == 2
    assert len(clock.waits) == 1


@pytest.mark.parametrize("raw", [b"", b"<html>no</html>", b"{}"])
def test_what_is_no_tarball_is_not_kept(raw, make, tarballs, offer):
    offer(make("a/b"), "a/b", raw)
    crawled = tarballs("a/b")
    assert read_source(crawled)[1] == {"repository_failed": 1}
    assert not list(Path(crawled.github.store).rglob("*.tar.gz"))


def test_over_the_limit(make, tarballs, offer, codeload):
    folder = make("a/b", {"a.py": os.urandom(30_000).hex().encode()})
    offer(folder, "a/b")
    for _ in range(2):
        assert read_source(tarballs("a/b", max_pack_bytes=10_000))[1] == {"repository_too_large": 1}
    assert len(codeload.seen) == 1


@pytest.mark.parametrize(
    "location", ["", "ftp://h/x", "http://me:pw@127.0.0.1/x", "http://[", "file:///etc/passwd"]
)
def test_redirects_to_nowhere(location, make, tarballs, offer, api):
    commit = offer(make("a/b"), "a/b")
    api.only(f"/repos/a/b/tarball/{commit}", 302, {}, Location=location)
    assert read_source(tarballs("a/b"))[1] == {"repository_failed": 1}


def test_redirects_in_circles(make, tarballs, offer, codeload):
    commit = offer(make("a/b"), "a/b")
    place = f"/a/b/legacy.tar.gz/{commit}"
    codeload.only(place, 302, {}, Location=codeload.url + place)
    assert read_source(tarballs("a/b"))[1] == {"repository_failed": 1}


def test_hostile_members(make, tarballs, offer, tmp_path):
    link = tarfile.TarInfo("a-b-1234567/link.py")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    device = tarfile.TarInfo("a-b-1234567/device.py")
    device.type = tarfile.CHRTYPE
    raw = made(
        ("a-b-1234567/ok.py", b"ok"),
        ("a-b-1234567/../../evil.py", b"evil"),
        ("/abs.py", b"abs"),
        (link, b""),
        (device, b""),
        ("other/inner/deep.py", b"deep"),
        ("top.py", b"top"),
    )
    offer(make("a/b"), "a/b", raw)
    table, skipped, _ = read_source(tarballs("a/b"))
    assert {"ok.py", "inner/deep.py", "top.py"} <= set(table["path"].to_pylist())
    assert set(table["repo"].to_pylist()) == {"a/b"}
    assert skipped["unsafe_path"] >= 1
    assert not list(tmp_path.rglob("*evil.py"))


def test_a_tarball_that_breaks_off(make, tarballs, offer):
    folder = make("a/b", {f"f{i}.py": os.urandom(3000).hex().encode() for i in range(20)})
    commit = offer(folder, "a/b")
    whole = made(*((f"a-b-1234567/f{i}.py", os.urandom(3000).hex().encode()) for i in range(20)))
    offer(folder, "a/b", whole[: len(whole) // 2])
    table, _, _ = read_source(tarballs("a/b"))
    last = table.to_pylist()[-1]
    assert 1 < table.num_rows < 20
    assert last["problem"].startswith("truncated")
    assert (last["repo"], last["ref"], last["path"]) == ("a/b", commit, "a/b")


def test_entries_and_files_over_their_limits(make, tarballs, offer):
    offer(make("a/b", {"a.py": b"a", "b.py": b"b" * 500, "c.py": b"c"}), "a/b")
    table, _, _ = read_source(tarballs("a/b"), IngestConfig(max_bytes=100))
    assert (
        dict(zip(table["path"].to_pylist(), table["problem"].to_pylist(), strict=True))["b.py"] == "too_large"
    )
    few, _, _ = read_source(tarballs("a/b", max_entries=2))
    assert few["problem"].to_pylist()[-1].startswith("too_large")


def test_an_interrupted_download_leaves_nothing_under_its_name(make, tarballs, offer, monkeypatch):
    offer(make("a/b"), "a/b")
    from sources.github import tarballs as module

    kept = module._gzipped

    def stops(blocks):
        yield b"\x1f\x8b"
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_gzipped", stops)
    crawled = tarballs("a/b")
    with pytest.raises(KeyboardInterrupt):
        read_source(crawled)
    assert not list(Path(crawled.github.store).rglob("*.tar.gz"))
    monkeypatch.setattr(module, "_gzipped", kept)
    assert read_source(crawled)[0].num_rows == 2
    assert not list(Path(crawled.github.store).rglob(".tmp"))


def test_what_is_gone_is_not_kept(make, tarballs, offer, upstream):
    offer(make("a/b"), "a/b")
    crawled = tarballs("a/b")
    read_source(crawled)
    upstream.tricks["a/b"] = [status(404)]
    assert read_source(crawled)[1] == {"repository_gone": 1}
    assert not list(Path(crawled.github.store).rglob("*.tar.gz"))


def test_read_on_another_machine(make, tarballs, offer, codeload, api, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "other"))
    monkeypatch.setattr("sources.github.patience.time.sleep", lambda _: None)
    (tmp_path / "other").mkdir()
    commit = offer(make("a/b"), "a/b")
    here, _, listing = read_source(tarballs("a/b"))
    units = pickle.loads(pickle.dumps(listing.units))
    listing.discard()
    shutil.rmtree(tarballs().github.store)
    path = f"/repos/a/b/tarball/{commit}"
    kept = api.answers[path]
    api.only(path, 404, {})

    def rows() -> pa.Table:
        return pa.Table.from_batches((b for unit in units for b in read_unit(unit, IngestConfig())), DOCUMENT)

    (lost,) = rows().to_pylist()
    assert (lost["problem"], lost["repo"], lost["ref"]) == (
        "unreadable: not fetched: 404: not there",
        "a/b",
        commit,
    )
    api.answers[path] = kept
    for _ in range(2):
        assert rows().equals(here)
    assert len(codeload.seen) == 2


def test_configuration():
    with pytest.raises(ValueError, match="transport: expected git or tarball, got 'ftp'"):
        GithubConfig(transport="ftp")  # type: ignore[arg-type]
    access = Access(Services(github=GithubConfig(transport="tarball")), limits=Limits(members=5))
    source = parse_spec("github:a/b", access)
    assert (source.github.transport, source.limits.members) == ("tarball", 5)


def test_units_are_small(make, tarballs, offer):
    offer(make("a/b"), "a/b")
    (unit,) = read_source(tarballs("a/b"))[2].units
    assert isinstance(unit, TarballUnit)
    assert len(pickle.dumps(unit)) < 2000
