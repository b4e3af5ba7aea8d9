"""Preflight: what would stop a build in an hour is said now, in one line, with a hint."""

from __future__ import annotations

import dataclasses
import importlib.util
import logging
import shutil
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa

from columns.document import DOCUMENT
from columns.errors import EnvironmentProblem, OutputError, RecipeError
from columns.files import Place
from columns.versions import Versions
from contamination import ContaminationConfig, load_suite, suite_name
from dedup import COMMON
from filters import check_own, check_rules
from licensing import ASSIGNED
from pipelines.families import TOKENS, FamilyConfig, joined_facts
from pipelines.recipe import Recipe
from shards import TokenizerConfig, make_tokenizer

ROOMS = (
    "columns", "sources", "filters", "syntax", "licensing", "privacy", "dedup", "contamination", "instruct", "shards",
    "training",
    "pipelines",
)  # fmt: skip
SPACE_FACTOR = 3.0


def check_packages(rooms: Iterable[str] = ROOMS) -> None:
    """Refuse to run when another package of the same name shadows one of ours."""
    home = Path(__file__).resolve().parent.parent
    for room in rooms:
        spec = importlib.util.find_spec(room)
        places = (
            [Path(place).resolve().parent for place in (spec.submodule_search_locations or [])]
            if spec
            else []
        )
        if home not in places:
            found = str(places[0] / room) if places else "nothing"
            raise EnvironmentProblem(
                f"package {room}: expected the one in {home}, found {found}",
                hint=f"another distribution or folder named {room} is in the way; use a clean virtual environment",
            )


def check_output(place: Place) -> None:
    """Refuse an output that cannot be written (permissions, missing credentials, a file in its place)."""
    probe = f".probe-{uuid.uuid4().hex}"
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        if place.local is not None and place.local.is_file():
            raise OutputError(
                f"{place.url}: expected a directory, found a file", hint="choose another --output"
            )
        there = place.local is None or place.local.exists()
        place.write_bytes(probe, b"")
        place.remove([probe])
        if not there:
            place.remove_tree()
    except OutputError:
        raise
    except (OSError, PermissionError, ValueError, ImportError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise OutputError(f"{place.url}: cannot write there: {reason}", hint=_output_hint(place)) from error
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise EnvironmentProblem(
            f"{place.url}: cannot write there: {reason}", hint=_output_hint(place)
        ) from error
    finally:
        logging.disable(before)


def check_no_versions(place: Place) -> None:
    """Refuse to build where versions are: what is there is the first of them and stays as it is."""
    if Versions(place).numbers():
        raise OutputError(
            f"{place.url}: the dataset has versions; a build would change one of them",
            hint=f"make the next one: thresher refresh {place.url} -i …; or build into another --output",
        )


def _output_hint(place: Place) -> str:
    if place.url.startswith(("gs://", "gcs://")):
        return "log in with: gcloud auth application-default login (and install thresher[gcp])"
    return "check the path and its permissions, or choose another --output"


def check_recipe(recipe: Recipe) -> None:
    """Refuse a recipe whose tokenizer, benchmarks, rules or own code would stop a stage."""
    check_tokenizer(recipe.tokenizer, recipe.transforms.special_tokens())
    check_suites(recipe.contamination)
    check_rules_have_facts(recipe)
    check_own_code(recipe.families())


def check_tokenizer(config: TokenizerConfig, names: Sequence[str] = ()) -> None:
    """Refuse a given tokenizer file that cannot be used, or one without the special tokens that are asked for.

    A trained one is made later.
    """
    if config.spec != "train":
        tokenizer = make_tokenizer(config)
        for name in names:
            tokenizer.special_id(name)
        return
    missing = [name for name in names if name not in (config.eot, *config.special_tokens)]
    if missing:
        raise RecipeError(
            f"transforms: the tokenizer has no special token {missing[0]!r}",
            hint=f"set tokenizer.special_tokens: [{', '.join(map(repr, names))}]",
        )


def check_suites(config: ContaminationConfig) -> None:
    """Refuse a benchmark suite that cannot be loaded, and an action for one that is not there."""
    for name in config.suites:
        load_suite(name)
    if config.unlisted():
        raise RecipeError(
            f"contamination: an action for {config.unlisted()[0]}, which is none of its suites",
            hint=f"its suites: {', '.join(map(suite_name, config.suites)) or 'none'}",
        )


def check_rules_have_facts(recipe: Recipe) -> None:
    """Refuse a recipe whose rules read facts that it does not measure."""
    detected = list(ASSIGNED) if recipe.licenses.detect else []
    common = list(COMMON) if recipe.dedup.paragraphs.find else []
    schema = pa.schema([*DOCUMENT, *recipe.families().schema(), *detected, *common])
    rule = next((r for r in recipe.rules().active if r.signal in ASSIGNED.names and not detected), None)
    if rule is not None:
        raise RecipeError(
            f"rule {rule.name} reads {rule.signal}, which this recipe does not find out",
            hint="set licenses.detect: true, or leave the rule out: filters.without",
        )
    rule = next((r for r in recipe.rules().active if r.signal in COMMON.names and not common), None)
    if rule is not None:
        raise RecipeError(
            f"rule {rule.name} reads {rule.signal}, which this recipe does not find out",
            hint="set dedup.paragraphs.find: true",
        )
    check_rules(recipe.rules(), schema)


def idle_rules(recipe: Recipe) -> list[str]:
    """Rules that can drop nothing: they count tokens, and no tokenizer is named."""
    rules = recipe.rules().active
    return [] if recipe.filters.tokenizer else [rule.name for rule in rules if rule.signal in TOKENS.names]


def check_own_code(config: FamilyConfig) -> None:
    """Run a recipe's own functions on small documents: refuse what raises, or depends on the batch."""
    for at, code in enumerate(config.own):
        before = dataclasses.replace(config, own=config.own[:at])
        found = check_own(code, lambda batch, before=before: joined_facts(batch, before))  # type: ignore[misc]
        if found:
            raise RecipeError(found[0], hint="docs/own-rules.md says what a function may depend on")


def check_space(place: Place, input_bytes: int) -> None:
    """Refuse when a local output has clearly too little room for documents, facts, tokens and shards."""
    local = place.local
    if local is None:
        return
    free = shutil.disk_usage(next(place for place in (local, *local.parents) if place.exists())).free
    needed = int(input_bytes * SPACE_FACTOR)
    if free < needed:
        raise EnvironmentProblem(
            f"{place.url}: about {needed / 1e9:.1f} GB needed for {input_bytes / 1e9:.1f} GB of input, "
            f"{free / 1e9:.1f} GB free",
            hint="free some space or give --output on another disk",
        )
