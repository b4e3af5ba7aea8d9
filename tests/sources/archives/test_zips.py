"""Zip archives: honest ones against `zipfile`, and every hostile one the rules name."""

from __future__ import annotations

import io
import lzma
import pickle
import stat
import struct
import zipfile
from pathlib import Path

import pytest
from archived import GOOD, contents, problems, read, save, zip_bytes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sources import IngestConfig
from sources.archives import ArchiveSource, Limits, unzip
from sources.unit import UNIT_BYTES

names = st.text(st.characters(codec="utf-8", exclude_characters="\0/\\."), min_size=1, max_size=40).map(
    "{}.py".format
)


def member(name: str, mode: int = 0) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.create_system, made.external_attr, made.compress_type = 3, mode << 16, zipfile.ZIP_DEFLATED
    return made


def central(raw: bytes, number: int = 0) -> int:
    """Where the entry of that number starts in an archive's directory."""
    at = raw.index(b"PK\1\2")
    for _ in range(number):
        at = raw.index(b"PK\1\2", at + 4)
    return at


def patched(raw: bytes, at: int, new: bytes) -> bytes:
    return raw[:at] + new + raw[at + len(new) :]


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_methods(tmp_path: Path, method: int) -> None:
    table, skipped = read(save(tmp_path, "work.zip", zip_bytes(GOOD, method)))
    assert contents(table) == {name: raw.decode() for name, raw in GOOD.items()}
    assert not skipped
    row = table.to_pylist()[1]
    assert (row["repo"], row["ref"], row["source"], row["size"]) == ("work", None, "archive", 7)
    assert row["provenance"] == "work.zip/src/b.c"


@pytest.mark.parametrize(("method", "name"), [(9, "Deflate64"), (98, "PPMd"), (1234, "unknown")])
def test_a_method_that_is_not_read_is_a_row(tmp_path: Path, method: int, name: str) -> None:
    raw = zip_bytes(GOOD)
    raw = patched(raw, central(raw) + 10, struct.pack("<H", method))
    table, _ = read(save(tmp_path, "t.zip", raw))
    assert problems(table) == {
        "a.py": f"unreadable: compressed by method {method} ({name}), which is not read"
    }
    assert contents(table)["src/b.c"] == "int b;\n"


def test_an_lzma_dictionary_is_no_larger_than_its_member(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    made = lzma.LZMADecompressor
    monkeypatch.setattr(
        unzip.lzma,
        "LZMADecompressor",
        lambda form, filters: asked.append(filters[0]) or made(form, filters=filters),
    )
    raw = zip_bytes({"a.py": b"a = 1\n" * 9000}, zipfile.ZIP_LZMA)
    start = raw.index(b"a.py") + 4
    huge = patched(raw, start + 5, b"\xff\xff\xff\xff")
    table, _ = read(save(tmp_path, "t.zip", huge))
    assert contents(table) == {"a.py": "a = 1\n" * 9000}
    assert [one["dict_size"] for one in asked] == [54_000]


@pytest.mark.parametrize(
    ("at", "new"),
    [(2, b"\x06"), (4, b"\xff"), (9, b"\xff" * 8), (12, b"\0" * 8)],
    ids=["size", "code", "first", "later"],
)
def test_lzma_that_lies(tmp_path: Path, at: int, new: bytes) -> None:
    raw = zip_bytes({"a.py": b"a = 1\n" * 99}, zipfile.ZIP_LZMA)
    table, _ = read(save(tmp_path, "t.zip", patched(raw, raw.index(b"a.py") + 4 + at, new)))
    assert problems(table)["a.py"].startswith(("malformed", "truncated"))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.dictionaries(names, st.text(max_size=1500).map(str.encode), max_size=5),
    batch_bytes=st.integers(1, 2000),
    before=st.binary(max_size=20),
)
def test_equals_zipfile(tmp_path: Path, files: dict[str, bytes], batch_bytes: int, before: bytes) -> None:
    raw = zip_bytes(files)
    found, _ = read(save(tmp_path, "t.zip", raw), batch_bytes=batch_bytes)
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        expected = {name: archive.read(name) for name in archive.namelist()}
    held = {path: text.encode() for path, text in contents(found).items() if text is not None}
    assert held == {path: raw for path, raw in expected.items() if raw.count(0) <= len(raw) / 10}


@given(st.binary(max_size=300), st.integers(0, 400))
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_rows_never_errors(tmp_path: Path, noise: bytes, at: int) -> None:
    raw = zip_bytes({**GOOD, "c.py": b"c" * 500})
    at = 4 + at % (len(raw) - 4)
    read(save(tmp_path, "t.zip", raw[:at] + noise + raw[at + len(noise) :]))


