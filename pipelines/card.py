"""The dataset card: what a dataset is, in Markdown and as JSON, from its manifest alone; written beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined

from columns.files import Place
from contamination.planting import LEVELS
from pipelines import wording
from pipelines.dataset import CARD
from pipelines.finished import Finished
from shards.prefixes import FIELDS

DATA = "dataset_card.json"
_SPECIAL = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_{}[]<>|#"})
_SIZES = (
    (10**3, "n<1K"),
    (10**4, "1K<n<10K"),
    (10**5, "10K<n<100K"),
    (10**6, "100K<n<1M"),
    (10**7, "1M<n<10M"),
)


_METHODS = {
    "concat": "one behind the other, cut wherever a row ends (`concat`)",
    "best_fit": "each into the fullest row with room, only longer ones than a row are cut (`best_fit`)",
    "single": "one document a row (`single`)",
}
_ORDERS = {
    "plain": "as they are", "psm": "rearranged: prefix, suffix, middle", "spm": "rearranged: suffix, prefix, middle",
    "prefixed": "with something before the text", "joined": "go on in the next file of their repository",
}  # fmt: skip


def write_card(place: Place) -> None:
    """Write ``DATASET_CARD.md`` and ``dataset_card.json`` of a dataset: the same manifest gives the same bytes."""
    dataset = Finished.open(place)
    place.write_bytes(CARD, render(dataset).encode())
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    place.write_bytes(DATA, orjson.dumps(facts(dataset), option=options))


def facts(dataset: Finished) -> dict[str, Any]:
    """What the card says, as plain data: names as they are, not escaped."""
    found, recipe, tokens = dataset.manifest, dataset.section("recipe"), dataset.section("tokens")
    return {
        "name": recipe.get("name", ""), "about": recipe.get("about", ""), "shards": len(found["shards"]),
        "files": {"read": found["documents"]["files"], "kept": tokens.get("documents", 0)},
        "funnel": found["funnel"], "languages": dict(_most(tokens.get("by_language", {}))),
        "licenses": dataset.section("documents", "licenses"), "privacy": dataset.section("privacy"),
        "contamination": dataset.section("contamination"), "tokenizer": dataset.section("tokenizer"),
        "tokens": {key: value for key, value in tokens.items() if key not in ("by_language", "forms")},
        "packing": recipe.get("pack", {}), "known_limits": limits(dataset),
        "transforms": {"recipe": transforms(recipe), "documents": tokens.get("forms", {})},
    }  # fmt: skip


def transforms(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The transforms that the recipe asks for, with their settings; empty without any.

    >>> transforms({"transforms": {"infill": {"rate": 0.0}, "repository": {"join": True}}})
    {'repository': {'join': True}}
    """
    asked = recipe.get("transforms") or {}
    prefix = asked.get("prefix", {})
    on = {
        "infill": asked.get("infill", {}).get("rate"), "prefix": any(prefix.get(name) for name in FIELDS),
        "repository": asked.get("repository", {}).get("join"),
    }  # fmt: skip
    return {name: asked[name] for name, wanted in on.items() if wanted}


def limits(dataset: Finished) -> list[str]:
    """What a user of the dataset must know that it does not do, one sentence or two each."""
    recipe, tokens = dataset.section("recipe"), dataset.section("tokens")
    changed, dropped = transforms(recipe), sum((tokens.get("dropped") or {}).values())
    found = [
        "Files of the training and of the validation split are kept apart by file, not by project: what projects "
        "share may be in both.",
        "Near-duplicates below the recipe's threshold stay."
        if dataset.section("recipe", "dedup").get("near")
        else "Near-duplicates were not looked for.",
    ]
    if dropped:
        found.append(f"{wording.count(dropped)} tokens that packing had no room for are in no row.")
    if {"prefix", "repository"} & {*changed}:
        found.append("Repository names and paths stand before files as they are: they were not redacted.")
    if "infill" in changed:
        found.append(
            "Rearranged files are in the shards in that form only: read them through `shards.infilling.original_text`."
        )
    if not dataset.section("contamination").get("suites"):
        found.append("Nobody looked for benchmark tasks: scores of a model trained on it may be inflated.")
    found.append(
        "Nobody read the files: code that is wrong, insecure or offensive is in it as it is in its sources."
    )
    return found


def render(dataset: Finished) -> str:
    """The card's text. Names from the data are escaped; no file's text and no benchmark's is in it."""
    found, recipe, test = (
        dataset.manifest,
        dataset.section("recipe"),
        dataset.section("contamination", "selftest"),
    )
    return _template().render(
        m=found, recipe=recipe, size=_size_of(found["tokens"].get("documents", 0)),
        languages=_most(found["tokens"].get("by_language", {})), licenses=dataset.section("documents", "licenses"),
        packed=_METHODS, transforms=transforms(recipe), orders=_ORDERS, test=test, recalls=list(recalls(test)),
        levels=LEVELS, limits=limits(dataset),
    )  # fmt: skip


def recalls(test: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each suite of a self-test with its recall per level.

    >>> row = {"suite": "s", "level": "verbatim", "hits": 3, "n": 4}
    >>> list(recalls({"recall": [row]}))
    [('s', {'verbatim': '75.0%'})]
    """
    found: dict[str, dict[str, str]] = {}
    for row in test.get("recall", ()):
        found.setdefault(row["suite"], {})[row["level"]] = (
            wording.share(row["hits"], row["n"]) if row["n"] else "–"
        )
    yield from found.items()


def _most(languages: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(languages.items(), key=lambda item: (-item[1], item[0]))


def _size_of(files: int) -> str:
    return next((name for limit, name in _SIZES if files < limit), "n>10M")


def escaped(text: object) -> str:
    """Untrusted text as it is read in Markdown.

    >>> escaped("a|b*")
    'a\\\\|b\\\\*'
    """
    return wording.plain(str(text)).translate(_SPECIAL)


@cache
def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("pipelines", ""), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, autoescape=False,
    )  # fmt: skip
    environment.filters |= {
        "text": escaped,
        "count": wording.count,
        "size": wording.size,
        "title": wording.step_title,
    }
    environment.globals |= {"actions": wording.LEAK_ACTIONS}
    return environment.get_template("card.md.j2")
