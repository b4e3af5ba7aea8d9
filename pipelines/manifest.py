"""The manifest: what the dataset is. Written last; equal input and recipe give equal bytes.

It holds no time, no host and no output path; those are in ``run.json``.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow.compute as pc

from columns.errors import OutputError
from columns.fingerprint import code_fingerprint
from columns.tables import read_whole
from contamination.estimate import SelfTest
from filters import OwnCode, own_rules
from filters.own import OwnFunction
from pipelines.attribution import attributed
from pipelines.cuts import CutsConfig, cuts_account
from pipelines.dataset import MANIFEST, Dataset, Names
from pipelines.finished import Finished
from pipelines.ledger import CONTAMINATED_RULE, EXACT_RULE, KNOWN_RULE, NEAR_RULE, PROBLEM_RULE
from pipelines.measure import benchmark_index
from pipelines.promise import curve_of
from pipelines.recipe import LoadedRecipe
from pipelines.recipefile import Note
from pipelines.selftest import stored
from pipelines.shard import tokens_account
from pipelines.stage import COMMIT, outputs_fingerprint, read_json, stage_counts
from shards import Manifest

ROOMS = (
    "columns", "sources", "filters", "syntax", "licensing", "privacy", "dedup", "contamination", "shards",
    "pipelines",
)  # fmt: skip
TOP_LICENSES = 20
_FROM, _REDACTED, _KNOWN = "from.", "redacted.", "known."


def write_manifest(dataset: Dataset, loaded: LoadedRecipe) -> bool:
    """Collect what the stages committed and write ``manifest.json``; returns whether it changed."""
    manifest = Manifest(**collect(dataset, loaded))
    if dataset.place.exists(MANIFEST) and dataset.place.read(MANIFEST) == manifest.dump():
        return False
    manifest.write(dataset.place)
    return True


def collect(dataset: Dataset, loaded: LoadedRecipe) -> dict[str, Any]:
    """The manifest's sections as plain data."""
    documents, links, ledger, shards = (
        _commit(place) for place in (dataset.documents, dataset.links, dataset.ledger, dataset.shards)
    )
    known = _known(dataset)
    return {
        "recipe": describe_recipe(loaded),
        "fingerprints": {
            "recipe": loaded.recipe.fingerprint(),
            "code": code_fingerprint(*ROOMS),
            "documents": outputs_fingerprint(documents),
            "ledger": outputs_fingerprint(ledger),
        },
        "inputs": documents["inputs"],
        "pinned": documents["pinned"],
        "documents": {
            **_documents(documents, _commit(dataset.facts)["counts"]),
            "licenses": licenses_of(Finished(dataset.place, {})),
        },
        "licenses": _licenses(dataset) if loaded.recipe.licenses.detect else {},
        "privacy": _privacy(dataset, ledger) if loaded.recipe.privacy.find else {},
        "funnel": [step for step in funnel(ledger, loaded) if known or step["rule"] != KNOWN_RULE],
        "dedup": {
            **_dedup(links, ledger["chains"], loaded),
            "against": known,
            **cuts_account(dataset, CutsConfig.of(loaded.recipe)),
        },
        "contamination": _contamination(dataset, loaded),
        "tokenizer": shards["tokenizer"],
        "tokens": tokens_account(shards),
        "shards": shards["units"],
        "ledger": _ledger(ledger),
    }


def _commit(place: Any) -> dict[str, Any]:
    commit = read_json(place, COMMIT)
    if commit is None:
        raise OutputError(f"{place.url}: not a finished stage", hint="run the whole build: thresher build …")
    return commit


def describe_recipe(loaded: LoadedRecipe) -> dict[str, Any]:
    """The recipe with every rule's citation, what the user's own rules say they are, and every other value's status."""
    recipe = loaded.recipe
    plain = dataclasses.asdict(recipe)
    plain["filters"]["rules"] = [dataclasses.asdict(rule) for rule in recipe.rules().rules]
    plain["filters"]["own_rules"] = [
        _own_rule(code, rule) for code in recipe.filters.own for rule in own_rules(code)
    ]
    plain["notes"] = {path: dataclasses.asdict(note) for path, note in sorted(loaded.notes.items())}
    return plain


def _own_rule(code: OwnCode, rule: OwnFunction) -> dict[str, Any]:
    return {
        "name": rule.name,
        "version": rule.version,
        "about": rule.about,
        "file": code.name,
        "reads": list(rule.parameters),
    }


def funnel(ledger: Mapping[str, Any], loaded: LoadedRecipe) -> Iterator[dict[str, Any]]:
    """What is left after each rule, in the order of decision."""
    counts = ledger["counts"]
    files, size = counts["files"], counts["bytes"]
    yield {
        "rule": "read",
        "status": "",
        "files": files,
        "bytes": size,
        "removed_files": 0,
        "removed_bytes": 0,
    }
    statuses = _statuses(loaded)
    for rule in ledger["rules"]:
        gone, gone_bytes = counts[f"files.{rule}"], counts[f"bytes.{rule}"]
        files, size = files - gone, size - gone_bytes
        entry = {"rule": rule, "status": statuses.get(rule, "ours"), "files": files, "bytes": size}
        yield entry | {"removed_files": gone, "removed_bytes": gone_bytes}


