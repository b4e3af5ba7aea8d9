"""Credentials: nothing that a user knows in confidence is told, stored or shown in the list of processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
import yaml

from dedup import MinHashConfig
from pipelines import cli
from tests.pipelines.building import RECIPE, ROOT, recipe
from tests.pipelines.corpus import sources, write_tree
from tests.pipelines.redisserver import free_port, server
from tests.pipelines.test_against import filled

SERVERS = ROOT / "tests" / "sources"
sys.path[:0] = [str(SERVERS / "github"), str(SERVERS)]

from reads import repository  # noqa: E402
from servers import ApiHandler, ApiServer, GitHandler, GitServer, serving  # noqa: E402

MARK = "hunter2"
TOKENS = f"ghp_{MARK}first,ghp_{MARK}second"
LOGIN = f"me:{MARK}"
SIGNED = f"X-Amz-Signature={MARK}"


class Watch(threading.Thread):
    """Samples the command lines of a process's descendants until it has ended.

    One that was just forked still has the command's own line, as the user typed it.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__(daemon=True)
        self.process = process
        self.seen: set[bytes] = set()

    def run(self) -> None:
        while self.process.poll() is None:
            time.sleep(0.005)
            parents, lines = {}, {}
            for folder in Path("/proc").iterdir():
                if folder.name.isdigit():
                    try:
                        parents[int(folder.name)] = int(
                            (folder / "stat").read_text().rpartition(")")[2].split()[1]
                        )
                        lines[int(folder.name)] = (folder / "cmdline").read_bytes()
                    except OSError:
                        continue
            own = lines.get(self.process.pid)
            self.seen |= {line for one, line in lines.items() if line != own and self._descends(one, parents)}

    def _descends(self, one: int, parents: dict[int, int]) -> bool:
        while (one := parents.get(one, 0)) > 1:
            if one == self.process.pid:
                return True
        return False


def run(*arguments: str, environment: dict[str, str]) -> tuple[int, str, set[bytes]]:
    """Exit code, all that was said, and the command lines of what was started."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip
    watch = Watch(process)
    watch.start()
    said, _ = process.communicate(timeout=240)
    watch.join()
    return process.returncode, said, watch.seen


def readable(path: Path) -> Iterator[bytes]:
    """A file's bytes, and those of its columns where it is a packed table."""
    raw = path.read_bytes()
    yield raw
    if path.suffix == ".parquet":
        yield repr(pq.read_table(path).to_pydict()).encode()
    elif path.suffix == ".arrow":
        with pa.ipc.open_file(pa.py_buffer(raw)) as file:
            yield repr(file.read_all().to_pydict()).encode()


def leaks(folder: Path) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return [str(path) for path in files if any(MARK.encode() in raw for raw in readable(path))]


@pytest.fixture
def github(tmp_path: Path) -> Iterator[tuple[GitServer, ApiServer]]:
    root = tmp_path / "upstream"
    root.mkdir()
    with serving(GitHandler, GitServer(str(root))) as upstream, serving(ApiHandler, ApiServer()) as api:
        repository(root / "a" / "b.git", {name: text.encode() for name, text in sources(12).items()})
        api.repository("a/b")
        yield upstream, api


@pytest.fixture
def secrets(tmp_path: Path, github: tuple[GitServer, ApiServer]) -> dict[str, str]:
    """An environment full of secrets, with a proxy that is not there for other hosts."""
    upstream, api = github
    access = {
        "github": {"server_url": upstream.url, "api_url": api.url, "store": str(tmp_path / "work" / "store")}
    }
    (tmp_path / "access.yaml").write_text(yaml.safe_dump(access))
    proxy = f"http://{LOGIN}@127.0.0.1:{free_port()}"
    return {
        "GITHUB_TOKENS": TOKENS, "http_proxy": proxy, "https_proxy": proxy, "HTTPS_PROXY": proxy,
        "no_proxy": "127.0.0.1", "AWS_SECRET_ACCESS_KEY": MARK, "GIT_HTTP_EXTRAHEADER": f"Authorization: {MARK}",
        "THRESHER_ACCESS": str(tmp_path / "access.yaml"), "HOME": str(tmp_path / "work"),
        "TMPDIR": str(tmp_path / "work" / "tmp"), "COLUMNS": "200",
    }  # fmt: skip


