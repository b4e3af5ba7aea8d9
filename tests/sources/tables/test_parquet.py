from __future__ import annotations

import datetime
import hashlib
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reads import by_path, ids, read, read_all

from columns.errors import InputError
from sources import IngestConfig

SHAPES = {
    "the stack": {
        "content": ["x = 1"],
        "max_stars_repo_name": ["a/b"],
        "max_stars_repo_path": ["s/x.py"],
        "lang": ["Python"],
        "ext": ["py"],
        "hexsha": ["ab" * 20],
        "max_stars_count": [7],
        "max_forks_count": [2],
        "size": [5],
        "max_stars_repo_licenses": [["MIT", "BSD-3-Clause"]],
        "max_stars_repo_head_hexsha": ["cd" * 20],
    },
    "the stack v2": {
        "blob_id": ["ab" * 20],
        "repo_name": ["a/b"],
        "path": ["s/x.py"],
        "language": ["Python"],
        "length_bytes": [5],
        "star_events_count": [7],
        "fork_events_count": [2],
        "detected_licenses": [["MIT", "BSD-3-Clause"]],
        "revision_id": ["cd" * 20],
        "src_encoding": ["UTF-8"],
        "content": ["x = 1"],
        "extension": ["py"],
    },
    "github-code": {
        "code": ["x = 1"],
        "repo_name": ["a/b"],
        "path": ["s/x.py"],
        "language": ["Python"],
        "license": ["MIT, BSD-3-Clause"],
        "size": [5],
    },
    "bigquery": {
        "id": ["ab" * 20],
        "repo_name": ["a/b"],
        "ref": ["cd" * 20],
        "path": ["s/x.py"],
        "content": ["x = 1"],
        "size": [5],
        "binary": [False],
        "license": ["MIT, BSD-3-Clause"],
        "copies": [3],
    },
    "bigquery sample": {
        "id": ["ab" * 20],
        "sample_repo_name": ["a/b"],
        "sample_ref": ["cd" * 20],
        "sample_path": ["s/x.py"],
        "content": ["x = 1"],
        "size": [5],
        "binary": [False],
        "copies": [3],
    },
}


def write(path: Path, columns: dict[str, object], **options: object) -> Path:
    pq.write_table(pa.table(columns), path, **options)
    return path


@pytest.mark.parametrize("shape", SHAPES)
def test_known_shapes(shape: str, tmp_path: Path) -> None:
    row = read(write(tmp_path / "t.parquet", SHAPES[shape])).to_pylist()[0]
    assert (row["content"], row["repo"], row["path"], row["language"]) == ("x = 1", "a/b", "s/x.py", "python")
    assert (row["size"], row["source"], row["provenance"]) == (5, "parquet", "t.parquet#row=0")
    assert row["blob_id"] in ("ab" * 20, None)
    assert row["ref"] in ("cd" * 20, None)
    assert row["license"] in ("MIT, BSD-3-Clause", None)
    assert (row["stars"], row["forks"]) in ((7, 2), (None, None))
    assert row["encoding"] == "utf-8"


def test_stated_things_are_found(tmp_path: Path) -> None:
    row = read(write(tmp_path / "t.parquet", SHAPES["the stack"])).to_pylist()[0]
    assert (row["blob_id"], row["ref"], row["license"], row["stars"]) == (
        "ab" * 20,
        "cd" * 20,
        "MIT, BSD-3-Clause",
        7,
    )
    row = read(write(tmp_path / "t.parquet", SHAPES["bigquery"])).to_pylist()[0]
    assert (row["blob_id"], row["ref"]) == ("ab" * 20, "cd" * 20)


