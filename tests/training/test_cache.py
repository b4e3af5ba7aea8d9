from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import numpy as np
import pytest

from columns.errors import EnvironmentProblem, InputError
from training.cache import CacheConfig, cached_name, fetch, make_room
from training.catalog import shard_files
from training.store import RowStore


class RangeServer(SimpleHTTPRequestHandler):
    """Files with Range requests, as object stores give them; notes what was asked for."""

    asked: list[tuple[str, str | None]]

    def __init__(self, *given, asked: list[tuple[str, str | None]], **named) -> None:
        self.asked = asked
        super().__init__(*given, **named)

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.asked.append((self.path, wanted))
        path = Path(self.translate_path(self.path))
        if wanted is None or not path.is_file():
            super().do_GET()
            return
        first, last = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted).groups()
        data = path.read_bytes()
        stop = min(int(last) + 1 if last else len(data), len(data))
        piece = data[int(first) : stop]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{stop - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(piece)))
        self.end_headers()
        self.wfile.write(piece)

    def end_headers(self) -> None:
        self.send_header("Accept-Ranges", "bytes")
        super().end_headers()

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def served(dataset) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """``(url, requests)`` of a server for the dataset, on this machine only."""
    asked: list[tuple[str, str | None]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(RangeServer, directory=str(dataset), asked=asked))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def remote(dataset, request) -> str:
    """The dataset in fsspec's memory, under a name of the test's own."""
    url = f"memory://{request.node.name}"
    fsspec.filesystem("memory").put(str(dataset), f"/{request.node.name}", recursive=True)
    return url


def config(tmp_path, max_bytes: int = 1 << 20) -> CacheConfig:
    return CacheConfig(str(tmp_path / "cache"), max_bytes, retry_s=0.0)


def arrows(tmp_path) -> list[Path]:
    return sorted((tmp_path / "cache").glob("*.arrow"))


def test_rows_from_memory_are_those_on_disk(dataset, remote, tmp_path):
    local = RowStore(shard_files(dataset)).gather(np.arange(26), documents=True)
    found = RowStore(shard_files(remote), cache=config(tmp_path)).gather(np.arange(26), documents=True)
    for left, right in zip(local, found, strict=True):
        assert left.tolist() == right.tolist()
    assert len(arrows(tmp_path)) == 3


def test_rows_over_http_are_those_on_disk(dataset, served, tmp_path):
    url, asked = served
    store = RowStore(shard_files(url), cache=config(tmp_path))
    local = RowStore(shard_files(dataset)).gather(np.arange(26))
    assert store.gather(np.arange(26)).ids.tolist() == local.ids.tolist()
    assert any(ranged for path, ranged in asked if path.endswith(".arrow"))
    before = len(asked)
    store.gather(np.arange(26))
    assert len(asked) == before


def test_only_what_is_asked_for_is_fetched(remote, tmp_path):
    store = RowStore(shard_files(remote), cache=config(tmp_path))
    store.gather(np.array([10]))
    assert [path.name.split("-", 1)[1] for path in arrows(tmp_path)] == ["train-00001-of-00003.arrow"]


def test_the_cache_is_used_again(remote, tmp_path, monkeypatch):
    (shard, *_) = shard_files(remote)
    path = fetch(shard, config(tmp_path))
    monkeypatch.setattr("training.cache._download", lambda *_: pytest.fail("fetched again"))
    assert fetch(shard, config(tmp_path)) == path


def test_the_bytes_on_disk_are_bounded(remote, tmp_path):
    shards = shard_files(remote)
    limit = max(shard.size for shard in shards) + min(shard.size for shard in shards)
    store = RowStore(shards, cache=config(tmp_path, limit))
    rng = np.random.default_rng(0)
    for _ in range(40):
        row = rng.integers(0, 26, 1)
        assert store.gather(row).ids[0, 0] == row[0]
        assert sum(path.stat().st_size for path in arrows(tmp_path)) <= limit
        assert sum(mapped.held.size for mapped in store._open.values()) <= limit


def test_a_batch_that_needs_more_than_the_cache_says_so(remote, tmp_path):
    shards = shard_files(remote)
    store = RowStore(shards, cache=config(tmp_path, max(shard.size for shard in shards)))
    with pytest.raises(EnvironmentProblem, match="one batch needs 3 shards of") as caught:
        store.gather(np.array([0, 10, 20]))
    assert "Shuffle(window_rows=" in str(caught.value)


def test_a_shard_larger_than_the_cache_says_so(remote, tmp_path):
    with pytest.raises(EnvironmentProblem, match="the cache holds at most 10"):
        fetch(shard_files(remote)[0], config(tmp_path, 10))