def check(folder: Path, secrets: dict[str, str], code: int, *arguments: str) -> str:
    """Run a command and look for the mark everywhere; returns what was said."""
    Path(secrets["TMPDIR"]).mkdir(parents=True, exist_ok=True)
    found, said, started = run(*arguments, environment=secrets)
    assert found == code, said
    assert "Traceback" not in said
    assert MARK not in said
    assert not [line for line in started if MARK.encode() in line]
    assert leaks(folder) == []
    return said


@pytest.mark.long
@pytest.mark.slow
def test_whole_commands_tell_no_secret(
    tmp_path: Path, secrets: dict[str, str], github: tuple[GitServer, ApiServer]
) -> None:
    path, out = recipe(tmp_path, RECIPE + "github: {metadata: api}\n"), str(tmp_path / "out")
    tree = str(write_tree(tmp_path / "tree", sources(30)))
    inputs = ("--input", "github:a/b", "--input", tree)
    with server(tmp_path, "--requirepass", MARK) as port:
        scheme = MinHashConfig()
        filled(port, {"x": " ".join(map(str, range(90)))}, scheme, password=MARK)
        asked = (
            f"redis://:{MARK}@127.0.0.1:{port}?basename=seen&num_perm={scheme.num_perm}&hash={scheme.hash}"
        )
        against = ("--against", asked)
        check(tmp_path, secrets, 0, "build", path, *inputs, "--output", out, *against)
    assert any(MARK in fields.get("Authorization", "") for _, fields in github[1].seen)
    assert not any(MARK in str(fields) for fields in github[0].headers)
    check(tmp_path, secrets, 0, "plan", path, *inputs)
    check(tmp_path, secrets, 0, "inspect", out)
    check(tmp_path, secrets, 0, "explain", out, f"a/b:{sorted(sources(12))[0]}")
    check(tmp_path, secrets, 0, "whois", out, "def nothing_like_this(): pass")
    check(tmp_path, secrets, 2, "build", path, *inputs, "--output", out, *against)


@pytest.mark.slow
def test_failing_builds_tell_no_secret(tmp_path: Path, secrets: dict[str, str]) -> None:
    tree = str(write_tree(tmp_path / "tree", sources(5)))
    out = ("--output", str(tmp_path / "out"))
    del secrets["no_proxy"]
    check(tmp_path, secrets, 2, "build", "codex", "--input", "git:http://127.0.0.1:9/a/b.git", *out)
    path = recipe(tmp_path, RECIPE + "tokenizer: {kind: nothing}\n")
    check(tmp_path, secrets, 2, "build", path, "--input", tree, *out)


