"""Language detection: accuracy and MB of text per CPU second of the `detected` signals and of other detectors.

Caveats first. The sample's ``language`` column was made from file names, so agreement with it is nearly certain for
whoever looks at names and says little; ``--labelled`` gives files whose language is known from where they come from:
``DIR/<language>/…/<file>`` (Debian packages written in one language, say). There only extensions that several
languages share make sense. Each candidate sees file name and bytes, except that `magika` looks at bytes only and
`pygments` decides by name where a name is unambiguous to it. Other names for the same language count as equal
(`SAME`). One process, CPU time of all its threads. Candidates that are not installed are left out.

    python benchmarks/bench_languages.py --input sample.parquet --labelled headers/
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pyarrow as pa
import pyarrow.parquet as pq

from filters.signals.detected import measure_detected
from filters.signals.paths import measure_paths

SAME = {
    "rocq prover": "coq",
    "tsx": "typescript",
    "unix assembly": "assembly",
    "objectivec": "objective-c",
    "cpp": "c++",
    "cs": "c#",
    "objectivec++": "objective-c",
    "octave": "matlab",
    "wolfram language": "mathematica",
    "plpgsql": "sql",
    "jsx": "javascript",
    "perl6": "raku",
    "s": "r",
    "rebol": "rebol",
    "bash": "shell",
}
Detector = Callable[[pa.RecordBatch], list[str | None]]


def ours(batch: pa.RecordBatch) -> list[str | None]:
    return measure_detected(batch).column("detected_language").to_pylist()


def candidates() -> Iterator[tuple[str, Detector]]:
    yield "thresher detected", ours
    for name, make in (("enry-python", _enry), ("magika", _magika), ("Pygments", _pygments)):
        try:
            yield f"{name} {version(name)}", make()
        except ImportError as missing:
            print(f"{name}: left out ({missing})")


def _rows(batch: pa.RecordBatch) -> Iterator[tuple[str, bytes]]:
    for path, text in zip(batch.column("path").to_pylist(), batch.column("content").to_pylist(), strict=True):
        yield path, text.encode()


def _enry() -> Detector:
    import enry

    return lambda batch: [enry.get_language(path, text) for path, text in _rows(batch)]


def _magika() -> Detector:
    from magika import Magika

    model = Magika()
    return lambda batch: [model.identify_bytes(text).output.label for _, text in _rows(batch)]


def _pygments() -> Detector:
    from pygments.lexers import guess_lexer_for_filename
    from pygments.util import ClassNotFound

    def one(path: str, text: bytes) -> str | None:
        try:
            return guess_lexer_for_filename(
                path.rsplit("/", 1)[-1], text[:51_200].decode(errors="replace")
            ).name
        except ClassNotFound:
            return None

    return lambda batch: [one(path, text) for path, text in _rows(batch)]


def spelled(name: str | None) -> str:
    known = (name or "unknown").lower()
    return SAME.get(known, known)


def compare(batch: pa.RecordBatch, detector: Detector) -> dict[str, object]:
    start = time.process_time()
    found = [spelled(name) for name in detector(batch)]
    seconds = time.process_time() - start
    stated = [spelled(name) for name in batch.column("language").to_pylist()]
    wrong = Counter(f"{b} for {a}" for a, b in zip(stated, found, strict=True) if a != b)
    size = sum(len(text.encode()) for text in batch.column("content").to_pylist())
    return {
        "accuracy": round(1 - sum(wrong.values()) / max(1, len(found)), 4),
        "mb_per_s": round(size / 1e6 / seconds, 2),
        "ms_per_file": round(1000 * seconds / max(1, len(found)), 4),
        "wrong": dict(wrong.most_common(8)),
    }


def labelled(root: Path, half: str) -> pa.RecordBatch:
    """Files below ``root``; half of them, chosen by hash, were looked at when the rules were written (``tune``)."""
    rows = []
    for file in sorted(path for path in root.rglob("*") if path.is_file()):
        data = file.read_bytes()
        if ("tune", "hold-out")[hashlib.sha256(data).digest()[0] % 2] == half:
            rows.append((file.name, data.decode(errors="replace"), file.relative_to(root).parts[0]))
    paths, texts, languages = zip(*rows, strict=True)
    return pa.RecordBatch.from_pydict(
        {"path": list(paths), "content": pa.array(texts, pa.large_string()), "language": list(languages)}
    )


def origin_agreement(batch: pa.RecordBatch) -> dict[str, object]:
    """How often vendored and generated say what go-enry says."""
    import enry

    rows = list(_rows(batch))
    paths = measure_paths(batch)
    said = {
        "vendored": (paths.column("vendored").to_pylist(), [enry.is_vendor(path) for path, _ in rows]),
        "generated": (
            measure_detected(batch).column("generated").to_pylist(),
            [enry.is_generated(path, text) for path, text in rows],
        ),
    }
    found: dict[str, object] = {}
    for name, (a, b) in said.items():
        pairs = list(zip(a, b, strict=True))
        differ = [rows[i][0] for i, (x, y) in enumerate(pairs) if x != y]
        found[name] = {"equal": f"{len(pairs) - len(differ)} of {len(pairs)}", "differ": differ[:10]}
    return found


def paths_per_second(batch: pa.RecordBatch, rows: int) -> int:
    pieces = [batch.slice(at, rows) for at in range(0, batch.num_rows, rows)]
    start = time.process_time()
    for piece in pieces:
        measure_paths(piece)
    return int(batch.num_rows / (time.process_time() - start))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--input", type=Path, required=True, help="Parquet file with path, content, language")
    parser.add_argument("--labelled", type=Path, help="folder of files below folders named by language")
    options = parser.parse_args()
    table = pq.read_table(options.input, columns=["path", "content", "language"]).combine_chunks()
    batch = table.to_batches()[0]
    sets = {"sample": batch}
    for half in ("tune", "hold-out") if options.labelled else ():
        sets[half] = labelled(options.labelled, half)
    ours(batch.slice(0, 10))
    for name, detector in candidates():
        for label, documents in sets.items():
            print(
                json.dumps(
                    {
                        "detector": name,
                        "set": label,
                        "files": documents.num_rows,
                        **compare(documents, detector),
                    }
                )
            )
    paths = [f"r{i}/{path}" for i in range(50) for path in batch.column("path").to_pylist()]
    texts = pa.array([""] * len(paths), pa.large_string())
    many = pa.RecordBatch.from_pydict({"path": paths, "content": texts})
    print(json.dumps({"paths_per_s": {rows: paths_per_second(many, rows) for rows in (1000, many.num_rows)}}))
    try:
        print(json.dumps(origin_agreement(batch)))
    except ImportError:
        print("enry-python: not installed, no comparison of vendored and generated")


if __name__ == "__main__":
    main()
