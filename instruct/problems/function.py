"""The function of a contest's solution in HumanEval's layout: what a model is shown, and what completes it.

Solutions of APPS are run with imports before them that they do not name themselves; here those are written out that a
solution needs. Source: eval/testing_util.py of github.com/hendrycks/apps, without NumPy; Dict, Optional, Set are ours.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from contamination.template import clean
from instruct.problems.checking import parsed
from instruct.problems.docstring import docstring

METHOD_OF = "Solution"
_NAMES_OF = {
    "itertools": ("accumulate", "product", "permutations", "combinations"),
    "collections": ("Counter", "OrderedDict", "deque", "defaultdict", "ChainMap"),
    "functools": ("lru_cache",),
    "math": ("sqrt", "sin", "cos", "tan", "ceil", "fabs", "floor", "gcd", "exp", "log", "log2"),
    "typing": ("List", "Tuple", "Optional", "Dict", "Set"),
    "heapq": ("heappush", "heappop", "heapify", "heappushpop", "heapreplace", "nlargest", "nsmallest"),
}
_MODULES = ("sys", "time", "itertools", "collections", "math", "fractions", "random", "heapq")
_IMPORTS = {name: f"from {module} import {name}" for module, names in _NAMES_OF.items() for name in names}
_IMPORTS |= {name: f"import {name}" for name in _MODULES}
_KINDS = frozenset({"staticmethod", "classmethod"})


def function_parts(code: str, name: str, statement: str) -> tuple[str, str] | None:
    """A program's function in HumanEval's layout: prompt (imports, signature, statement) and what completes it.

    What else the program defines follows the function's body, so that the prompt gives nothing away. None where there
    is no such function at top level, or the program needs its order (a call or an assignment at top level).

    >>> prompt, rest = function_parts("import math\\ndef f(x):\\n    return math.pi * x\\n", "f", "Times pi.")
    >>> print(prompt + rest, end="")
    import math
    <BLANKLINE>
    <BLANKLINE>
    def f(x):
        \"\"\"
        Times pi.
        \"\"\"
        return math.pi * x
    """
    code = _one_line_end(code)
    tree = parsed(code)
    found = _named(tree.body, name) if tree else []
    if tree is None or len(found) != 1 or found[0].decorator_list:
        return None
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    others = [node for node in tree.body if node is not found[0] and node not in imports]
    if not all(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in others):
        return None
    return _layout(code, found[0], [*_assumed(tree), *imports], others, statement)


def method_parts(code: str, name: str, statement: str) -> tuple[str, str] | None:
    """As `function_parts`, of a method of ``class Solution``: a function of its parameters stands in front of it.

    Every call makes a new object, so that none sees what an earlier one left. None where the class or the method is
    not there, or stands there twice.

    >>> code = "class Solution:\\n    def f(self, x, y=0):\\n        return x + y\\n"
    >>> print("".join(method_parts(code, "f", "Sum.")), end="")
    def f(x, y=0):
        \"\"\"
        Sum.
        \"\"\"
        return Solution().f(x, y)
    <BLANKLINE>
    <BLANKLINE>
    class Solution:
        def f(self, x, y=0):
            return x + y
    """
    code = _one_line_end(code)
    tree = parsed(code)
    function = _in_front(tree, name) if tree else None
    return None if function is None else function_parts(f"{code}\n\n{function}\n", name, statement)


def _one_line_end(code: str) -> str:
    """Line ends as Python's parser counts them, for line numbers are taken from it."""
    return clean(code).replace("\r", "\n")


def _named(body: Sequence[ast.stmt], name: str) -> list[ast.FunctionDef]:
    return [node for node in body if isinstance(node, ast.FunctionDef) and node.name == name]


def _in_front(tree: ast.Module, name: str) -> str | None:
    """The function that calls the method; the method's own parameters without the first, where it is bound."""
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == METHOD_OF]
    methods = _named(classes[0].body, name) if len(classes) == 1 else []
    if len(methods) != 1 or name == METHOD_OF or _defined(tree, name):
        return None
    kinds = {node.id for node in methods[0].decorator_list if isinstance(node, ast.Name)}
    given = methods[0].args
    first = [*given.posonlyargs, *given.args][:1]
    if len(kinds) != len(methods[0].decorator_list) or not kinds <= _KINDS:
        return None
    if "staticmethod" not in kinds:
        if not first:
            return None
        given = _without_first(given)
    call = f"return {METHOD_OF}().{name}({', '.join(_passed(given))})"
    return ast.unparse(_with(methods[0], args=given, decorator_list=[], body=ast.parse(call).body))


def _defined(tree: ast.Module, name: str) -> bool:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return any(isinstance(node, kinds) and node.name == name for node in tree.body)


def _without_first(given: ast.arguments) -> ast.arguments:
    parts: dict[str, Any] = dict(ast.iter_fields(given))
    kind = "posonlyargs" if given.posonlyargs else "args"
    parts[kind] = parts[kind][1:]
    most = len(parts["posonlyargs"]) + len(parts["args"])
    parts["defaults"] = given.defaults[max(len(given.defaults) - most, 0) :]
    return ast.arguments(**parts)


def _passed(given: ast.arguments) -> Iterator[str]:
    """What a call with a function's own parameters hands on."""
    yield from (one.arg for one in [*given.posonlyargs, *given.args])
    if given.vararg:
        yield f"*{given.vararg.arg}"
    yield from (f"{one.arg}={one.arg}" for one in given.kwonlyargs)
    if given.kwarg:
        yield f"**{given.kwarg.arg}"


def _assumed(tree: ast.Module) -> list[ast.stmt]:
    """Imports of the names that a program uses and never binds, of those that APPS imports for it; sorted."""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - set(_bound(tree))
    return ast.parse("\n".join(sorted(_IMPORTS[name] for name in names if name in _IMPORTS))).body


def _bound(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]


def _layout(
    code: str,
    function: ast.FunctionDef,
    imports: Sequence[ast.stmt],
    others: Sequence[ast.stmt],
    statement: str,
) -> tuple[str, str]:
    signature = ast.unparse(_with(function, body=[ast.Pass()])).removesuffix("    pass")
    first = sorted(imports, key=lambda node: getattr(node, "module", None) != "__future__")
    head = "".join(f"{ast.unparse(node)}\n" for node in first)
    prompt = f"{head}\n\n{signature}" if head else signature
    lines = code.split("\n")
    rest = "".join(
        "\n\n" + "\n".join(lines[_first_line(node) - 1 : node.end_lineno]) + "\n" for node in others
    )
    return prompt + docstring(statement, "    "), _body(lines, function, signature) + rest


def _first_line(node: ast.stmt) -> int:
    """The line that a statement begins on, its decorators with it."""
    return min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])


def _with(function: ast.FunctionDef, **changes: Any) -> ast.FunctionDef:
    parts: dict[str, Any] = dict(ast.iter_fields(function)) | changes
    return ast.fix_missing_locations(ast.FunctionDef(**parts))


def _body(lines: Sequence[str], function: ast.FunctionDef, signature: str) -> str:
    """The lines below the docstring as they are, where they are indented by four; else written anew."""
    own = function.body[1:] if ast.get_docstring(function) is not None else function.body
    first = _first_line(own[0]) - 1 if own else 0
    if own and lines[first][: own[0].col_offset] == "    ":
        while lines[first - 1].startswith("    #"):
            first -= 1
        return "\n".join(lines[first : function.end_lineno]) + "\n"
    anew = ast.unparse(_with(function, body=own or [ast.Pass()]))
    return anew.removeprefix(signature) + "\n"