@given(st.integers(0, 500), st.integers(0, 255))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_byte_of_the_directory_may_lie(tmp_path: Path, at: int, byte: int) -> None:
    raw = zip_bytes(GOOD)
    start = central(raw)
    at = start + at % (len(raw) - start)
    read(save(tmp_path, "t.zip", patched(raw, at, bytes([byte]))))


def test_links_and_devices_are_counted(tmp_path: Path) -> None:
    odd = [
        (member("l.py", stat.S_IFLNK | 0o777), b"/etc/passwd"),
        (member("d.py", stat.S_IFCHR | 0o600), b""),
    ]
    folder = [(member("sub/", stat.S_IFDIR | 0o755), b"")]
    table, skipped = read(save(tmp_path, "t.zip", zip_bytes([*odd, *folder, *GOOD.items()])))
    assert (sorted(contents(table)), skipped) == (sorted(GOOD), {"symlink": 1, "not_a_file": 1})


@pytest.mark.parametrize(
    "name", ["../x.py", "a/../../x.py", "/etc/x.py", "C:\\x.py", "..\\x.py", "\\\\host\\x.py"]
)
def test_unsafe_names(tmp_path: Path, name: str) -> None:
    table, skipped = read(save(tmp_path, "t.zip", zip_bytes([(member(name), b"x"), *GOOD.items()])))
    assert (sorted(contents(table)), skipped) == (sorted(GOOD), {"unsafe_path": 1})


def test_names_in_any_encoding(tmp_path: Path) -> None:
    raw = zip_bytes({"aaa1.py": b"1", "aaa2.py": b"2", "bbbb.py": b"3", "cccc.py": b"4"})
    raw = (
        raw.replace(b"aaa1.py", b"caf\x82.py")
        .replace(b"aaa2.py", "aaé.py".encode())
        .replace(b"bbbb.py", b"b\\bb.py")
    )
    at = central(raw, 3)
    raw = patched(raw, at + 8, struct.pack("<H", 0x800)).replace(b"cccc.py", b"cc\xffc.py")
    raw = patched(raw, central(raw, 2) + 5, b"\0")
    table, _ = read(save(tmp_path, "t.zip", raw))
    assert contents(table) == {"café.py": "1", "aaé.py": "2", "b/bb.py": "3", "cc\\xffc.py": "4"}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_first_of_a_name_is_read(tmp_path: Path) -> None:
    files = [("a.py", b"one"), ("a.py", b"two"), ("A.py", b"three")]
    table, skipped = read(save(tmp_path, "t.zip", zip_bytes(files)))
    assert (contents(table), skipped) == ({"a.py": "one", "A.py": "three"}, {"duplicate_name": 1})


def test_nested_archives_are_not_entered(tmp_path: Path) -> None:
    table, skipped = read(save(tmp_path, "t.zip", zip_bytes({"in.zip": zip_bytes(GOOD), **GOOD})))
    assert (sorted(contents(table)), skipped) == (sorted(GOOD), {"nested_archive": 1})


def test_encrypted_members_keep_their_rows(tmp_path: Path) -> None:
    raw = zip_bytes(GOOD)
    table, _ = read(save(tmp_path, "t.zip", patched(raw, central(raw) + 8, b"\1")))
    assert problems(table) == {"a.py": "unreadable: encrypted"}
    assert contents(table)["src/b.c"] == "int b;\n"


def test_sizes_that_lie(tmp_path: Path) -> None:
    raw = zip_bytes({"a.py": b"x" * 5000, "b.py": b"fine"})
    at = central(raw)
    short = patched(raw, at + 24, struct.pack("<L", 100))
    assert problems(read(save(tmp_path, "t.zip", short))[0]) == {"a.py": "malformed: more than 100 bytes"}
    long = patched(raw, at + 24, struct.pack("<L", 6000))
    assert problems(read(save(tmp_path, "t.zip", long))[0]) == {"a.py": "malformed: 5,000 of 6,000 bytes"}
    huge = patched(raw, at + 24, struct.pack("<L", 0xFFFFFFFE))
    table, _ = read(save(tmp_path, "t.zip", huge))
    assert problems(table) == {"a.py": "too_large"}
    assert contents(table)["b.py"] == "fine"


def test_checksum(tmp_path: Path) -> None:
    raw = zip_bytes(GOOD, zipfile.ZIP_STORED)
    table, _ = read(save(tmp_path, "t.zip", raw.replace(b"a = 1", b"a = 2")))
    assert problems(table) == {"a.py": "malformed: wrong checksum"}


def test_offsets_that_lie(tmp_path: Path) -> None:
    raw = zip_bytes(GOOD)
    table, _ = read(save(tmp_path, "t.zip", patched(raw, central(raw) + 42, b"\3\0\0\0")))
    assert problems(table) == {"a.py": "malformed: no member where the directory says"}
    table, _ = read(save(tmp_path, "t.zip", patched(raw, central(raw) + 42, b"\xfe\xff\xff\xff")))
    assert problems(table) == {"a.py": "malformed: no member where the directory says"}


