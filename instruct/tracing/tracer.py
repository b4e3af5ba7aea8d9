"""What a project's functions are called with and return, noted while its tests run. Runs inside the sandbox.

This one file needs nothing but the standard library (Python 3.9 or newer) and is copied into the sandbox::

    python tracer.py '{"out": "/x/trace.jsonl", "roots": ["/x/pkg/"], …}' -m pytest tests

From Python 3.12 on it listens by ``sys.monitoring``, where a function that is of no use, or of which enough is known,
is never heard of again; before, by ``sys.setprofile``. Arguments are written down as literals before the function
runs, so it cannot change them. No object's own code is called: only values whose exact types are plain are looked at.
Nothing is pickled. `records.read_trace` reads the file, and believes nothing that it says.
"""

from __future__ import annotations

import atexit
import dis
import functools
import json
import os
import random
import runpy
import sys
import threading
from contextlib import suppress
from typing import Any

__all__ = ["NotPlain", "Recorder", "Seen", "literal"]

CHARS, NODES, DEPTH, BITS = 4_000, 1_000, 16, 2_048
_OPTIMIZED, _VARARGS, _VARKEYWORDS, _GENERATOR, _COROUTINES = 0x1, 0x4, 0x8, 0x20, 0x80 | 0x100 | 0x200
_TOOL_IDS = (4, 3, 2, 1, 0, 5)


class NotPlain(Exception):
    """A value that no literal stands for: an object, or a float that is no number; or too large a one."""


def literal(value: object) -> str:
    """A plain value as the literal that ``ast.literal_eval`` reads back with the same types, bit by bit.

    Plain are None, bool, int, float (not NaN), complex, str, bytes, and lists, tuples, sets and dicts of these: the
    exact types, within `CHARS` characters, `NODES` values, `DEPTH` levels. A set's members are written in the order
    of their literals, a dict's in its own. `NotPlain` for all else. No method of a foreign type is ever called.

    >>> literal({"b": (1,), "a": {3.0, -0.0}, "c": set()})
    "{'b': (1,), 'a': {-0.0, 3.0}, 'c': set()}"
    >>> literal(float("inf"))
    '1e999'
    >>> literal(frozenset())
    Traceback (most recent call last):
    ...
    instruct.tracing.tracer.NotPlain: frozenset
    """
    text = _text(value, DEPTH, [NODES])
    if len(text) > CHARS:
        raise NotPlain("too large")
    return text


def _text(value: Any, depth: int, left: list[int]) -> str:
    kind = type(value)
    left[0] -= 1
    if left[0] < 0 or depth < 0:
        raise NotPlain("too large")
    scalar = _SCALARS.get(kind)
    if scalar is not None:
        return scalar(value)
    if kind is dict:
        items = ((_text(k, depth - 1, left), _text(v, depth - 1, left)) for k, v in value.items())
        return "{" + ", ".join([f"{key}: {found}" for key, found in items]) + "}"
    if kind not in _BRACKETS:
        raise NotPlain(kind.__name__ if type(kind) is type else "object")
    inside = [_text(one, depth - 1, left) for one in value]
    if kind is set:
        return "{" + ", ".join(sorted(inside)) + "}" if inside else "set()"
    if kind is tuple and len(inside) == 1:
        return f"({inside[0]},)"
    first, last = _BRACKETS[kind]
    return first + ", ".join(inside) + last


def _string(value: Any) -> str:
    if len(value) > CHARS:
        raise NotPlain("too large")
    return repr(value)


def _int(value: int) -> str:
    if value.bit_length() > BITS:
        raise NotPlain("too large")
    return repr(value)


def _float(value: float) -> str:
    text = repr(value)
    if text == "nan":
        raise NotPlain("nan")
    return text.replace("inf", "1e999") if "inf" in text else text


def _complex(value: complex) -> str:
    parts = (value.real, value.imag)
    if any(part - part != 0 or repr(part) == "-0.0" for part in parts):
        raise NotPlain("complex")
    return f"(0{value!r})" if value.real == 0 > value.imag else repr(value)


_SCALARS: dict[type, Any] = {
    type(None): repr, bool: repr, int: _int, float: _float, complex: _complex, str: _string, bytes: _string,
}  # fmt: skip
_BRACKETS: dict[Any, tuple[str, str]] = {list: ("[", "]"), tuple: ("(", ")"), set: ("{", "}")}


class Seen:
    """One code object that was met: what it is, and what of it was noted."""

    def __init__(self, code: Any, number: int, why: str, defaults: dict[str, Any]) -> None:
        self.code, self.number, self.why, self.defaults = code, number, why, defaults
        flags = code.co_flags
        extra = bool(flags & _VARARGS) + bool(flags & _VARKEYWORDS)
        self.names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + extra]
        self.looked = self.refused = self.notes = 0
        self.texts: set[str] = set()
        self.full = bool(why)
        self.armed = False


