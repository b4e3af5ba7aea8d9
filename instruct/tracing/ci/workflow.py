"""GitHub Actions and Travis: the lines of shell in their YAML files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import yaml

from instruct.tracing.ci.found import RUNS, Found

__all__ = ["read_travis", "read_workflow"]

_FAULTS = (yaml.YAMLError, RecursionError, ValueError, MemoryError)
_TRAVIS = ("install", "before_script", "script")


def read_workflow(text: str, file: str) -> Iterator[Found]:
    """The ``run`` lines of every job of a workflow, as they stand; nothing for a file that is no workflow.

    >>> text = "jobs:\\n  a:\\n    steps:\\n    - run: |\\n        pip install x\\n        pytest"
    >>> [(one.text, one.line) for one in read_workflow(text, "ci.yml")]
    [('pip install x', 5), ('pytest', 6)]
    """
    met: set[int] = set()
    for job in _fresh(_values(_entry(_root(text), "jobs")), met):
        for steps in _fresh([_entry(job, "steps")], met):
            for step in _fresh(_items(steps), met):
                for run in _fresh([_entry(step, "run")], met):
                    yield from _shell(run, file)


def read_travis(text: str, file: str) -> Iterator[Found]:
    """What ``.travis.yml`` installs and runs."""
    root, met = _root(text), set[int]()
    for name in _TRAVIS:
        node = _entry(root, name)
        for one in _fresh(_items(node) or [node], met):
            yield from _shell(one, file)


def _fresh(nodes: Iterable[yaml.Node | None], met: set[int]) -> Iterator[yaml.Node]:
    """Each node once: a few aliases of aliases would otherwise stand for more lines than can be read."""
    for node in nodes:
        if node is not None and id(node) not in met:
            met.add(id(node))
            yield node


def _root(text: str) -> yaml.Node | None:
    """The document's tree, aliases as shared nodes: nothing is built from it, so nothing can be blown up by it."""
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except _FAULTS:
        return None


def _entry(node: yaml.Node | None, name: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for key, value in node.value if getattr(key, "value", None) == name), None)


def _values(node: yaml.Node | None) -> list[yaml.Node]:
    return [value for _, value in node.value] if isinstance(node, yaml.MappingNode) else []


def _items(node: yaml.Node | None) -> list[yaml.Node]:
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _shell(node: yaml.Node | None, file: str) -> Iterator[Found]:
    """The lines of a script, continued ones joined."""
    if not isinstance(node, yaml.ScalarNode):
        return
    block = node.style in ("|", ">")
    first = node.start_mark.line + (2 if block else 1)
    going, begun = "", first
    for at, line in enumerate(str(node.value).split("\n")):
        begun = begun if going else first + at
        going += line
        if going.endswith("\\"):
            going = going[:-1] + " "
            continue
        if going.strip() and not going.lstrip().startswith("#"):
            yield Found(RUNS, going.strip(), file, begun)
        going = ""