def told(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> tuple[Any, str]:
    """Exit code and output of a command in this process."""
    monkeypatch.setattr(sys, "argv", ["thresher", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capfd.readouterr()
    return ended.value.code, said.out + said.err


REFUSED = [
    f"{kind}https://{LOGIN}@127.0.0.1:9/a.{suffix}"
    for kind, suffix in (
        ("parquet:", "parquet"), ("jsonl:", "jsonl"), ("archive:", "tar.gz"), ("github:", "txt"), ("tree:", "d"),
        ("bigquery:", "sql"), ("tre:", "x"), ("", "parquet"), ("", "jsonl.gz"), ("", "zip"), ("", "unknown"),
        ("simplecache::", "parquet"), ("git:", "git"), ("", "git"),
    )
]  # fmt: skip


@pytest.mark.parametrize("spec", REFUSED)
@pytest.mark.parametrize("command", ["build", "plan"])
def test_inputs_with_a_login_are_refused_unseen(
    command: str,
    spec: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    more = ("--output", str(tmp_path / "out")) if command == "build" else ()
    code, said = told(capfd, monkeypatch, command, "codex", "--input", spec, *more)
    assert (code, MARK in said, "Traceback" in said) == (2, False, False)
    assert "a URL with a login" in said
    assert "hint:" in said
    assert leaks(tmp_path) == []


def option(name: str, value: str) -> Sequence[str]:
    return ("build", "codex", "--input", "src", "--output", "out", name, value)


@pytest.mark.parametrize(
    "arguments",
    [
        option("--against", f"https://{LOGIN}@127.0.0.1:9/index"),
        option("--against", f"redis://:{MARK}@127.0.0.1:9?basename=x&num_perm=256"),
        option("--against", f"redis://:{MARK}@127.0.0.1:no?basename=x"),
        option("--against", f"redis://:{MARK}@127.0.0.1:9?base=x"),
        option("--reuse", f"s3://{LOGIN}@bucket/old"),
        option("--output", f"s3://{LOGIN}@bucket/out"),
        option("--set", f"tokenizer.path=https://{LOGIN}@host/tok.json"),
        option("--set", f"nothing.like=https://{LOGIN}@host/tok.json"),
        option("--set", f"ingest.opt_out=https://{LOGIN}@host/list.yaml"),
        option("--access", f"https://{LOGIN}@host/access.yaml"),
        ("build", f"https://{LOGIN}@host/recipe.yaml", "--input", "src", "--output", "out"),
        ("explain", f"https://{LOGIN}@host/dataset", "a.py"),
        ("whois", f"https://{LOGIN}@host/dataset", "x"),
        ("inspect", f"https://{LOGIN}@host/dataset"),
    ],
    ids=lambda arguments: " ".join(arguments[:1] + arguments[-2:]).replace("/", " ")[:60],
)
def test_other_places_with_a_login_are_refused_unseen(
    arguments: Sequence[str],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_tree(tmp_path / "src", sources(3))
    code, said = told(capfd, monkeypatch, *arguments)
    assert (code, MARK in said, "Traceback" in said) == (2, False, False)
    assert leaks(tmp_path) == []


@pytest.mark.parametrize(
    "data",
    [
        {"github": {"api_url": f"https://{LOGIN}@host"}},
        {"github": {"server_url": f"https://{MARK}@host"}},
        {"github": {"api_url": f"ftp://host/?{SIGNED}"}},
        {"github": {"token": MARK}},
        {"github": {"connections": MARK}},
        {"bigquery": {"api": f"https://{LOGIN}@host"}},
        {"bigquery": {"api": f"http://{LOGIN}@host"}},
        f"- {MARK}",
    ],
    ids=str,
)
def test_access_files(
    data: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "access.yaml").write_text(data if isinstance(data, str) else yaml.safe_dump(data))
    monkeypatch.chdir(tmp_path)
    code, said = told(capfd, monkeypatch, *option("--access", "access.yaml"))
    assert (code, MARK in said, "Traceback" in said) == (2, False, False)


@pytest.mark.parametrize("name", ["GITHUB_API_URL", "GITHUB_SERVER_URL"])
def test_addresses_of_the_environment(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, f"https://{LOGIN}@host")
    monkeypatch.chdir(tmp_path)
    code, said = told(capfd, monkeypatch, *option("--input", "github:a/b"))
    assert (code, MARK in said, "Traceback" in said) == (2, False, False)


def test_recipes_with_a_login_are_refused_unseen(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recipe(tmp_path, RECIPE + f"about: see https://{LOGIN}@host/x\n")
    code, said = told(capfd, monkeypatch, "build", path, "--input", "src", "--output", str(tmp_path / "out"))
    assert (code, MARK in said) == (2, False)
    assert "a URL with a login" in said


def test_signatures_of_urls_are_not_stored(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import fsspec

    filesystem = fsspec.filesystem("memory")
    with filesystem.open(f"/set/a.parquet?{SIGNED}", "wb") as file:
        texts = sources(30)
        pq.write_table(pa.table({"path": list(texts), "content": list(texts.values())}), file)
    out = tmp_path / "out"
    monkeypatch.setattr(
        sys, "argv",
        ["thresher", "build", recipe(tmp_path), "--input", f"parquet:memory://set/a.parquet?{SIGNED}",
         "--output", str(out)],
    )  # fmt: skip
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    assert MARK not in "".join(capfd.readouterr())
    assert leaks(out) == []
    assert (out / "manifest.json").exists()
