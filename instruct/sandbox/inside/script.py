"""A whole program: it reads standard input and writes standard output, like a file given to ``python``."""

from __future__ import annotations

import sys
import types


def run(job: dict[str, object]) -> int:
    """Run ``job["code"]`` as ``__main__`` and return its exit code."""
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    sys.argv = ["program.py"]
    try:
        exec(compile(str(job["code"]), "program.py", "exec", dont_inherit=True), module.__dict__)
    except SystemExit as stop:
        return _exit_code(stop.code)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def compiles(code: str) -> bool:
    """Whether the text is a Python program at all; one that needs more memory says so when it is run."""
    try:
        compile(code, "program.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, OverflowError):
        return False
    except MemoryError:
        return True
    return True


def _exit_code(code: object) -> int:
    if code is None or isinstance(code, int):
        return (code or 0) & 0xFF
    sys.stderr.write(f"{code}\n")
    return 1