def test_a_missing_shard_is_named(remote, tmp_path):
    shards = shard_files(remote)
    shards[1].place._at[0].rm(shards[1].path)
    with pytest.raises(InputError) as caught:
        RowStore(shards, cache=config(tmp_path)).gather(np.array([10]))
    assert f"{shards[1].path}: cannot be read at byte 0" in str(caught.value)
    assert not list((tmp_path / "cache").iterdir())


def rewrite(shard, change) -> None:
    filesystem = shard.place._at[0]
    filesystem.pipe_file(shard.path, change(filesystem.cat_file(shard.path)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:700] + b"?" + data[701:], r"bytes 0 to \d+: checksum expected"),
        (lambda data: data[:700], r"ends at byte 700, expected \d+ bytes"),
    ],
)
def test_a_damaged_shard_is_named_and_not_kept(remote, tmp_path, change, message):
    shards = shard_files(remote)
    rewrite(shards[0], change)
    with pytest.raises(InputError, match=message) as caught:
        fetch(shards[0], config(tmp_path))
    assert shards[0].path in str(caught.value)
    assert not list((tmp_path / "cache").iterdir())


def test_a_connection_that_breaks_is_tried_again(remote, tmp_path, monkeypatch):
    from training import cache

    (shard, *_) = shard_files(remote)
    copy, tries = cache._copy, []

    def flaky(*given):
        tries.append(1)
        if len(tries) < 3:
            raise InputError("the connection broke")
        return copy(*given)

    monkeypatch.setattr(cache, "_copy", flaky)
    assert fetch(shard, config(tmp_path)).stat().st_size == shard.size
    assert len(tries) == 3


def test_a_truncating_server_is_named(dataset, served, tmp_path):
    """The manifest states another size than the server has; the catalogue sees it first."""
    url, _ = served
    shards = shard_files(url)
    path = dataset / "shards" / shards[0].name
    data = path.read_bytes()
    try:
        path.write_bytes(data[:-8])
        with pytest.raises(InputError, match=r"train-00000-of-00003\.arrow"):
            fetch(shards[0], config(tmp_path))
    finally:
        path.write_bytes(data)


def test_what_was_used_longest_ago_goes_first(tmp_path):
    for age, name in ((3, "a.arrow"), (2, "b.arrow"), (1, "c.arrow")):
        (tmp_path / name).write_bytes(bytes(10))
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    assert make_room(tmp_path, 25) == ["a.arrow"]
    assert make_room(tmp_path, 10, keep={"b.arrow"}) == ["c.arrow"]
    assert [path.name for path in tmp_path.iterdir()] == ["b.arrow"]


def test_what_a_killed_process_left_is_swept_after_an_hour(tmp_path):
    old, new = tmp_path / ".tmp-old", tmp_path / ".tmp-new"
    for path in (old, new):
        path.write_bytes(b"x")
    os.utime(old, (0, 0))
    make_room(tmp_path, 100)
    assert not old.exists()
    assert new.exists()


def test_names_differ_when_content_does(dataset, make_dataset):
    (one, *_), (other, *_) = shard_files(dataset), shard_files(make_dataset())
    assert cached_name(one) != cached_name(other)


def test_threads_that_fetch_the_same_shard_agree(remote, tmp_path):
    (shard, *_) = shard_files(remote)
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(fetch(shard, config(tmp_path)))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert found[0].stat().st_size == shard.size
    assert len(list((tmp_path / "cache").iterdir())) == 1


@pytest.mark.parametrize("given_", [{"max_bytes": 0}, {"retry_s": -1.0}])
def test_the_config_says_what_it_expects(given_):
    with pytest.raises(ValueError, match="expected at least"):
        CacheConfig("x", **given_)


def test_the_manifest_may_state_no_checksum(remote, tmp_path):
    (shard, *_) = shard_files(remote)
    filesystem = shard.place._at[0]
    path = shard.path.replace(f"shards/{shard.name}", "manifest.json")
    manifest = json.loads(filesystem.cat_file(path))
    for entry in manifest["shards"]:
        del entry["sha256"]
    filesystem.pipe_file(path, json.dumps(manifest).encode())
    rewrite(shard, lambda data: data)
    assert fetch(shard_files(remote)[0], config(tmp_path)).exists()


def test_a_store_goes_on_after_a_shard_that_could_not_be_fetched(remote, tmp_path):
    shards = shard_files(remote)
    held = shards[1].place._at[0].cat_file(shards[1].path)
    store = RowStore(shards, cache=config(tmp_path, sum(sorted(shard.size for shard in shards)[1:])))
    rewrite(shards[1], lambda data: data[:100])
    with pytest.raises(InputError):
        store.gather(np.array([0, 10]))
    rewrite(shards[1], lambda _: held)
    for rows in ([10, 20], [0, 20], [0, 10]):
        assert store.gather(np.array(rows)).ids[:, 0].tolist() == rows
