from __future__ import annotations

import gzip
import hashlib
import json
import tracemalloc
from pathlib import Path

import fsspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from reads import ids, read, read_all

from columns.errors import InputError
from sources import IngestConfig, parse_spec, read_unit

ROWS = [
    {"path": f"{i}.py", "content": f"x = {i}\n", "repo_name": "a/b", "max_stars_count": i} for i in range(50)
]


def lines(rows: list[object], ending: str = "\n") -> bytes:
    return "".join(json.dumps(row) + ending for row in rows).encode()


def test_rows(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_bytes(lines(ROWS))
    found = read(tmp_path / "t.jsonl").to_pylist()
    assert [r["content"] for r in found] == [r["content"] for r in ROWS]
    assert (found[3]["stars"], found[3]["repo"], found[3]["provenance"]) == (3, "a/b", "t.jsonl#line=4")
    assert (found[3]["language"], found[3]["source"], found[3]["size"]) == ("python", "jsonl", 6)


PACKED = {
    "t.jsonl": bytes,
    "t.ndjson": bytes,
    "t.jsonl.gz": gzip.compress,
    "t.json.gz": gzip.compress,
    "t.jsonl.zst": zstandard.compress,
    "misnamed.jsonl": gzip.compress,
}


@pytest.mark.parametrize("name", PACKED)
def test_packing_changes_nothing(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(PACKED[name](lines(ROWS)))
    (tmp_path / "plain.jsonl").write_bytes(lines(ROWS))
    assert ids(read(tmp_path / name)) == ids(read(tmp_path / "plain.jsonl"))


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_several_members_and_padding(pack: object, tmp_path: Path) -> None:
    packed = pack(lines(ROWS[:20])) + pack(b"") + pack(lines(ROWS[20:])) + b"\0" * 700
    (tmp_path / "t.jsonl.gz").write_bytes(packed)
    table = read(tmp_path / "t.jsonl.gz")
    assert (table.num_rows, table.column("problem").null_count) == (50, 50)


@pytest.mark.parametrize("name", ["t.jsonl.gz", "t.jsonl.zst"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.999])
def test_truncated_keeps_good_rows(name: str, share: float, tmp_path: Path) -> None:
    texts = ["".join(hashlib.sha256(b"%d %d" % (i, j)).hexdigest() for j in range(20)) for i in range(3000)]
    packed = PACKED[name](lines([{"path": f"{i}.py", "content": t} for i, t in enumerate(texts)]))
    (tmp_path / name).write_bytes(packed[: int(len(packed) * share)])
    rows = read(tmp_path / name).to_pylist()
    good = [r["content"] for r in rows if r["problem"] is None]
    assert good == texts[: len(good)]
    assert len(good) > 0.9 * share * 3000 - 200
    assert rows[-1]["problem"].startswith(f"truncated: after line {len(good)}: ")
    assert (rows[-1]["path"], len(rows)) == (name, len(good) + 1)


def test_damaged_gzip(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(lines(ROWS)))
    packed[len(packed) // 2 :] = b"\xff" * (len(packed) // 2)
    (tmp_path / "t.jsonl.gz").write_bytes(packed)
    assert read(tmp_path / "t.jsonl.gz").to_pylist()[-1]["problem"].startswith("truncated: ")


def test_bad_lines_cost_themselves(tmp_path: Path) -> None:
    bad = [
        b"{",
        b"[1]",
        b"3",
        b"null",
        b'"text"',
        b'{"content": 5}',
        b'{"content": "x"',
        b"\xff\xfe",
        b"[" * 5000,
        b'{"content": ["a"]}',
        b'{"content": {}}',
    ]
    good = [json.dumps(row).encode() for row in ROWS[: len(bad)]]
    mixed = [line for pair in zip(good, bad, strict=True) for line in pair]
    (tmp_path / "t.jsonl").write_bytes(b"\n".join(mixed))
    rows = read(tmp_path / "t.jsonl").to_pylist()
    assert [r["content"] for r in rows[::2]] == [r["content"] for r in ROWS[: len(bad)]]
    for number, row in enumerate(rows[1::2], 1):
        assert row["problem"].startswith(f"malformed: line {2 * number}: "), row["problem"]
        assert row["path"] == row["provenance"] == f"t.jsonl#line={2 * number}"
        assert row["content"] is None


def test_endings_blank_lines_and_mark(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_bytes(
        b"\xef\xbb\xbf" + lines(ROWS[:2], "\r\n") + b"\r\n  \n" + lines(ROWS[2:3]).strip()
    )
    found = read(tmp_path / "t.jsonl")
    assert found.column("content").to_pylist() == [r["content"] for r in ROWS[:3]]
    assert found.column("provenance").to_pylist() == ["t.jsonl#line=1", "t.jsonl#line=2", "t.jsonl#line=5"]


def test_what_only_python_parses(tmp_path: Path) -> None:
    raw = b'{"content": "a", "score": NaN}\n{"content": "b\\ud800"}\n{"content": "c\xff"}\n'
    raw += b'{"content": "\xef\xbf\xbd", "s": NaN}\n'
    (tmp_path / "t.jsonl").write_bytes(raw)
    table = read(tmp_path / "t.jsonl")
    assert table.column("content").to_pylist() == ["a", "b\ufffd", "c\ufffd", "\ufffd"]
    assert table.column("lossy").to_pylist() == [False, True, True, False]


def test_missing_content_and_nul(tmp_path: Path) -> None:
    rows = [
        {"content": "x\0 and more text"},
        {"content": None, "path": "a.py"},
        {"path": "b.py"},
        {"content": "\0\0"},
    ]
    (tmp_path / "t.jsonl").write_bytes(lines(rows))
    assert read(tmp_path / "t.jsonl").column("problem").to_pylist() == [None, "missing", "missing", "binary"]


def test_awkward_values(tmp_path: Path) -> None:
    deep: list[object] = []
    for _ in range(900):
        deep = [deep]
    row = {
        "content": "x",
        "path": 5,
        "stars": 1e300,
        "forks": "9" * 5000,
        "license": deep,
        "ref": {"a": 1},
        "repo": "a\ud800",
        "updated": "2024-02-30",
        "size": True,
        "language": ["C"],
    }
    (tmp_path / "t.jsonl").write_bytes(lines([row]))
    found = read(tmp_path / "t.jsonl").to_pylist()[0]
    assert (found["content"], found["path"], found["repo"], found["language"]) == ("x", "5", "a\ufffd", "c")
    assert all(found[name] is None for name in ("stars", "forks", "license", "ref", "updated"))


def test_languages(tmp_path: Path) -> None:
    rows = [{"content": "a", "lang": "Python"}, {"content": "b", "lang": "Go"}, {"content": "c"}]
    (tmp_path / "t.jsonl").write_bytes(lines(rows) + b"{bad\n")
    table, skipped, _ = read_all(tmp_path / "t.jsonl", IngestConfig(languages=("python",)))
    assert table.column("content").to_pylist() == ["a", None]
    assert table.column("problem").to_pylist()[1].startswith("malformed: line 4: ")
    assert skipped == {"other_language": 2}


def test_no_content_column(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_bytes(lines([{"body": "x", "where": "y"}]))
    with pytest.raises(InputError, match="found: body, where"):
        read(tmp_path / "t.jsonl")
    config = IngestConfig(columns=(("content", "body"), ("path", "where")))
    assert read(tmp_path / "t.jsonl", config).column("content").to_pylist() == ["x"]


good_or_bad = st.one_of(
    st.just(b"{bad"), st.text(max_size=30).map(lambda t: json.dumps({"content": t}).encode())
)


@given(st.lists(good_or_bad, min_size=1, max_size=20), st.integers(1, 80))
def test_batches_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, found: list[bytes], batch_bytes: int
) -> None:
    path = tmp_path_factory.mktemp("batches") / "t.jsonl"
    path.write_bytes(b"\n".join(found))
    assert read(path, batch_bytes=batch_bytes).equals(read(path))


def test_huge_line_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(lines(ROWS[:1]) + b'{"content": "')
        for _ in range(60):
            file.write(b"x" * (1 << 20))
        file.write(b'"}\n' + lines(ROWS[1:2]))
    config = IngestConfig(max_bytes=100_000)
    unit = parse_spec(str(path)).units(config).units[0]
    tracemalloc.start()
    rows = [row for batch in read_unit(unit, config) for row in batch.to_pylist()]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [r["problem"] for r in rows] == [None, "too_large", None]
    assert rows[1]["size"] == 60 * (1 << 20) + len('{"content": ""}')
    assert peak < 48 << 20


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_bomb_is_inflated_in_pieces(pack: object, tmp_path: Path) -> None:
    (tmp_path / "t.jsonl.gz").write_bytes(pack(b"\0" * (300 << 20)))
    config = IngestConfig(max_bytes=1000)
    unit = parse_spec(f"jsonl:{tmp_path}/t.jsonl.gz").units(config).units[0]
    tracemalloc.start()
    rows = [row for batch in read_unit(unit, config) for row in batch.to_pylist()]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [r["problem"] for r in rows] == ["too_large"]
    assert peak < 200 << 20


def test_other_filesystems() -> None:
    with fsspec.open("memory://lines/t.jsonl.gz", "wb") as file:
        file.write(gzip.compress(lines(ROWS)))
    assert read("memory://lines/t.jsonl.gz").num_rows == 50


def test_file_gone_after_listing(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(lines(ROWS))
    unit = parse_spec(str(path)).units(IngestConfig()).units[0]
    path.unlink()
    (batch,) = read_unit(unit, IngestConfig())
    assert batch.column("problem")[0].as_py().startswith("unreadable: ")


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_bytes(b"")
    assert read(tmp_path / "t.jsonl").num_rows == 0