def test_own_documents_read_back_the_same(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for name, raw in {
        "a.py": b"x",
        "b.py": "é".encode("utf-16"),
        "c.py": b"\xff",
        "d.py": b"\0\xff",
        "e.py": b"x" * 99,
    }.items():
        (tree / name).write_bytes(raw)
    first = read(tree, IngestConfig(max_bytes=50))
    pq.write_table(first, tmp_path / "documents.parquet")
    again = read(tmp_path / "documents.parquet")
    same = [name for name in first.schema.names if name not in ("source", "provenance", "size")]
    assert again.select(same).equals(first.select(same))


KINDS = [
    pa.string(),
    pa.large_string(),
    pa.binary(),
    pa.large_binary(),
    pa.dictionary(pa.int32(), pa.string()),
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_content_types(kind: pa.DataType, tmp_path: Path) -> None:
    values = pa.array(["é", None, "", "x"], pa.string())
    content = values.dictionary_encode() if pa.types.is_dictionary(kind) else values.cast(kind)
    write(tmp_path / "t.parquet", {"content": content, "path": pa.array(list("abcd")).dictionary_encode()})
    table = read(tmp_path / "t.parquet")
    assert table.column("content").to_pylist() == ["é", None, "", "x"]
    assert table.column("problem").to_pylist() == [None, "missing", None, None]
    assert table.column("size").to_pylist() == [2, None, 0, 1]


def test_content_that_is_no_text(tmp_path: Path) -> None:
    write(tmp_path / "t.parquet", {"content": [[1], [2]], "path": ["a.py", "b.py"]})
    assert read(tmp_path / "t.parquet").column("problem").to_pylist() == ["missing"] * 2


def test_invalid_utf8_in_string_columns(tmp_path: Path) -> None:
    bad = pa.array([b"caf\xe9", b"ok"]).view(pa.string())
    write(tmp_path / "t.parquet", {"content": bad, "path": bad, "license": bad})
    rows = read(tmp_path / "t.parquet").to_pylist()
    assert (rows[0]["content"], rows[0]["encoding"], rows[0]["path"]) == ("café", "windows-1252", "caf\\xe9")
    assert (rows[1]["content"], rows[1]["lossy"], rows[1]["path"]) == ("ok", False, "ok")


def test_bigquery_binary_and_large_rows(tmp_path: Path) -> None:
    columns = {
        "content": [None, None, "x"],
        "binary": [True, False, False],
        "size": [9, 2_000_000, 1],
        "path": list("abc"),
    }
    table = read(write(tmp_path / "t.parquet", columns))
    assert table.column("problem").to_pylist() == ["binary", "missing", None]
    assert table.column("size").to_pylist() == [9, 2_000_000, 1]


def test_awkward_values_are_null_never_errors(tmp_path: Path) -> None:
    columns = {
        "content": ["a", "b"],
        "path": ["a.py", None],
        "stars": ["12", "many"],
        "size": ["?", "1"],
        "forks": pa.array([2**64 - 1, 3], pa.uint64()),
        "updated": ["2024-05-01T10:00:00Z", "yesterday"],
        "license": [[None, "MIT"], []],
        "repo": pa.array([1, None]),
        "ref": [{"a": 1}, {"a": 2}],
    }
    rows = read(write(tmp_path / "t.parquet", columns)).to_pylist()
    assert [r["stars"] for r in rows] == [12, None]
    assert [r["forks"] for r in rows] == [None, 3]
    assert [r["size"] for r in rows] == [1, 1]
    assert [r["updated"] for r in rows] == [datetime.datetime(2024, 5, 1, 10, tzinfo=datetime.UTC), None]
    assert [r["license"] for r in rows] == ["MIT", None]
    assert [r["repo"] for r in rows] == ["1", None]
    assert [r["ref"] for r in rows] == [None, None]
    assert rows[1]["path"] == "t.parquet#row=1"


def test_user_columns_win(tmp_path: Path) -> None:
    write(tmp_path / "t.parquet", {"content": ["no"], "body": ["yes"], "where": ["a.py"]})
    config = IngestConfig(columns=(("content", "body"), ("path", "where")))
    row = read(tmp_path / "t.parquet", config).to_pylist()[0]
    assert (row["content"], row["path"], row["language"]) == ("yes", "a.py", "python")


def test_no_content_column(tmp_path: Path) -> None:
    write(tmp_path / "t.parquet", {"body": ["x"], "where": ["y"]})
    with pytest.raises(InputError, match="found: body, where") as caught:
        read(tmp_path / "t.parquet")
    assert "--column content=NAME" in str(caught.value)
    with pytest.raises(InputError, match="no column 'bdy'"):
        read(tmp_path / "t.parquet", IngestConfig(columns=(("content", "bdy"),)))


def test_languages(tmp_path: Path) -> None:
    columns = {
        "content": list("abcde"),
        "path": ["a.py", "b.go", "c", "d.py", "e.py"],
        "lang": ["Python", "Go", None, None, "CPP"],
    }
    write(tmp_path / "t.parquet", columns)
    assert read(tmp_path / "t.parquet").column("language").to_pylist() == [
        "python",
        "go",
        None,
        "python",
        "c++",
    ]
    table, skipped, _ = read_all(tmp_path / "t.parquet", IngestConfig(languages=("python",)))
    assert table.column("path").to_pylist() == ["a.py", "d.py"]
    assert skipped == {"other_language": 3}


def test_too_large(tmp_path: Path) -> None:
    write(tmp_path / "t.parquet", {"content": ["ok", "too long"], "path": ["a.py", "b.py"]})
    row = by_path(read(tmp_path / "t.parquet", IngestConfig(max_bytes=3)))["b.py"]
    assert (row["content"], row["problem"], row["size"]) == (None, "too_large", 8)


@given(
    st.lists(st.tuples(st.text(max_size=6), st.text(max_size=30)), min_size=1, max_size=25),
    st.integers(1, 30),
    st.integers(1, 30),
    st.integers(1, 200),
)
def test_row_groups_and_batches_change_no_id(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str]],
    one: int,
    two: int,
    batch_bytes: int,
) -> None:
    folder = tmp_path_factory.mktemp("groups")
    columns = {"path": [r[0] for r in rows], "content": [r[1] for r in rows]}
    first = read(write(folder / "t.parquet", columns, row_group_size=one))
    second = read(write(folder / "t.parquet", columns, row_group_size=two), batch_bytes=batch_bytes)
    assert first.equals(second)
    flipped = {name: values[::-1] for name, values in columns.items()}
    assert ids(read(write(folder / "u.parquet", flipped))) == ids(first)


