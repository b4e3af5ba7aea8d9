"""The judge's side: run a trial's tests, with the candidate's functions behind a proxy.

The proxy sends arguments as plain data to the candidate's own sandbox and gets plain data back, so no object, no
``__eq__`` and no exit of the candidate is ever here. Each test is one message to the parent that carries the job's
nonce; a message that does not come is a test that did not pass.
"""

from __future__ import annotations

import builtins
import sys
import types

from . import frames, plain
from .candidate import described

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_LOADED = frozenset(("", "exception", "memory", "syntax"))
_CALLED = frozenset(("", "exception", "memory", "name_error", "not_plain"))


class Gone(BaseException):
    """The candidate cannot answer: it ended, or it sent what is no answer."""


class Link:
    """Calls of the candidate's functions, and why one of them had no plain answer (``problem``)."""

    def __init__(self, fd: int, limit: int) -> None:
        self.fd = fd
        self.limit = limit
        self.problem = ""
        self.error = ""
        self.raised: BaseException | None = None
        self.told = ""
        self.functions: tuple[str, ...] = ()
        self.classes: frozenset[str] = frozenset()

    def proxy(self, name: str) -> Callable[..., object]:
        """A function that calls the candidate's function ``name``."""

        def call(*args: object, **kwargs: object) -> object:
            return self.call(name, args, kwargs)

        call.__name__ = call.__qualname__ = name
        return call

    def call(self, name: str, args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        """The candidate's value; its exceptions as built-in ones, its changes put into the arguments."""
        if self.problem == "died":
            raise Gone
        try:
            request = plain.encode((name, args, kwargs), limit=1 << 22)
        except plain.NotPlain as wrong:
            raise self._gone("not_plain", f"an argument is {wrong}") from None
        try:
            frames.send(self.fd, request)
            reply = frames.receive(self.fd, self.limit + (1 << 23))
            problem, error, extra, value = _parsed(reply)
        except (frames.Closed, plain.Malformed):
            raise self._gone("died", "the program ended") from None
        if problem == "exception":
            self.raised, self.told = _exception(extra, error), error
            raise self.raised
        if problem:
            raise self._gone(problem, error)
        _put_back((args, kwargs), extra)
        return value

    def _gone(self, problem: str, error: str) -> Gone:
        self.problem, self.error = problem, error
        return Gone(error)


def _parsed(reply: bytes) -> tuple[str, str, object, object]:
    head = plain.decode(reply)
    if type(head) is not tuple or len(head) != 4 or type(head[3]) is not bytes:
        raise plain.Malformed("no answer")
    problem, error = _said(head[0], head[1], _CALLED)
    extra = plain.decode(head[2]) if type(head[2]) is bytes else head[2]
    return problem, error, extra, plain.decode(head[3])


def _said(problem: object, error: object, known: frozenset[str]) -> tuple[str, str]:
    """A program's own word of what went wrong: one of the known problems, and one short line."""
    if type(problem) is not str or type(error) is not str or problem not in known:
        raise plain.Malformed("no answer")
    return problem, error[:200]


def _exception(name: object, error: str) -> BaseException:
    kind = getattr(builtins, name, None) if type(name) is str else None
    message = error.partition(": ")[2]
    if isinstance(kind, type) and issubclass(kind, BaseException):
        try:
            return kind(message) if message else kind()
        except TypeError:
            return ValueError(message) if issubclass(kind, ValueError) else Exception(error)
    return Exception(error)


def _put_back(arguments: Any, after: Any) -> None:
    """Put what the candidate did to lists, sets and dicts among the arguments into the test's own."""
    if (
        type(after) is not tuple
        or len(after) != 2
        or type(after[0]) is not tuple
        or type(after[1]) is not dict
    ):
        return
    pairs = [
        *zip(arguments[0], after[0], strict=False),
        *((arguments[1][key], after[1].get(key)) for key in arguments[1]),
    ]
    for mine, theirs in pairs:
        if type(mine) is not type(theirs):
            continue
        if type(mine) is list:
            mine[:] = theirs
        elif type(mine) is dict or type(mine) is set:
            mine.clear()
            mine.update(theirs)


def run(job: dict[str, object], link_fd: int, channel: int) -> None:
    """Run ``job["setup"]`` once and each of ``job["tests"]``; one message per test over ``channel``."""
    tests: list[str] = job["tests"]  # type: ignore[assignment]
    link = Link(link_fd, int(str(job["limit"])))
    problem, error = _ready(link)
    scope: dict[str, object] = {}
    if not problem:
        problem, error, scope = _scope(str(job["setup"]), str(job["entry_point"]), link)
    for ix, test in enumerate(tests or [""]):
        verdict = (problem, error) if problem else _tried(test, scope, link)
        frames.send(channel, plain.encode((job["nonce"], ix, *verdict)))


def _ready(link: Link) -> tuple[str, str]:
    """What the program said after it was loaded."""
    try:
        problem, error, functions, classes = plain.decode(frames.receive(link.fd, 1 << 20))
        problem, error = _said(problem, error, _LOADED)
        link.functions = tuple(name for name in functions if type(name) is str)
        link.classes = frozenset(name for name in classes if type(name) is str)
    except (frames.Closed, plain.Malformed, TypeError, ValueError):
        return "died", "the program ended while it was loaded"
    return problem, error


def _scope(setup: str, entry_point: str, link: Link) -> tuple[str, str, dict[str, object]]:
    """The tests' namespace: the setup's names, and proxies for the candidate's functions that hide no other name."""
    module = types.ModuleType("tests")
    sys.modules["tests"] = module
    scope = module.__dict__
    try:
        exec(compile(setup, "<setup>", "exec", dont_inherit=True), scope)
    except BaseException as error:
        return "setup", described(error), scope
    for name in link.functions:
        if name not in scope and not hasattr(builtins, name):
            scope[name] = link.proxy(name)
    scope[entry_point] = scope["candidate"] = link.proxy(entry_point)
    return "", "", scope


def _tried(test: str, scope: dict[str, object], link: Link) -> tuple[str, str]:
    """("", "") where the test passed, else the reason and one line about it."""
    if link.problem != "died":
        link.problem = link.error = ""
    try:
        exec(compile(test, "<test>", "exec", dont_inherit=True), scope)
    except Gone:
        return link.problem or "died", link.error
    except BaseException as error:
        told = link.told if error is link.raised else described(error)
        return link.problem or _reason(error, link), link.error or told
    return link.problem, link.error


def _reason(error: BaseException, link: Link) -> str:
    if error is link.raised:
        return "exception"
    if isinstance(error, AssertionError):
        return "assertion"
    if isinstance(error, NameError):
        return "not_plain" if getattr(error, "name", "") in link.classes else "name_error"
    if isinstance(error, MemoryError):
        return "memory"
    return "test_syntax" if isinstance(error, SyntaxError) else "exception"
