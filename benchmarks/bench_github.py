"""Fetching many small repositories, and reading all code of a bare one, beside the ways it is usually done.

Caveats first: everything is on one machine, so the server's CPU (git http-backend, three programs per request, and the
Python that starts them) is in the wall time; loopback has no latency, the network of a real crawl has; files are
warm in the page cache; repositories are made from the standard library of the running Python, five to eight files
each, with one commit. "clone, then read" is what github-downloader of The Pile does for each repository: ``git clone
--depth 1`` with a checkout, then reading the files of the tree; it is measured on a tenth of the repositories, as many
at a time as ours, and does not hash or decode. "cat-file" is the git program alone,
its output read and thrown away: the floor for anything that uses it. Ours decodes, hashes and types the rows
too, unless the line says "blobs alone". Figures are wall seconds; the best of ``--repeat``, whole runs in turn.

    OMP_NUM_THREADS=1 python benchmarks/bench_github.py --repositories 1000 --repeat 2 --kills 100
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import random
import resource
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from sources import IngestConfig, read_unit
from sources.git.blobs import Blob, read_blobs
from sources.git.source import GitSource, sized_blobs
from sources.github import GithubChoice, GithubConfig, GithubSource

CHOICE = GithubChoice(metadata="list")
SERVER = """
import sys
sys.path.insert(0, sys.argv[2])
from servers import GitHandler, GitServer, serving
with serving(GitHandler, GitServer(sys.argv[1])) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


def library() -> list[tuple[str, bytes]]:
    root = Path(sysconfig.get_paths()["stdlib"])
    found = [path for path in sorted(root.rglob("*.py")) if "site-packages" not in path.parts]
    return [(path.relative_to(root).as_posix(), path.read_bytes()) for path in found]


def stream(files: list[tuple[str, bytes]]) -> bytes:
    """A repository of one commit in the format of git fast-import."""
    head = b"commit refs/heads/main\ncommitter a <a@example.org> 1700000000 +0000\ndata 0\n"
    entries = [b"M 100644 inline %b\ndata %d\n%b\n" % (n.encode(), len(raw), raw) for n, raw in files]
    return head + b"".join(entries)