class Recorder:
    """Notes calls of functions below ``roots`` into a file of at most ``limit`` bytes, from any thread.

    ``calls`` distinct calls of a function are noted, the first ones; after ``patience`` calls of which no more
    than these could be, it is given up. What lies in folders of tests is not looked at.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self.roots = tuple(settings["roots"])
        self.skip = frozenset(settings["skip"])
        self.calls, self.patience = settings["calls"], settings["patience"]
        self.left = settings["limit"]
        self.sink = os.open(settings["out"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.here = os.getcwd()
        self.seen: dict[int, Seen | None] = {}
        self.kept: list[Any] = []
        self.files: dict[str, str] = {}
        self.pending: dict[int, tuple[Seen, str]] = {}
        self.turn = threading.RLock()
        self.monitor: Any = getattr(sys, "monitoring", None)
        self.tool = -1

    def write(self, note: dict[str, Any]) -> None:
        """One JSON line more, while there is room."""
        data = json.dumps(note, separators=(",", ":")).encode() + b"\n"
        with self.turn:
            if self.sink >= 0 and len(data) <= self.left:
                self.left -= len(data)
                with suppress(OSError):
                    os.write(self.sink, data)

    def below(self, name: str) -> str:
        """The path of a file that is to be traced, relative to where the tests run; else nothing."""
        if name not in self.files:
            path = os.path.normpath(os.path.join(self.here, name))
            inside = os.path.relpath(path, self.here) if path.startswith(self.roots) else ""
            parts = inside.split(os.sep)
            tested = parts[-1].startswith("test_") or parts[-1].endswith("_test.py")
            self.files[name] = "" if tested or self.skip.intersection(parts) else inside
        return self.files[name]

    def meet(self, code: Any, frame: Any) -> Seen | None:
        """What there is to know of a code object at its first call; None where it is none of ours.

        ``random`` begins anew with every test function, so what one draws does not hang on threads of the one before.
        """
        if code.co_name.startswith("test"):
            random.seed(0)
        path = self.below(code.co_filename)
        found = None
        named = code.co_name == "<lambda>" or not code.co_name.startswith("<")
        if path and named and code.co_flags & _OPTIMIZED:
            why, defaults = _nature(code, frame)
            found = Seen(code, len(self.kept), why, defaults)
            about = {"file": path, "name": _qualname(code), "line": code.co_firstlineno, "why": why}
            self.write({"kind": "function", "id": found.number, **about})
        self.kept.append(code)
        self.seen[id(code)] = found
        return found

    def start(self, code: Any, frame: Any) -> bool:
        """A function begins; False when it need not be heard of again."""
        key = id(code)
        if key in self.seen and ((seen := self.seen[key]) is None or seen.full):
            return False
        with self.turn:
            return self._noted(self.seen[key] if key in self.seen else self.meet(code, frame), frame)

    def _noted(self, seen: Seen | None, frame: Any) -> bool:
        if seen is None or seen.full:
            return False
        seen.looked += 1
        text = self.arguments(seen, frame)
        if text is None:
            seen.refused += 1
        elif text not in seen.texts:
            seen.texts.add(text)
            self.pending[id(frame)] = (seen, text)
        seen.full = len(seen.texts) >= self.calls or seen.looked >= self.patience
        return True

    def arguments(self, seen: Seen, frame: Any) -> str | None:
        """The arguments as JSON, name to literal, null for a default that is no literal; None if they are not plain."""
        values = frame.f_locals
        found: dict[str, str | None] = {}
        for name in seen.names:
            value = values.get(name, frame)
            try:
                found[name] = literal(value)
            except NotPlain:
                if seen.defaults.get(name, self) is not value:
                    return None
                found[name] = None
            except Exception:
                return None
        return json.dumps(found, separators=(",", ":"))

    def end(self, frame_id: int, value: Any) -> None:
        """A function that is noted returned a value."""
        seen, text = self.pending.pop(frame_id)
        note: dict[str, Any] = {"kind": "call", "id": seen.number, "args": text}
        try:
            note["value"] = literal(value)
        except NotPlain as error:
            note["lost"] = str(error)[:40]
        except Exception:
            note["lost"] = "object"
        seen.notes += 1
        self.write(note)

    def fail(self, frame_id: int, error: Any) -> None:
        """A function that is noted raised, or was left by an exception."""
        seen, text = self.pending.pop(frame_id)
        name = _NAME_OF(type(error)) if error is not None else ""
        seen.notes += 1
        told = name[:80] if name.isidentifier() else "Exception"
        self.write({"kind": "call", "id": seen.number, "args": text, "raised": told})

    def listen(self) -> None:
        """Begin, and write the counts when the interpreter ends. A forked child notes nothing."""
        atexit.register(self.close)
        if hasattr(os, "register_at_fork"):
            turn = self.turn
            os.register_at_fork(before=turn.acquire, after_in_parent=turn.release, after_in_child=self.forget)
        if self.monitor is not None and self._monitor():
            return
        hear = self._profile()
        threading.setprofile(hear)
        sys.setprofile(hear)

    def forget(self) -> None:
        """Write nothing more; in a forked child no other thread is left that could hold the lock."""
        self.sink, self.turn = -1, threading.RLock()

    def close(self) -> None:
        """Stop listening; write how often each function was looked at."""
        if self.tool >= 0:
            self.monitor.set_events(self.tool, 0)
        else:
            threading.setprofile(None)
            sys.setprofile(None)
        for seen in [one for one in self.seen.values() if one is not None]:
            counts = {"looked": seen.looked, "refused": seen.refused, "full": seen.full and not seen.why}
            self.write({"kind": "counts", "id": seen.number, **counts})
        self.write({"kind": "end"})
        self.forget()

    def _monitor(self) -> bool:
        """Listen by ``sys.monitoring``; False when no tool's place is free."""
        monitor, events = self.monitor, self.monitor.events
        free = [number for number in _TOOL_IDS if monitor.get_tool(number) is None]
        if not free:
            return False
        self.tool = tool = free[0]
        monitor.use_tool_id(tool, "thresher")
        pending, seen, silence, frame_of = self.pending, self.seen, monitor.DISABLE, sys._getframe

        def begin(code: Any, offset: int) -> Any:
            if not self.start(code, frame_of(1)):
                return silence
            found = seen[id(code)]
            if found is not None and not found.armed:
                found.armed = True
                monitor.set_local_events(tool, code, events.PY_RETURN)
            return None

        def done(code: Any, offset: int, value: Any) -> Any:
            if id(frame_of(1)) in pending:
                self.end(id(frame_of(1)), value)
            found = seen[id(code)]
            if found is not None and found.full and found.notes == len(found.texts):
                monitor.set_local_events(tool, code, 0)

        def left(code: Any, offset: int, error: Any) -> None:
            if pending and id(frame_of(1)) in pending:
                self.fail(id(frame_of(1)), error)

        monitor.register_callback(tool, events.PY_START, begin)
        monitor.register_callback(tool, events.PY_RETURN, done)
        monitor.register_callback(tool, events.PY_UNWIND, left)
        monitor.set_events(tool, events.PY_START | events.PY_UNWIND)
        return True

    def _profile(self) -> Any:
        """A function for ``sys.setprofile``: it is called for everything, so it asks as little as it can."""
        pending, quiet, start = self.pending, set[int](), self.start

        def hear(frame: Any, event: str, value: Any) -> None:
            if event == "call":
                key = id(frame.f_code)
                if key not in quiet and not start(frame.f_code, frame):
                    quiet.add(key)
            elif event == "return" and pending and id(frame) in pending:
                if value is not None or _returns(frame):
                    self.end(id(frame), value)
                else:
                    self.fail(id(frame), None)

        return hear


