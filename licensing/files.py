"""Files: which files state the licence of the files around them, by name alone."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_WORD = r"(?:un)?licen[cs]es?|copying\d?|copyright|copyleft"
_KIND = (
    r"(?:mit|expat|x11|apache|asl|[al]?gplv?|bsd|gnu|mpl|mozilla|epl|cddl|isc|zlib|boost|bsl|cc|ofl)\d*"
    r"|v?\d+|by|sa|psf|python|wtfpl|0bsd|artistic|ruby|lesser|libs?|library|clause|only|or|later|en|code|docs?|content|llvm"
)
_TEXT = r"\.(?:txt|text|md|markdown|mdown|rst|adoc|asciidoc|org|html?)"
_END = "(?=[-_. ]|$)"  # a name's parts are matched whole and once, so that no name takes long
_NAME = rf"(?:(?>(?:{_KIND}){_END})[-_. ])*(?>(?:{_WORD}){_END})(?:[-_. ](?>(?:{_KIND}|{_WORD}){_END}))*(?:{_TEXT})?"
_OTHERS = "readme|notice|index|makefile|third[-_]?party"
_FOLDER = rf"(?:.*/)?licen[cs]es?/(?!{_OTHERS})(?:[a-z0-9.+_-]+\.(?:txt|text|md)|[a-z0-9+_-]+)"
LICENSE_PATH = rf"(?:.*/)?(?:{_NAME})|{_FOLDER}"
_MOST_CHARS = 4096
_CANDIDATE = r"(?i)licen[cs]e|copying|copyright|copyleft"


def is_license_file(path: str) -> bool:
    """Whether a path is that of a licence text: LICENSE, COPYING.LESSER, MIT-LICENSE.txt, licenses/BSD.txt, ….

    NOTICE files credit others and third-party lists speak of what is bundled; neither is the licence of the files
    around. Source files (``license.py``) never are.

    >>> [is_license_file(path) for path in ("LICENSE", "a/COPYING.txt", "LICENSES/MIT.txt", "license.py", "NOTICE")]
    [True, True, True, False, False]
    """
    return len(path) <= _MOST_CHARS and re.fullmatch(LICENSE_PATH, path.lower(), re.DOTALL) is not None


def license_files(paths: pa.Array) -> np.ndarray[Any, Any]:
    """`is_license_file` of every path (``string[n] -> bool[n]``), about 5 M paths/s where few are candidates.

    >>> license_files(pa.array(["LICENSE", "a.py", None])).tolist()
    [True, False, False]
    """
    marked = np.asarray(pc.fill_null(pc.match_substring_regex(paths, _CANDIDATE), False))
    for row in np.flatnonzero(marked).tolist():
        marked[row] = is_license_file(str(paths[row]))
    return marked


def covered_folder(path: str) -> str:
    """The folder that a licence file speaks for: its own, or for ``licenses/`` folders the one around.

    >>> covered_folder("a/LICENSE"), covered_folder("LICENSES/MIT.txt"), covered_folder("LICENSE")
    ('a', '', '')
    """
    folder = path.rpartition("/")[0]
    outer, _, last = folder.rpartition("/")
    return outer if re.fullmatch("licen[cs]es?", last.lower()) else folder


def names_a_license(path: str) -> bool:
    """Whether the name itself says which licence it is, as two alternatives lie side by side: LICENSE-MIT.

    >>> names_a_license("LICENSE-MIT"), names_a_license("COPYING.LESSER"), names_a_license("LICENSE.txt")
    (True, True, False)
    """
    name = re.sub(f"{_TEXT}$", "", path.lower().rpartition("/")[2])
    return name == "unlicense" or re.fullmatch(_WORD, name) is None