def test_one_unit_per_row_group(tmp_path: Path) -> None:
    write(tmp_path / "t.parquet", {"content": ["x"] * 10}, row_group_size=4)
    table, _, listing = read_all(tmp_path / "t.parquet")
    assert [(u.group, u.first_row, u.rows) for u in listing.units] == [(0, 0, 4), (1, 4, 4), (2, 8, 2)]
    assert listing.files == 10
    assert table.column("provenance").to_pylist() == [f"t.parquet#row={i}" for i in range(10)]


def test_empty_file_has_no_units(tmp_path: Path) -> None:
    write(tmp_path / "t.parquet", {"content": pa.array([], pa.string())})
    assert read(tmp_path / "t.parquet").num_rows == 0


@pytest.mark.parametrize("raw", [b"", b"PAR1", b"PAR1" + b"\0" * 100 + b"PAR1", b"hello" * 30])
def test_what_is_no_parquet_is_one_row(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_bytes(raw)
    write(tmp_path / "good.parquet", {"content": ["x"], "path": ["a.py"]})
    found = by_path(read(f"parquet:{tmp_path}"))
    assert found["bad.parquet"]["problem"].startswith("truncated: ")
    assert found["a.py"]["content"] == "x"


def test_cut_in_half(tmp_path: Path) -> None:
    whole = write(tmp_path / "half.parquet", {"content": [str(i) * 50 for i in range(1000)]})
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    rows = read(whole).to_pylist()
    assert [(r["path"], r["problem"].split(":")[0]) for r in rows] == [("half.parquet", "truncated")]


def test_damaged_pages_cost_their_row_group_only(tmp_path: Path) -> None:
    texts = ["".join(hashlib.sha256(b"%d %d" % (i, j)).hexdigest() for j in range(40)) for i in range(30)]
    path = write(
        tmp_path / "t.parquet",
        {"content": texts},
        row_group_size=10,
        compression="zstd",
        use_dictionary=False,
    )
    column = pq.ParquetFile(path).metadata.row_group(1).column(0)
    raw = bytearray(path.read_bytes())
    middle = column.data_page_offset + column.total_compressed_size // 2
    raw[middle : middle + 4000] = b"\xff" * 4000
    path.write_bytes(raw)
    rows = read(path).to_pylist()
    assert [r["content"] for r in rows if r["problem"] is None] == texts[:10] + texts[20:]
    (lost,) = (r for r in rows if r["problem"])
    assert lost["problem"].startswith("malformed: rows 10 to 19: ")
    assert "\n" not in lost["problem"]


def test_folders_globs_and_names(tmp_path: Path) -> None:
    for name in ("b/2.parquet", "a/1.parquet", "a/_hidden.parquet", ".tmp/x.parquet", "a/readme.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write(tmp_path / name, {"content": [name]})
    folder = read(f"parquet:{tmp_path}")
    assert folder.column("provenance").to_pylist() == ["a/1.parquet#row=0", "b/2.parquet#row=0"]
    assert read(f"parquet:{tmp_path}/*/*.parquet").num_rows == 3
    one = read(f"parquet:{tmp_path}/a/[0-9].parquet")
    assert one.column("provenance").to_pylist() == ["1.parquet#row=0"]
    with pytest.raises(InputError, match=r"no \.parquet"):
        read(f"parquet:{tmp_path}/*.nothing")


def test_literal_name_wins_over_pattern(tmp_path: Path) -> None:
    write(tmp_path / "a[1].parquet", {"content": ["x"]})
    assert read(tmp_path / "a[1].parquet").num_rows == 1


def test_links_to_files_are_read_and_the_rest_is_counted(tmp_path: Path) -> None:
    write(tmp_path / "real.bin", {"content": ["x"]})
    (tmp_path / "link.parquet").symlink_to("real.bin")
    (tmp_path / "loop.parquet").symlink_to("loop.parquet")
    table, skipped, _ = read_all(f"parquet:{tmp_path}")
    assert (table.num_rows, skipped) == (1, {"not_a_file": 1})


def test_other_filesystems() -> None:
    with fsspec.open("memory://bucket/data/t.parquet", "wb") as file:
        pq.write_table(pa.table({"content": ["x"], "path": ["a.py"]}), file)
    for spec in (
        "memory://bucket/data/t.parquet",
        "parquet:memory://bucket/data",
        "parquet:memory://bucket/*/*.parquet",
    ):
        table = read(spec)
        assert table.column("content").to_pylist() == ["x"]
        assert table.column("provenance").to_pylist()[0].endswith("t.parquet#row=0")


def test_real_files(github_sample: Path) -> None:
    table = read(github_sample, batch_bytes=8 << 20)
    assert table.num_rows == 4447
    bad = {row["path"].split("/")[-1]: row["problem"] for row in table.to_pylist() if row["problem"]}
    assert bad == {"ClassUtilsOssFuzzTest.java": "binary"}
    assert table.column("size").to_pylist() == pq.read_table(github_sample).column("size").to_pylist()
