"""Files: every checksum a stage left, every record batch of a shard, and the manifest against what the stages say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow.compute as pc

from columns.files import Place
from pipelines.dataset import Dataset, Names
from pipelines.finished import Finished
from pipelines.shard import tokens_account
from pipelines.stage import COMMIT, describe, outputs_fingerprint, read_json
from pipelines.verification.check import Check, Watch, files_word, some
from pipelines.wording import counted, size
from shards import damage, read_batches

_FOLDERS = (
    "documents", "facts", "links", "licenses", "known", "functions/facts", "functions/links", "functions", "paragraphs",
    "leaks", "cuts", "ledger", "tokenizer", "tokens",
)  # fmt: skip
_SCRATCH = "tokens"


def check_shards(dataset: Finished, watch: Watch) -> Check:
    """Size and SHA-256 of each shard the manifest lists; a damaged one is told by record batch and byte."""
    place, listed = dataset.place.child("shards"), list(dataset.section("shards") or [])
    present, names = set(place.names()), {entry["sha256"]: entry["name"] for entry in listed}
    problems: list[str] = []
    for number, entry in enumerate(listed):
        watch("shards", number, len(listed))
        problems += _shard_problems(place, entry, present, names)
    known = {COMMIT, *(entry["name"] for entry in listed)}
    problems += [f"shards/{name}: is not in the manifest" for name in sorted(present - known)]
    total = sum(entry["bytes"] for entry in listed)
    return Check("shards", f"{counted(len(listed), 'shard')}, {size(total)}", some(problems))


def _shard_problems(
    place: Place, entry: Mapping[str, Any], present: set[str], names: Mapping[str, str]
) -> Iterator[str]:
    name = entry["name"]
    label = f"shards/{name}"
    if name not in present:
        yield f"{label}: missing"
        return
    found = describe(place, name)
    batches = read_batches(entry.get("batches", ()))
    if found["size"] != entry["bytes"]:
        yield f"{label}: {found['size']:,} bytes, expected {entry['bytes']:,}"
    elif found["sha256"] != entry["sha256"]:
        other = names.get(found["sha256"])
        yield f"{label}: {f'holds the bytes of {other}' if other else 'the SHA-256 is not that of the manifest'}"
    if sum(batch.rows for batch in batches) != entry["rows"] and batches:
        yield f"{label}: the manifest says {entry['rows']:,} rows, and others of its record batches"
    yield from (f"{label}: {line}" for line in damage(place, name, batches))


def check_stages(dataset: Finished, watch: Watch) -> Check:
    """Size and SHA-256 of the files of every other stage that is still here; token parts may be deleted."""
    commits = [(folder, read_json(dataset.place.child(folder), COMMIT)) for folder in _FOLDERS]
    outputs = [(folder, output) for folder, commit in commits if commit for output in commit["outputs"]]
    problems, looked = [], 0
    for number, (folder, output) in enumerate(outputs):
        watch("other files", number, len(outputs))
        place = dataset.place.child(folder)
        if not place.exists(output["name"]):
            problems += [] if folder == _SCRATCH else [f"{folder}/{output['name']}: missing"]
            continue
        looked += 1
        if describe(place, output["name"]) != {key: output[key] for key in ("size", "sha256")}:
            problems.append(f"{folder}/{output['name']}: is not the file that the stage wrote")
    return Check("other files", files_word(looked), some(problems), "" if outputs else "only shards are here")


def check_manifest(dataset: Finished) -> Check:
    """What the manifest repeats must be what the stages left: shards, ledger, tokens, number of files."""
    held = Dataset(dataset.place)
    commits = {
        name: read_json(dataset.place.child(name), COMMIT) for name in ("documents", "ledger", "shards")
    }
    if None in commits.values():
        return Check("manifest", "", (), "the stages' records are not here")
    documents, ledger, shards = (commits[name] or {} for name in ("documents", "ledger", "shards"))
    pairs: list[tuple[str, Any, Any]] = [
        ("shards", dataset.section("shards"), shards["units"]),
        ("tokens", dataset.section("tokens"), tokens_account(shards)),
        ("tokenizer", dataset.section("tokenizer"), shards["tokenizer"]),
        ("ledger", dataset.section("ledger"), [_named(one) for one in ledger["outputs"]]),
        ("documents.files", dataset.section("documents", "files"), documents["counts"]["files"]),
        ("fingerprints.documents", dataset.section("fingerprints", "documents"), outputs_fingerprint(documents)),
        ("fingerprints.ledger", dataset.section("fingerprints", "ledger"), outputs_fingerprint(ledger)),
        ("funnel: files kept", (dataset.section("funnel") or [{}])[-1].get("files"), _kept(held)),
    ]  # fmt: skip
    problems = [line for name, said, found in pairs for line in _differences(name, said, found)]
    return Check("manifest", counted(len(pairs), "section"), some(problems))


def _named(output: Mapping[str, Any]) -> dict[str, Any]:
    return {key: output[key] for key in ("name", "sha256")}


def _kept(dataset: Dataset) -> int:
    names = Names(dataset.parts())
    finished = Finished(dataset.place, {})
    parts = finished.parts()
    return sum(
        pc.sum(finished.ledger(part, ["kept"]).column(0)).as_py() or 0 for part in parts[: names.count]
    )


def _differences(name: str, said: Any, found: Any) -> Iterator[str]:
    """Where two values differ, innermost first."""
    if isinstance(said, Mapping) and isinstance(found, Mapping):
        for key in sorted({*said, *found}):
            yield from _differences(f"{name}.{key}", said.get(key), found.get(key))
    elif _listed(said) and _listed(found) and len(said) == len(found):
        for number, pair in enumerate(zip(said, found, strict=True)):
            yield from _differences(f"{name}[{number}]", *pair)
    elif said != found:
        yield f"manifest.json: {name} is {_short(said)}, the stage that made it says {_short(found)}"


def _listed(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _short(value: Any) -> str:
    return counted(len(value), "entry", "entries") if _listed(value) else str(value)


def check_account(dataset: Finished) -> Check:
    """Tokens produced are those written and dropped, by split and language too; padding is the rest of the rows."""
    tokens, listed = dataset.section("tokens"), list(dataset.section("shards") or [])
    width = dataset.section("recipe", "pack").get("seq_len", 0)
    rows, written = (sum(entry[key] for entry in listed) for key in ("rows", "tokens"))
    sums = [
        ("written + dropped", tokens["written"] + sum(tokens["dropped"].values()), tokens["produced"]),
        ("tokens by split", sum(tokens["by_split"].values()), tokens["produced"]),
        ("tokens by language", sum(tokens["by_language"].values()), tokens["produced"]),
        ("tokens of all shards", written, tokens["written"]),
        ("padding", rows * width - written, tokens["padding"]),
    ]
    problems = [f"{name}: {found:,}, expected {wanted:,}" for name, found, wanted in sums if found != wanted]
    return Check("tokens account", counted(tokens["produced"], "token"), tuple(problems))
