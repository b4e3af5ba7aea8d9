"""Terminal: tables, numbers and file names that fit the width; names from a dataset are shown as harmless text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from textwrap import wrap

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.wording import plain

NAME_WIDTH = 24
_SCOPE = re.compile(r" (?:except )?for (?:[^,→]+, )+[^,→]+ and [\d,]+ more")


def table(first: str, numbers: Sequence[str]) -> Table:
    """A table without lines: a column of names, then columns of numbers that never wrap."""
    made = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    made.add_column(first, overflow="fold", max_width=NAME_WIDTH)
    for name in numbers:
        made.add_column(name, justify="right", no_wrap=True)
    return made


def fitting(console: Console, choices: Iterable[Sequence[Table]]) -> Sequence[Table]:
    """The first choice of which no table is too wide; the last one when there is none."""
    wide = console.options.update(width=10_000)
    for chosen in choices:
        if all(console.measure(made, options=wide).maximum <= console.width for made in chosen):
            break
    return chosen


def short(number: float) -> str:
    """A number to three digits.

    >>> [short(number) for number in (0, 999, 375_890, 5_021_997)]
    ['0', '999', '376 k', '5.02 M']
    """
    for unit in ("", "k", "M", "G"):
        if abs(number) < 999.5 or unit == "G":
            break
        number /= 1000
    return f"{number:.3g} {unit}" if unit else str(int(number))


def elided(name: str, width: int) -> str:
    """A file's name with folders in its middle left out, so that it fits; the repository and the end stay.

    >>> elided("lab/x:src/test/java/org/apache/RangeTest.java", 36)
    'lab/x:src/test/java/…/RangeTest.java'
    >>> elided("a_name_that_cannot_be_shortened.py", 12)
    '…hortened.py'
    """
    if cell_len(name) <= width:
        return name
    steps = re.findall(r"[^/:]*[/:]|[^/:]+$", name)
    cut = steps[-2][-1] if len(steps) > 1 else ""
    for kept in range(len(steps) - 2, 0, -1):
        found = f"{''.join(steps[:kept])}…{cut}{steps[-1]}"
        if cell_len(found) <= width:
            return found
    last = f"…{cut}{steps[-1]}"
    return last if cell_len(last) <= width else f"…{last[1 - width :]}"


def print_file(console: Console, before: str, name: str) -> None:
    """A line with a file's name at its end: shortened to fit a terminal, whole where a program reads it."""
    name = plain(name)
    if console.is_terminal:
        name = elided(name, max(console.width - cell_len(before), 20))
    console.print(Text(f"{before}{name}"), soft_wrap=True)


def print_text(console: Console, text: str, style: str = "") -> None:
    """A line of text, folded where it is too long."""
    console.print(Text(plain(text), style), overflow="fold")


def print_indented(console: Console, text: str, indent: int) -> None:
    """An indented paragraph; one line where a program reads it."""
    width = max(console.width - indent, 20)
    lines = wrap(plain(text), width) if console.is_terminal else [plain(text)]
    for line in lines:
        console.print(Text(" " * indent + line, "dim"), soft_wrap=True)


def setting(text: str) -> str:
    """A difference of two recipes for people: a scope of many languages is a number, one of both sides said once.

    >>> setting("filters.asserts: share > 0.4 except for ant, bibtex, css and 60 more → no rule")
    'filters.asserts: share > 0.4 (not 63 languages) → no rule'
    >>> setting("filters.comments: share > 0.8 except for html → share > 0.7 except for html")
    'filters.comments: share > 0.8 → share > 0.7 except for html'
    """
    before, arrow, after = text.partition(" → ")
    scope = re.search(r" (?:except )?for .*", before)
    if arrow and scope and after.endswith(scope[0]):
        text = f"{before[: scope.start()]} → {after}"
    return _SCOPE.sub(_counted, text)


def _counted(match: re.Match[str]) -> str:
    scope = match[0]
    languages = scope.count(",") + 1 + int(scope.split(" and ")[-1].split()[0].replace(",", ""))
    return f" ({'not ' if scope.startswith(' except') else ''}{languages} languages)"
