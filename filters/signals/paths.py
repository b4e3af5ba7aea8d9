"""What a path alone says: extension, vendored, generated, test, configuration. No content is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import yaml

PATHS = pa.schema(
    [
        pa.field(
            "extension",
            pa.string(),
            metadata={
                "about": "what follows the last dot of the file name, in lower case; empty without one"
            },
        ),
        pa.field(
            "vendored", pa.bool_(), metadata={"about": "the path is one under which others' code is kept"}
        ),
        pa.field(
            "generated_path",
            pa.bool_(),
            metadata={"about": "the path is one that a program gives its output"},
        ),
        pa.field("test_path", pa.bool_(), metadata={"about": "the path is one of a test"}),
        pa.field(
            "config_path", pa.bool_(), metadata={"about": "the path is one of settings or a build script"}
        ),
        pa.field(
            "kept_text_name",
            pa.bool_(),
            metadata={"about": "requirement, readme, todo, description or cmakelists is in the file name"},
        ),
    ]
)
_TOKEN = re.compile(r"\*\*/|[*%#{},]|[^*%#{},]+")
_MEANING = {
    "**/": "(?:.*/)?",
    "*": "[^/]*",
    "%": "[^/.]*",
    "#": "[0-9]+",
    "{": "(?:",
    "}": ")",
    ",": "|",
}


@dataclass(frozen=True)
class PathsConfig:
    """The path signals have no settings: their patterns are data, with a source each, in ``paths.yaml``."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}


@dataclass(frozen=True)
class PathGroup:
    """Patterns of one signal that share a source; ``globs`` are written as ``paths.yaml`` explains."""

    about: str
    source: str
    globs: tuple[str, ...]
    ignore_case: bool = False


_DEFAULT = PathsConfig()


@cache
def path_groups() -> dict[str, tuple[PathGroup, ...]]:
    """The patterns of every path signal, as the data file has them.

    >>> [group.globs[0] for group in path_groups()["kept_text_name"]]
    ['*requirement*']
    """
    text = (resources.files("filters.signals") / "paths.yaml").read_text("utf-8")
    data: dict[str, list[dict[str, Any]]] = yaml.safe_load(text)
    return {
        name: tuple(PathGroup(**group | {"globs": tuple(group["globs"])}) for group in groups)
        for name, groups in data.items()
    }


def glob_regex(*globs: str) -> str:
    """Patterns of ``paths.yaml`` as one RE2 expression over whole paths; equal beginnings and ends are shared.

    >>> glob_regex("node_modules/"), glob_regex("/waf"), glob_regex("*.{js,css}", "x%")
    ('(?:^|/)(?:node_modules)/', '^(?:waf)$', '(?:^|/)(?:[^/]*\\\\.(?:js|css)|x[^/.]*)$')
    """
    bodies: dict[tuple[str, str], list[str]] = {}
    for glob in globs:
        ends = ("^" if glob.startswith("/") else "(?:^|/)", "/" if glob.endswith("/") else "$")
        tokens = _TOKEN.findall(glob.removeprefix("/").removesuffix("/"))
        bodies.setdefault(ends, []).append(
            "".join(_MEANING.get(token) or re.escape(token) for token in tokens)
        )
    return "|".join(f"{start}(?:{'|'.join(body)}){end}" for (start, end), body in bodies.items())


@cache
def _regex(signal: str) -> str:
    """All patterns of a signal as one expression: RE2 walks over a path once, whatever their number."""
    found = []
    for ignore_case, flags in ((False, "(?s)"), (True, "(?is)")):
        groups = [group for group in path_groups()[signal] if group.ignore_case is ignore_case]
        found += [flags + glob_regex(*(glob for group in groups for glob in group.globs))] if groups else []
    return "|".join(f"(?:{part})" for part in found)


def measure_paths(batch: pa.RecordBatch, _config: PathsConfig = _DEFAULT) -> pa.RecordBatch:
    """Measure the ``path`` of documents: one row of `PATHS` per row; null where content or path is null.

    Patterns are matched with RE2, in time linear in the path's length whatever the pattern. They say what a name
    usually means; a path never proves what is in the file.

    >>> columns = {"path": ["a/node_modules/x.min.JS"], "content": pa.array([""], pa.large_string())}
    >>> measure_paths(pa.RecordBatch.from_pydict(columns)).to_pylist()[0]["extension"]
    'js'
    """
    path = pc.if_else(pc.is_valid(batch.column("content")), batch.column("path"), None)
    names = [name for name in PATHS.names if name != "extension"]
    known = path.dictionary_encode()
    found = {name: path_matches(known.dictionary, name) for name in names}
    found["extension"] = extensions(known.dictionary)
    arrays = [found[name].take(known.indices) for name in PATHS.names]
    return pa.RecordBatch.from_arrays(arrays, schema=PATHS)


def path_matches(path: pa.Array, signal: str) -> pa.Array:
    """Whether a pattern of a signal of ``paths.yaml`` fits each path, ``bool[n]``, null for null.

    >>> path_matches(pa.array(["go.sum", "web/package-lock.json"]), "generated_path").to_pylist()
    [False, True]
    """
    return pc.match_substring_regex(path, _regex(signal))


def extensions(path: pa.Array) -> pa.Array:
    """What follows the last dot of each file name, ``string[n]`` in lower case; empty when nothing comes before it.

    >>> extensions(pa.array(["a/B.Tar.GZ", "Makefile", ".bashrc", "x.", None])).to_pylist()
    ['gz', '', '', '', None]
    """
    found = pc.extract_regex(path, r"(?s)[^/]\.(?P<extension>[^./]*)$")
    extension = pc.fill_null(pc.struct_field(found, "extension"), "")
    return pc.if_else(pc.is_valid(path), pc.utf8_lower(extension), None)
