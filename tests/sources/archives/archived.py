"""Help for the tests of archives: small ones, and everything that is read from them."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa

from columns.document import DOCUMENT
from sources import IngestConfig, read_unit
from sources.archives import ArchiveSource, Limits

GOOD = {"a.py": b"a = 1\n", "src/b.c": b"int b;\n"}


def read(
    pattern: object,
    config: IngestConfig | None = None,
    limits: Limits | None = None,
    batch_bytes: int = 1 << 20,
) -> tuple[pa.Table, Counter[str]]:
    config = config or IngestConfig()
    listing = ArchiveSource(str(pattern), limits or Limits()).units(config)
    skipped = Counter(listing.skipped)
    batches = [
        b for u in listing.units for b in read_unit(u, config, batch_bytes=batch_bytes, skipped=skipped)
    ]
    return pa.Table.from_batches(batches, DOCUMENT), skipped


def contents(table: pa.Table) -> dict[str, str | None]:
    return dict(zip(*(table.column(name).to_pylist() for name in ("path", "content")), strict=True))


def problems(table: pa.Table) -> dict[str, str]:
    pairs = zip(*(table.column(name).to_pylist() for name in ("path", "problem")), strict=True)
    return {path: problem for path, problem in pairs if problem is not None}


def info(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 0) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, target, size
    return made


def tar_bytes(
    files: Mapping[str, bytes] | Iterable[tuple[str, bytes]],
    others: Iterable[tarfile.TarInfo] = (),
    form: int = tarfile.PAX_FORMAT,
    comment: str | None = None,
) -> bytes:
    """A tar archive of ``others`` (members without data) and then ``files``."""
    held = io.BytesIO()
    shared = {"comment": comment} if comment else {}
    with tarfile.open(fileobj=held, mode="w", format=form, pax_headers=shared) as tar:
        for one in others:
            tar.addfile(one)
        for name, raw in files.items() if isinstance(files, Mapping) else files:
            tar.addfile(info(name, size=len(raw)), io.BytesIO(raw))
    return held.getvalue()


def header(name: bytes, size: bytes = b"0", kind: bytes = b"0") -> bytes:
    """A tar header with a right checksum and whatever else is given."""
    block = bytearray(512)
    block[: len(name)], block[124 : 124 + len(size)], block[156:157] = name, size, kind
    block[257:265] = b"ustar\x0000"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def zip_bytes(
    files: Mapping[str, bytes] | Iterable[tuple[str | zipfile.ZipInfo, bytes]],
    method: int = zipfile.ZIP_DEFLATED,
    comment: bytes = b"",
) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", method) as archive:
        archive.comment = comment
        for name, raw in files.items() if isinstance(files, Mapping) else files:
            archive.writestr(name, raw)
    return held.getvalue()


def save(folder: Path, name: str, raw: bytes) -> Path:
    (folder / name).write_bytes(raw)
    return folder / name