def make_repository(folder: Path, files: list[tuple[str, bytes]]) -> None:
    for inner in ("objects", "refs/heads"):
        (folder / inner).mkdir(parents=True)
    (folder / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = true\n")
    command = ["git", "-C", str(folder), "-c", "fastimport.unpackLimit=0", "fast-import", "--quiet"]
    subprocess.run(command, input=stream(files), check=True)


def make_repositories(root: Path, count: int) -> list[str]:
    files = [(name, raw) for name, raw in library() if 200 < len(raw) < 20_000]
    names = [f"owner{number % 50}/repo{number}" for number in range(count)]
    for number, name in enumerate(names):
        chosen = [files[(number * 31 + step * 7) % len(files)] for step in range(5 + number % 4)]
        marked = {path: raw + b"# %d\n" % number for path, raw in chosen}
        make_repository(root / f"{name}.git", sorted(marked.items()))
    return names


@contextmanager
def server(root: Path) -> Iterator[str]:
    doubles = Path(__file__).resolve().parent.parent / "tests" / "sources" / "github"
    command = [sys.executable, "-c", SERVER, str(root), str(doubles)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait()


def seconds_of(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def cpu_seconds() -> float:
    """Of this process and of the programs it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def read_units(listing: Any, config: IngestConfig) -> tuple[int, int]:
    rows = size = 0
    for unit in listing.units:
        for batch in read_unit(unit, config):
            rows += batch.num_rows
            size += sum(value or 0 for value in batch.column("size").to_pylist())
    return rows, size


def crawl(folder: Path, names: list[str], url: str, connections: int) -> list[dict[str, Any]]:
    listed = folder / "list.txt"
    listed.write_text("\n".join(names))
    config = GithubConfig(server_url=url, store=str(folder / "store"), connections=connections)
    source, ingest = GithubSource(str(listed), CHOICE, config), IngestConfig()
    fetch, listing = seconds_of(lambda: source.units(ingest))
    read, (rows, _) = seconds_of(lambda: read_units(listing, ingest))
    again, _ = seconds_of(lambda: source.units(ingest))
    assert rows == listing.files > 4 * len(names)
    return [
        {"what": "fetch and list", "seconds": fetch, "repos_per_s": len(names) / fetch},
        {"what": "fetch, list and read", "seconds": fetch + read, "repos_per_s": len(names) / (fetch + read)},
        {"what": "again, nothing has changed", "seconds": again, "repos_per_s": len(names) / again},
    ]


def git_clones(folder: Path, names: list[str], url: str, connections: int) -> dict[str, Any]:
    def clone_one(name: str) -> int:
        clone(f"{url}/{name}.git", folder / "clones" / name)
        return read_tree(folder / "clones" / name)

    with ThreadPoolExecutor(connections) as pool:
        seconds, sizes = seconds_of(lambda: list(pool.map(clone_one, names)))
    assert min(sizes) > 0
    return {"what": "git clone, then read", "seconds": seconds, "repos_per_s": len(names) / seconds}


def clone(url: str, target: Path) -> None:
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", url, str(target)], check=True)


def read_tree(folder: Path) -> int:
    return sum(
        len(path.read_bytes()) for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts
    )


def cat_file(folder: Path, ids: bytes) -> int:
    command = ["git", "-C", str(folder), "cat-file", "--batch"]
    with tempfile.TemporaryFile() as requests:
        requests.write(ids)
        requests.seek(0)
        process = subprocess.Popen(command, stdin=requests, stdout=subprocess.PIPE, bufsize=1 << 18)
        assert process.stdout is not None
        total = 0
        while block := process.stdout.read(1 << 18):
            total += len(block)
        process.wait()
    return total


def bare(folder: Path) -> list[dict[str, Any]]:
    files = library()
    size = sum(len(raw) for _, raw in files)
    target, config = folder / "library.git", IngestConfig()
    make_repository(target, files)
    commit = subprocess.run(
        ["git", "-C", str(target), "rev-parse", "refs/heads/main"], capture_output=True, text=True, check=True
    ).stdout.strip()
    blobs = [blob for blob, _ in sized_blobs(str(target), commit, config, Counter(), 10**6)]
    ids = b"".join(blob.blob_id.encode() + b"\n" for blob in blobs)
    ways: dict[str, Callable[[], Any]] = {
        "git cat-file --batch": lambda: cat_file(target, ids),
        "ours, blobs alone": lambda: sum(
            len(file.raw or b"") for file in read_blobs(str(target), blobs, config.max_bytes)
        ),
        "ours, blobs alone, two readers": lambda: two_readers(target, blobs, config),
        "ours, complete rows": lambda: read_units(GitSource(str(target)).units(config), config),
        "clone with a checkout, then read": lambda: clone_and_read(target, folder),
    }
    rows = []
    for what, work in ways.items():
        before = cpu_seconds()
        seconds, _ = seconds_of(work)
        cpu = cpu_seconds() - before
        speed = {"mb_per_s": size / 1e6 / seconds, "mb_per_cpu_s": size / 1e6 / cpu}
        rows.append({"what": f"library, {what}", "seconds": seconds, **speed})
    return rows


def two_readers(repository: Path, blobs: list[Blob], config: IngestConfig) -> int:
    """Two workers with some units each, as in a build."""

    def read(some: list[Blob]) -> int:
        return sum(len(file.raw or b"") for file in read_blobs(str(repository), some, config.max_bytes))

    with ThreadPoolExecutor(2) as pool:
        return sum(pool.map(read, (blobs[: len(blobs) // 2], blobs[len(blobs) // 2 :])))


def clone_and_read(repository: Path, folder: Path) -> int:
    with tempfile.TemporaryDirectory(dir=folder) as inner:
        clone(f"file://{repository}", Path(inner, "tree"))
        return read_tree(Path(inner, "tree"))


KILLED = """
import sys
from sources import IngestConfig
from sources.github import GithubChoice, GithubConfig, GithubSource
config = GithubConfig(server_url=sys.argv[1], store=sys.argv[2], connections=4)
GithubSource(sys.argv[3], GithubChoice(metadata="list"), config).units(IngestConfig())
"""


def rows_of(where: str, config: GithubConfig) -> pa.Table:
    listing, ingest = GithubSource(where, CHOICE, config).units(IngestConfig()), IngestConfig()
    assert not listing.skipped.get("repository_failed")
    return pa.Table.from_batches([batch for unit in listing.units for batch in read_unit(unit, ingest)])


def kills(folder: Path, names: list[str], url: str, count: int) -> dict[str, Any]:
    """Kill crawls at moments drawn from a seed until ``count`` were killed; every store must end with the same rows."""
    listed, draw = folder / "kills.txt", random.Random(6)
    listed.write_text("\n".join(names))
    config = GithubConfig(server_url=url, store=str(folder / "whole"))
    expected, start = rows_of(str(listed), config), time.perf_counter()
    killed = stores = 0
    while killed < count:
        stores += 1
        config = dataclasses.replace(config, store=str(folder / f"killed{stores}"))
        killed += kill_until_done(config, str(listed), draw, min(5, count - killed))
        if not rows_of(str(listed), config).equals(expected):
            raise SystemExit(f"rows differ after kills in store {stores}")
    seconds = time.perf_counter() - start
    return {"what": f"{killed} kills in {stores} stores: same rows", "seconds": seconds, "kills": killed}


def kill_until_done(config: GithubConfig, listed: str, draw: random.Random, most: int) -> int:
    command = [sys.executable, "-c", KILLED, config.server_url, config.store, listed]
    states, killed = Path(config.store, "states.jsonl"), 0
    while killed < most:
        process = subprocess.Popen(command)
        while process.poll() is None and not states.exists():
            time.sleep(0.002)
        try:
            process.wait(draw.random() * 0.6)
            return killed
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1
    return killed


def best(runs: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Of each line the run with the least wall seconds."""
    chosen = [min(same, key=lambda row: row["seconds"]) for same in zip(*runs, strict=True)]
    return [{k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()} for row in chosen]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repositories", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    runs: list[list[dict[str, Any]]] = []
    with tempfile.TemporaryDirectory() as made:
        upstream = Path(made, "upstream")
        names = make_repositories(upstream, options.repositories)
        with server(upstream) as url:
            for _ in range(options.repeat):
                with tempfile.TemporaryDirectory() as folder:
                    rows = crawl(Path(folder), names, url, options.connections)
                    rows += [
                        git_clones(Path(folder), names[: max(1, len(names) // 10)], url, options.connections)
                    ]
                    runs.append(rows + bare(Path(folder)))
            killed = [kills(Path(made), names[:60], url, options.kills)] if options.kills else []
    rows = best(runs) + killed
    if options.json:
        print(json.dumps({"cores": os.cpu_count(), "repositories": options.repositories, "rows": rows}))
    else:
        for row in rows:
            named = {"repos/s": "repos_per_s", "MB/s": "mb_per_s", "kills": "kills"}
            rate = next(f"{row[key]:8.1f} {unit}" for unit, key in named.items() if key in row)
            cpu = f"{row['mb_per_cpu_s']:8.1f} MB/CPU s" if "mb_per_cpu_s" in row else ""
            print(f"{row['what']:45} {row['seconds']:8.2f} s {rate} {cpu}".rstrip())


if __name__ == "__main__":
    main()
