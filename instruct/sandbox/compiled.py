"""The modules that run inside a sandbox, compiled once per process: a sandbox starts sooner, and sees no other file."""

from __future__ import annotations

import functools
import py_compile
import tempfile
from pathlib import Path

from instruct.sandbox import inside


@functools.cache
def compiled() -> Path:
    """A directory with the package ``inside`` as byte code of this interpreter; removed when this process ends."""
    folder = tempfile.TemporaryDirectory(prefix="thresher-")
    _KEPT.append(folder)
    package = Path(folder.name) / "inside"
    package.mkdir(mode=0o755)
    Path(folder.name).chmod(0o755)
    for source in sorted(Path(inside.__file__).parent.glob("*.py")):
        target = package / f"{source.stem}.pyc"
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(str(source), str(target), dfile=source.name, doraise=True, invalidation_mode=mode)
        target.chmod(0o644)
    return package


_KEPT: list[tempfile.TemporaryDirectory[str]] = []