def test_overlapping_members_count_as_often_as_listed(tmp_path: Path) -> None:
    """The quine-free bomb of D. Fifield, "A better zip bomb" (WOOT 2019): many entries, one piece of data."""
    raw = zip_bytes({"0.py": b"x" * 100_000})
    at, end = raw.index(b"PK\1\2"), raw.index(b"PK\5\6")
    entries = b"".join(raw[at:end].replace(b"0.py", b"%d.py" % i) for i in range(9))
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 9, 9, len(entries), at, 0)
    path = save(tmp_path, "t.zip", raw[:at] + entries + tail)
    table, _ = read(path, limits=Limits(total_bytes=350_000))
    assert [*contents(table)] == ["0.py", "1.py", "2.py", "t.zip"]
    assert problems(table) == {"t.zip": "too_large: inflates to more than 350,000 bytes, after file 3"}


def test_bombs_by_ratio(tmp_path: Path) -> None:
    path = save(tmp_path, "t.zip", zip_bytes({"a.py": b"a", **{f"{i}.py": bytes(1 << 20) for i in range(5)}}))
    table, _ = read(path, limits=Limits(ratio_floor=3 << 20))
    assert problems(table)["t.zip"] == "too_large: inflates to more than 250 times its size, after file 3"
    assert contents(table)["a.py"] == "a"


def test_large_directories_are_not_read(tmp_path: Path) -> None:
    path = save(tmp_path, "t.zip", zip_bytes(GOOD))
    table, _ = read(path, limits=Limits(directory_bytes=50))
    assert problems(table)["t.zip"].startswith("too_large: a directory of ")
    table, _ = read(path, limits=Limits(members=1))
    assert problems(table) == {"t.zip": "too_large: more than 1 members"}


def test_lost_directory_is_walked(tmp_path: Path) -> None:
    raw = zip_bytes({"a.py": b"a" * 50, "b.py": b"b" * 50, "c.py": b"c" * 50})
    third = raw.index(b"PK\3\4", raw.index(b"PK\3\4", 4) + 4)
    table, _ = read(save(tmp_path, "t.zip", raw[: third + 35]))
    assert (contents(table)["a.py"], contents(table)["b.py"]) == ("a" * 50, "b" * 50)
    found = problems(table)
    assert found.pop("t.zip") == "truncated: no directory; members after the first 3 may be lost"
    assert found == {"c.py": "truncated: the archive ends in the middle"}


def test_sixty_four_bits(tmp_path: Path) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive, archive.open("a.py", "w", force_zip64=True) as file:
        file.write(b"a = 1\n")
    raw = held.getvalue()
    end = raw.index(b"PK\5\6")
    length, offset = struct.unpack_from("<2L", raw, end + 12)
    wide = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, length, offset)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    assert contents(read(save(tmp_path, "t.zip", raw[:end] + wide + locator + tail))[0]) == {
        "a.py": "a = 1\n"
    }
    lost = struct.pack("<4sLQL", b"PK\6\7", 0, 1 << 63, 1)
    table, _ = read(save(tmp_path, "t.zip", raw[:end] + wide + lost + tail))
    assert problems(table) == {"t.zip": "malformed: the 64-bit end record is not where it should be"}


def test_program_before_the_archive(tmp_path: Path) -> None:
    raw = zip_bytes(GOOD)
    moved = b"PK\3\4" + bytes(60) + raw
    assert sorted(contents(read(save(tmp_path, "t.zip", moved))[0])) == sorted(GOOD)


def test_units_are_ranges(tmp_path: Path) -> None:
    files = {f"top-1.0/{i}.py": bytes([65 + i]) * (UNIT_BYTES // 2) for i in range(4)}
    source = ArchiveSource(str(save(tmp_path, "t.zip", zip_bytes(files))))
    config = IngestConfig(max_bytes=UNIT_BYTES)
    listing = source.units(config)
    assert [[w.path for w in unit.wanted] for unit in listing.units] == [["0.py", "1.py"], ["2.py", "3.py"]]
    assert pickle.loads(pickle.dumps(listing.units)) == listing.units
    assert (listing.files, listing.total_bytes) == (4, 2 * UNIT_BYTES)


def test_vanished_archive(tmp_path: Path) -> None:
    path = save(tmp_path, "t.zip", zip_bytes(GOOD))
    (unit,) = ArchiveSource(str(path)).units(IngestConfig()).units
    path.unlink()
    (batch,) = unit.read(IngestConfig(), 1 << 20, {})
    assert batch.column("problem").to_pylist() == ["missing", "missing"]


def test_empty(tmp_path: Path) -> None:
    table, skipped = read(save(tmp_path, "t.zip", zip_bytes({})))
    assert (table.num_rows, skipped) == (0, {})