def _returns(frame: Any) -> bool:
    """Whether a frame that hands back None ends by a return: an exception looks the same to a profiler."""
    code = frame.f_code.co_code
    return dis.opname[code[frame.f_lasti]].startswith("RETURN_")


def _qualname(code: Any) -> str:
    return str(getattr(code, "co_qualname", code.co_name))


def _nature(code: Any, frame: Any) -> tuple[str, dict[str, Any]]:
    """Why a function cannot be used ("" when it can), and the default values of its parameters."""
    name = _qualname(code)
    own = _function(code, frame.f_globals)
    reasons = {
        "lambda": code.co_name == "<lambda>",
        "coroutine": code.co_flags & _COROUTINES,
        "generator": code.co_flags & _GENERATOR,
        "closure": code.co_freevars,
        "nested": "<locals>" in name,
        "method": "." in name or (own is None and not hasattr(code, "co_qualname")),
    }
    why = next((reason for reason, holds in reasons.items() if holds), "")
    return why, _defaults(own) if own is not None and not why else {}


def _function(code: Any, names: dict[str, Any]) -> Any:
    """The function of some code, where its module has it under its name, decorated or not; else None."""
    found = dict.get(names, code.co_name)
    for _ in range(8):
        if type(found) is _FUNCTION and found.__code__ is code:
            return found
        found = found.__dict__.get("__wrapped__") if type(found) in (_FUNCTION, _CACHED) else None
    return None


def _defaults(function: Any) -> dict[str, Any]:
    code, values = function.__code__, function.__defaults__ or ()
    names = code.co_varnames[: code.co_argcount]
    start = len(names) - len(values)
    return {
        **{names[start + at]: value for at, value in enumerate(values)},
        **(function.__kwdefaults__ or {}),
    }


_NAME_OF = type.__dict__["__name__"].__get__
_FUNCTION, _CACHED = type(_defaults), type(functools.lru_cache(_defaults))


def main(arguments: list[str]) -> None:
    """``SETTINGS -m MODULE …`` or ``SETTINGS SCRIPT …``: run it as the interpreter would, and note its calls.

    ``random`` has a fixed seed, so that modules and tests which draw their inputs draw the same ones in every run.
    """
    settings, *command = arguments
    recorder = Recorder(json.loads(settings))
    sys.path[:1] = json.loads(settings)["path"]
    random.seed(0)
    recorder.listen()
    if command[0] == "-m":
        sys.argv = command[1:]
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = command
        sys.path.insert(0, os.path.dirname(os.path.abspath(command[0])))
        runpy.run_path(command[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
