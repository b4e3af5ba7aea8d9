"""Licences: precision and recall on planted texts, agreement with real packages, time per text, MB/s over heads.

Caveats first. One thread, CPU time, Numba warmed up before. The planted texts are the SPDX texts themselves in seven
disguises (``--spdx``, the npm package spdx-license-list 6.12.0; without it six short ones), so recall says how well a
*known* text survives; terms of one's own in plain words after a text are planted too and reported by themselves, as
they are missed unless ``rest_words`` is small. Real packages: the licence files of the installed distributions that
hold just one and state one SPDX identifier, which may itself be wrong. The peer, Debian's ``licensecheck``, reads the
same files in one process; its start is counted.

    python benchmarks/bench_licensing.py --input sample.parquet --spdx spdx-license-list
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pyarrow.parquet as pq

from columns.batch import row_bytes
from licensing import identify, is_license_file, spdx_of
from licensing.expressions import agree
from licensing.headers import _read, read_headers
from licensing.templates import templates
from tests.licensing.planted import TEXTS, Case, disguised, near_misses


def planted(texts: Mapping[str, str], rest_words: int) -> None:
    cases = [*disguised(texts, 1), *near_misses(texts, 2)]
    plain = [case for case in cases if "unmarked" not in case.kind]
    for name, chosen in (("all but plain-worded terms", plain), ("all", cases)):
        print(f"planted, rest_words {rest_words}, {name}: {_rates(chosen, rest_words)}")


def _rates(cases: Sequence[Case], rest_words: int) -> str:
    pairs = [(case.spdx, identify(case.text, rest_words=rest_words).spdx) for case in cases]
    right = sum(truth == found for truth, found in pairs if found)
    claimed, real = sum(found is not None for _, found in pairs), sum(truth is not None for truth, _ in pairs)
    return f"{len(pairs)} texts, precision {right / claimed:.4f}, recall {right / real:.4f}"


def real_texts() -> Iterator[tuple[str, str, str]]:
    """(package, stated licence, text) of the installed packages with one licence file and one stated identifier."""
    for found in sorted(distributions(), key=lambda d: d.metadata["Name"] or ""):
        stated = _stated(found)
        files = [
            file for file in found.files or () if ".dist-info" in str(file) and is_license_file(str(file))
        ]
        if stated and " " not in stated and len(files) == 1 and Path(str(files[0].locate())).is_file():
            yield found.metadata["Name"], stated, Path(str(files[0].locate())).read_text(errors="replace")


def _stated(found: Distribution) -> str | None:
    fields = [found.metadata.get("License-Expression"), found.metadata.get("License")]
    fields += [
        c.rpartition(" :: ")[2] for c in found.metadata.get_all("Classifier", []) if c.startswith("License")
    ]
    return next((name for field in fields if field and (name := spdx_of(field))), None)


def real(rows: Sequence[tuple[str, str, str]]) -> None:
    answers = [(package, stated, identify(text).spdx) for package, stated, text in rows]
    right = sum(found is not None and agree(stated, found) for _, stated, found in answers)
    claimed = sum(found is not None for *_, found in answers)
    print(f"real: {len(rows)} files, named {claimed}, as stated {right}")
    for package, stated, found in answers:
        if found is not None and not agree(stated, found):
            print(f"  {package}: stated {stated}, found {found}")
    seconds = _cpu(lambda: [identify(text) for *_, text in rows])
    print(f"real: {seconds / max(len(rows), 1) * 1e3:.2f} ms a text")


def peer(rows: Sequence[tuple[str, str, str]]) -> None:
    if shutil.which("licensecheck") is None:
        print("licensecheck: not installed")
        return
    with tempfile.TemporaryDirectory() as folder:
        for number, (_, _, text) in enumerate(rows):
            (Path(folder) / f"{number:05d}").write_text(text)
        command = [
            "licensecheck",
            "--machine",
            "--shortname-scheme=spdx",
            "--lines=0",
            "-r",
            "--check=.*",
            folder,
        ]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = {
        Path(line.split("\t")[0]).name: line.split("\t")[1]
        for line in done.stdout.splitlines()
        if "\t" in line
    }
    names = [(stated, spdx_of(found.get(f"{n:05d}", ""))) for n, (_, stated, _) in enumerate(rows)]
    right = sum(name is not None and agree(stated, name) for stated, name in names)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    named = sum(name is not None for _, name in names)
    print(
        f"licensecheck: named {named}, as stated {right}, {seconds / max(len(rows), 1) * 1e3:.2f} ms a text"
    )


def heads(path: Path) -> None:
    batch = pq.read_table(path, columns=["content"]).combine_chunks().to_batches()[0]
    megabytes = row_bytes(batch).sum() / 1e6
    content = batch.column("content")
    read_headers(content)
    for name, clear in (("first time", True), ("again", False)):
        if clear:
            _read.cache_clear()
        seconds = _cpu(lambda: read_headers(content))
        print(f"heads, {name}: {megabytes / seconds:.0f} MB/s")
    stated = sum(head.spdx is not None for head in read_headers(content))
    print(f"heads: {stated} of {batch.num_rows} files state a licence")


def _cpu(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--input", type=Path, help="Parquet file with a content column")
    parser.add_argument("--spdx", type=Path, help="folder with spdx-full.json")
    parser.add_argument("--peer", action="store_true", help="run licensecheck too")
    options = parser.parse_args()
    texts = dict(TEXTS)
    if options.spdx:
        listed = json.loads((options.spdx / "spdx-full.json").read_text(encoding="utf-8"))
        texts = {name: listed[name]["licenseText"] for name in templates().ids}
    for rest_words in (100, 8):
        planted(texts, rest_words)
    for name in ("MIT", "Apache-2.0", "GPL-3.0"):
        if name in texts:
            text = texts[name]
            print(f"{name}: {_cpu(lambda t=text: [identify(t) for _ in range(20)]) / 20 * 1e3:.2f} ms")
    rows = list(real_texts())
    real(rows)
    if options.peer:
        peer(rows)
    if options.input:
        heads(options.input)


if __name__ == "__main__":
    main()
