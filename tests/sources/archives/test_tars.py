"""Tar archives: honest ones against `tarfile`, and every hostile one the rules name."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import tracemalloc
from pathlib import Path

import pytest
import zstandard
from archived import GOOD, contents, header, info, problems, read, save, tar_bytes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sources import IngestConfig
from sources.archives import Limits

END = bytes(1024)
PACKERS = {
    ".tar": bytes,
    ".tar.gz": gzip.compress,
    ".tgz": gzip.compress,
    ".tar.zst": zstandard.compress,
    ".tar.bz2": bz2.compress,
    ".tar.xz": lzma.compress,
}
names = st.lists(
    st.text(
        st.characters(codec="utf-8", exclude_characters="\0/\\.", exclude_categories=("Cs",)),
        min_size=1,
        max_size=90,
    ),
    min_size=1,
    max_size=3,
).map(lambda parts: "/".join(parts) + ".py")


@pytest.mark.parametrize("suffix", PACKERS)
def test_every_compression(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path, f"work{suffix}", PACKERS[suffix](tar_bytes(GOOD)))
    table, skipped = read(path)
    assert contents(table) == {name: raw.decode() for name, raw in GOOD.items()}
    assert not skipped
    row = table.to_pylist()[1]
    assert (row["repo"], row["ref"], row["source"], row["size"]) == ("work", None, "archive", 7)
    assert row["provenance"] == f"work{suffix}/src/b.c"


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.dictionaries(names, st.text(max_size=1500).map(str.encode), max_size=5),
    form=st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    batch_bytes=st.integers(1, 2000),
)
def test_equals_tarfile(tmp_path: Path, files: dict[str, bytes], form: int, batch_bytes: int) -> None:
    try:
        raw = tar_bytes(files, form=form)
    except ValueError:
        return  # ustar has no room for the name
    limits = Limits(path_bytes=1 << 16)
    found, _ = read(save(tmp_path, "t.tar", raw), limits=limits, batch_bytes=batch_bytes)
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        expected = {m.name: tar.extractfile(m).read() for m in tar.getmembers()}
    held = {path: None if text is None else text.encode() for path, text in contents(found).items()}
    assert {path: raw for path, raw in held.items() if raw is not None} == {
        path: raw for path, raw in expected.items() if raw.count(0) <= len(raw) / 10
    }


@given(st.binary(max_size=3000), st.integers(0, 1500), st.booleans())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_rows_never_errors(tmp_path: Path, noise: bytes, at: int, packed: bool) -> None:
    raw = tar_bytes(GOOD)
    raw = raw[:at] + noise + raw[at + len(noise) :]
    table, _ = read(save(tmp_path, "t.tar", gzip.compress(raw) if packed else raw))
    assert table.num_rows >= 1 or at == 0


def test_links_and_devices_are_counted_never_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.py").write_text("key = 1")
    others = [
        info("link.py", tarfile.SYMTYPE, "secret.py"),
        info("up.py", tarfile.SYMTYPE, "../../../etc/passwd"),
        info("hard.py", tarfile.LNKTYPE, "/etc/passwd"),
        info("null.py", tarfile.CHRTYPE),
        info("disk.py", tarfile.BLKTYPE),
        info("pipe.py", tarfile.FIFOTYPE),
        info("folder.py", tarfile.DIRTYPE),
    ]
    table, skipped = read(save(tmp_path, "t.tar", tar_bytes(GOOD, others)))
    assert sorted(contents(table)) == sorted(GOOD)
    assert skipped == {"symlink": 2, "hardlink": 1, "not_a_file": 3}


def test_link_with_a_size_has_no_data(tmp_path: Path) -> None:
    raw = header(b"l.py", b"00000001000", b"2") + tar_bytes(GOOD)
    table, skipped = read(save(tmp_path, "t.tar", raw))
    assert (sorted(contents(table)), skipped) == (sorted(GOOD), {"symlink": 1})


@pytest.mark.parametrize(
    "name", ["../x.py", "a/../../x.py", "/etc/x.py", "C:\\x.py", "..\\x.py", "\\\\host\\x.py"]
)
def test_unsafe_names(tmp_path: Path, name: str) -> None:
    table, skipped = read(save(tmp_path, "t.tar", tar_bytes({name: b"x", **GOOD})))
    assert sorted(contents(table)) == sorted(GOOD)
    assert skipped == {"unsafe_path": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["t.tar"]


def test_names_in_any_encoding(tmp_path: Path) -> None:
    raw = b"".join(
        header(name, b"1") + b"x".ljust(512, b"\0")
        for name in (b"caf\xe9.py", "ü.py".encode(), b"\x1b[1m.py")
    )
    table, _ = read(save(tmp_path, "t.tar", raw + END))
    assert sorted(contents(table)) == sorted(["caf\\xe9.py", "ü.py", "\x1b[1m.py"])


def test_long_names(tmp_path: Path) -> None:
    long = "d/" * 2500 + "x.py"
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        table, skipped = read(save(tmp_path, "t.tar", tar_bytes({long: b"x", **GOOD}, form=form)))
        assert (sorted(contents(table)), skipped) == (sorted(GOOD), {"path_too_long": 1})


def test_first_of_a_name_is_read(tmp_path: Path) -> None:
    files = [("a.py", b"one"), ("./a.py", b"two"), ("a.py", b"three"), ("A.py", b"four")]
    table, skipped = read(save(tmp_path, "t.tar", tar_bytes(files)))
    assert contents(table) == {"a.py": "one", "A.py": "four"}
    assert skipped == {"duplicate_name": 2}


def test_nested_archives_are_not_entered(tmp_path: Path) -> None:
    inner = tar_bytes({"inner.py": b"x"})
    files = {"in.tar": inner, "in.ZIP": b"PK", "x.py.gz": gzip.compress(b"x"), "w.whl": b"PK", **GOOD}
    table, skipped = read(save(tmp_path, "t.tar", tar_bytes(files)))
    assert (sorted(contents(table)), skipped) == (sorted(GOOD), {"nested_archive": 4})


def test_other_languages_are_counted(tmp_path: Path) -> None:
    path = save(tmp_path, "t.tar", tar_bytes({**GOOD, "x.bin": b"?"}))
    table, skipped = read(path, IngestConfig(languages=("c",)))
    assert (list(contents(table)), skipped) == (["src/b.c"], {"other_language": 2})


def test_large_members_keep_their_rows(tmp_path: Path) -> None:
    path = save(tmp_path, "t.tar", tar_bytes({"big.py": b"x" * 5000, **GOOD}))
    table, _ = read(path, IngestConfig(max_bytes=100))
    assert problems(table) == {"big.py": "too_large"}
    assert table.to_pylist()[0]["size"] == 5000
    assert table.num_rows == 3


@pytest.mark.parametrize("cut", [0, 100, 512, 513, 1024, 1100, 2048])
def test_truncated_keeps_what_was_read(tmp_path: Path, cut: int) -> None:
    whole = tar_bytes({"a.py": b"a", "b.py": b"b", "c.py": b"c"})
    table, _ = read(save(tmp_path, "t.tar", whole[:cut]))
    assert table.num_rows == 1 + (cut >= 513) + (cut >= 1537)
    lost = problems(table)["t.tar"]
    assert lost.startswith("truncated: after member ")


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.zst", ".tar.bz2", ".tar.xz"])
def test_truncated_compression(tmp_path: Path, suffix: str) -> None:
    files = {f"{i}.py": bytes(str(i) * 3000, "ascii") for i in range(40)}
    whole = PACKERS[suffix](tar_bytes(files))
    table, _ = read(save(tmp_path, f"t{suffix}", whole[:-20]))
    assert list(problems(table)) == [f"t{suffix}"]
    assert table.column("problem").to_pylist()[-1].startswith("truncated: after member")
    assert {p: t.encode() for p, t in contents(table).items() if t is not None}.items() <= files.items()


def test_damaged_header_keeps_what_was_read(tmp_path: Path) -> None:
    raw = bytearray(tar_bytes(GOOD))
    raw[1024] ^= 1
    table, _ = read(save(tmp_path, "t.tar", bytes(raw)))
    assert contents(table)["a.py"] == "a = 1\n"
    assert problems(table) == {
        "t.tar": "malformed: the header of a member has a wrong checksum, after member 1"
    }


@pytest.mark.parametrize(
    ("size", "problem"),
    [
        (b"\xff" * 12, "malformed: the header of a member holds no number where one is expected"),
        (b"-0000000001", "malformed: the header of a member holds no number where one is expected"),
        (b"99999999999", "malformed: the header of a member holds no number where one is expected"),
        (b"\x80" + b"\x7f" * 11, "truncated: "),
        (b"77777777777", "truncated: "),
    ],
)
def test_sizes_that_lie(tmp_path: Path, size: bytes, problem: str) -> None:
    table, _ = read(save(tmp_path, "t.tar", header(b"x.py", size) + END))
    assert problems(table)["t.tar"].startswith(problem)


@pytest.mark.parametrize("kind", [b"x", b"g", b"L"])
def test_huge_headers_are_not_read(tmp_path: Path, kind: bytes) -> None:
    path = save(tmp_path, "t.tar", header(b"h", b"77777777777", kind) + bytes(1 << 20))
    tracemalloc.start()
    try:
        table, _ = read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert problems(table) == {"t.tar": "malformed: a header of 8,589,934,591 bytes, after member 0"}
    assert peak < 8 << 20


def test_chains_of_headers_are_bounded(tmp_path: Path) -> None:
    one = header(b"h", b"00000001000", b"x") + b"11 a=bcdef\n".ljust(512, b"\0")
    table, _ = read(save(tmp_path, "t.tar", one * 20 + END), limits=Limits(header_bytes=4096))
    assert problems(table)["t.tar"].startswith("malformed: a header of ")
    table, _ = read(save(tmp_path, "t.tar", tar_bytes(GOOD)), limits=Limits(members=1))
    assert problems(table) == {"t.tar": "too_large: more than 1 members, after member 1"}


@pytest.mark.parametrize(
    "records",
    [
        b"0 a=b\n",
        b"999 a=b\n",
        b"x",
        b"6 path\n",
        b"-5 a=b\n",
        b"9" * 30,
        b"12 size=-99\n",
        b"13 size=12x\n\n",
    ],
)
def test_pax_records_that_lie(tmp_path: Path, records: bytes) -> None:
    head = header(b"h", b"%o" % len(records), b"x") + records.ljust(512, b"\0")
    table, _ = read(save(tmp_path, "t.tar", head + tar_bytes(GOOD)))
    assert problems(table)["t.tar"].startswith("malformed: a pax header")


def test_bombs_by_ratio_and_by_size(tmp_path: Path) -> None:
    path = save(
        tmp_path,
        "t.tar.gz",
        gzip.compress(tar_bytes([("a.py", b"x"), ("bomb.py", bytes(20 << 20)), ("b.py", b"y")])),
    )
    whole, _ = read(path)
    assert [*contents(whole)] == ["a.py", "bomb.py", "b.py"]
    by_ratio, _ = read(path, limits=Limits(ratio_floor=1 << 20))
    assert problems(by_ratio)["t.tar.gz"].startswith("too_large: inflates to more than 250 times its size")
    by_size, _ = read(path, limits=Limits(total_bytes=1 << 20))
    assert problems(by_size)["t.tar.gz"].startswith("too_large: inflates to more than 1,048,576 bytes")
    assert contents(by_size)["a.py"] == contents(by_ratio)["a.py"] == "x"
    assert "b.py" not in contents(by_size)


def test_sparse_members_are_counted(tmp_path: Path) -> None:
    gnu = bytearray(header(b"s.py", b"00000001000", b"S"))
    gnu[482] = 1
    gnu[148:156] = b" " * 8
    gnu[148:156] = b"%06o\0 " % sum(gnu)
    more = bytearray(512)
    more[504] = 1
    raw = bytes(gnu) + bytes(more) + bytes(512) + b"d" * 512 + tar_bytes(GOOD)
    table, skipped = read(save(tmp_path, "t.tar", raw))
    assert (sorted(contents(table)), skipped) == (sorted(GOOD), {"sparse": 1})
    pax = info("p.py")
    pax.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
    table, skipped = read(save(tmp_path, "t.tar", tar_bytes(GOOD, [pax])))
    assert (sorted(contents(table)), skipped) == (sorted(GOOD), {"sparse": 1})


def test_what_follows_the_end_mark_is_not_read(tmp_path: Path) -> None:
    table, _ = read(save(tmp_path, "t.tar", tar_bytes({"a.py": b"a"}) + tar_bytes({"b.py": b"b"})))
    assert list(contents(table)) == ["a.py"]
    assert not problems(table)


def test_old_names_and_signed_checksums(tmp_path: Path) -> None:
    block = bytearray(header(b"caf\xe9.py", b"1"))
    block[257:265] = bytes(8)
    block[148:156] = b" " * 8
    signed = sum(byte - 256 * (byte > 127) for byte in block)
    block[148:156] = b"%06o\0 " % signed
    table, _ = read(save(tmp_path, "t.tar", bytes(block) + b"x".ljust(512, b"\0") + END))
    assert contents(table) == {"caf\\xe9.py": "x"}


def test_no_archive_at_all(tmp_path: Path) -> None:
    table, _ = read(save(tmp_path, "t.tar", b"not an archive\n" * 100))
    assert problems(table)["t.tar"].startswith("malformed: ")