def _statuses(loaded: LoadedRecipe) -> dict[str, str]:
    notes = loaded.notes
    said = {rule.name: rule.status for rule in loaded.recipe.rules().rules}
    about = {EXACT_RULE: "dedup.exact", NEAR_RULE: "dedup.near", CONTAMINATED_RULE: "contamination.suites"}
    return {
        PROBLEM_RULE: "ours",
        **{rule: notes.get(path, Note()).status for rule, path in about.items()},
        **said,
    }


def _documents(documents: Mapping[str, Any], measured: Mapping[str, int]) -> dict[str, Any]:
    counts = documents["counts"]
    both = (*counts.items(), *measured.items())
    problems = {key.removeprefix("problem."): n for key, n in both if key.startswith("problem.")}
    return {
        "files": counts["files"],
        "bytes": counts["bytes"],
        "problems": problems,
        "skipped": documents["skipped"],
        "parts": len(documents["outputs"]),
    }


def licenses_of(dataset: Finished) -> dict[str, Any]:
    """The licences of the kept files: as found out, else as the source states; one pass over two columns."""
    found: Counter[str | None] = Counter()
    for part in attributed(dataset):
        pairs = pc.value_counts(part.column("license")).to_pylist()
        found.update({pair["values"]: pair["counts"] for pair in pairs})
    unknown = found.pop(None, 0)
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0] or ""))
    return {
        "known": sum(found.values()), "unknown": unknown, "different": len(ranked),
        "top": [[name, number] for name, number in ranked[:TOP_LICENSES]],
    }  # fmt: skip


def _licenses(dataset: Dataset) -> dict[str, Any]:
    """Files by who says their licence, and the licences that most files have."""
    counts = _commit(dataset.licenses)["counts"]
    found: Counter[str] = Counter()
    names = Names(dataset.parts())
    for part in range(names.count):
        ids = read_whole(dataset.licenses, names.part(part), ["license_id"]).column(0)
        found.update(
            {pair["values"]: pair["counts"] for pair in pc.value_counts(ids.drop_null()).to_pylist()}
        )
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return {
        **{key: counts.get(key, 0) for key in ("known", "permissive", "conflict")},
        "from": {key.removeprefix(_FROM): n for key, n in sorted(counts.items()) if key.startswith(_FROM)},
        "different": len(ranked),
        "top": [[name, number] for name, number in ranked[:TOP_LICENSES]],
    }


def _privacy(dataset: Dataset, ledger: Mapping[str, Any]) -> dict[str, Any]:
    """Finds in all files, and those replaced in the shards by kind."""
    counts = sorted(ledger["counts"].items())
    return {
        "found": _commit(dataset.facts)["counts"].get("spans", 0),
        "redacted": {key.removeprefix(_REDACTED): n for key, n in counts if key.startswith(_REDACTED)},
    }


def _known(dataset: Dataset) -> dict[str, Any]:
    """The known corpora that the dataset was built against, and what was found; empty without."""
    commit = read_json(dataset.known, COMMIT)
    if commit is None:
        return {}
    found = {key.removeprefix(_KNOWN): n for key, n in commit["counts"].items() if key.startswith(_KNOWN)}
    return {
        "corpora": commit["against"],
        "buckets_capped": commit["counts"].get("buckets_capped", 0),
        **found,
    }


def _dedup(
    links: Mapping[str, Any], chains: Mapping[str, Any] | None, loaded: LoadedRecipe
) -> dict[str, Any]:
    counted = ("exact_groups", "candidates", "edges", "buckets_capped", "insides_capped")
    found = {key: links["counts"].get(key, 0) for key in counted}
    return {**found, "chains": chains or {}, **curve_of(loaded.recipe.dedup)}


def _contamination(dataset: Dataset, loaded: LoadedRecipe) -> dict[str, Any]:
    tasks: dict[str, int] = {}
    names = Names(dataset.parts())
    files = 0
    for part in range(names.count):
        for found in read_whole(dataset.ledger, names.part(part), ["tasks"]).column("tasks").to_pylist():
            files += bool(found)
            for task in found or ():
                tasks[task] = tasks.get(task, 0) + 1
    config = loaded.recipe.contamination
    index = benchmark_index(config)
    described = {name: about | {"action": config.action_of(name)} for name, about in index.about.items()}
    actions = {name.removeprefix("files."): number for name, number in stage_counts(dataset.leaks).items()}
    hashes = {name: str(about["sha256"]) for name, about in described.items()}
    return {
        "suites": described, "rule": config.rule, "source": config.chosen.source, "files": files, "actions": actions,
        "tasks": dict(sorted(tasks.items())), "unreachable": config.chosen.blind(index), "allowed": len(config.allow),
        "selftest": selftest_account(stored(dataset.place, hashes, config)),
    }  # fmt: skip


def selftest_account(record: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a self-test says of the rule that decides; empty where there is none."""
    if record is None:
        return {}
    test, rule = SelfTest.of(record), record["rule"]
    (false,) = (one for one in test.false_positives if one.rule == rule)
    rows = [
        {
            "suite": suite,
            "level": level,
            "hits": found.hits,
            "n": found.n,
            "low": found.low,
            "high": found.high,
        }
        for suite, level, found in test.table(rule)
    ]
    share = {
        "hits": false.share.hits,
        "n": false.share.n,
        "per_100k": list(false.per_100k),
        "cleared": false.cleared,
    }
    return {"seed": test.seed, "rule": rule, "recall": rows, "false_positives": share}


def _ledger(ledger: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"name": output["name"], "sha256": output["sha256"]} for output in ledger["outputs"]]
