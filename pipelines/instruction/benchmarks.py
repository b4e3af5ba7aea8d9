"""Benchmarks that a recipe's section names, and what is in their files: a step depends on content, not on a path."""

from __future__ import annotations

import dataclasses
from typing import Any

from contamination import ContaminationConfig, load_suite
from instruct.evolve import LeakConfig


def named_suites(value: Any) -> tuple[str, ...]:
    """The suites that settings name, as the recipe writes them; none for settings of anything else.

    >>> named_suites(LeakConfig(("humaneval", "mbpp:mbpp.jsonl"))), named_suites(3)
    (('humaneval', 'mbpp:mbpp.jsonl'), ())
    """
    return value.suites if isinstance(value, LeakConfig | ContaminationConfig) else ()


def digests(value: Any) -> dict[str, str]:
    """The sha256 over the tasks of each suite that settings name; `InputError` for one that cannot be read.

    >>> list(digests(LeakConfig())), digests("text")
    (['humaneval'], {})
    """
    return {name: load_suite(name).sha256 for name in named_suites(value)}


def checked_against(section: Any) -> dict[str, dict[str, Any]]:
    """Every suite of a section, by name: number of tasks, sha256 over them, and the known publication ("" if none).

    >>> checked_against(dataclasses.make_dataclass("Section", ["leaks"])(LeakConfig()))["humaneval"]["tasks"]
    164
    """
    values = [getattr(section, one.name) for one in dataclasses.fields(section)]
    suites = [load_suite(name) for value in values for name in named_suites(value)]
    return {
        one.name: {"tasks": len(one.tasks), "sha256": one.sha256, "version": one.version} for one in suites
    }
