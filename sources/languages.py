"""Languages: the language of a file by its name, and one spelling per language.

The table is ours: about sixty languages, lower-case names as GitHub's Linguist spells them ("c++",
"c#"). An extension that several languages share goes to the one most public code means by it
(``.h`` is C, ``.m`` is Objective-C, ``.pl`` is Perl); a source that states the language wins over this table.
"""

from __future__ import annotations

_EXTENSIONS = {
    "ada": "adb ads",
    "assembly": "asm s",
    "awk": "awk",
    "batchfile": "bat cmd",
    "c": "c h",
    "c#": "cs csx",
    "c++": "cc cpp cxx c++ hh hpp hxx h++ ipp inl tpp",
    "clojure": "clj cljs cljc edn",
    "cmake": "cmake",
    "cobol": "cob cbl",
    "coffeescript": "coffee",
    "common lisp": "lisp lsp cl",
    "crystal": "cr",
    "css": "css",
    "cuda": "cu cuh",
    "cython": "pyx pxd pxi",
    "d": "d di",
    "dart": "dart",
    "elixir": "ex exs",
    "elm": "elm",
    "emacs lisp": "el",
    "erlang": "erl hrl",
    "f#": "fs fsi fsx",
    "fortran": "f f77 f90 f95 f03 f08 for",
    "glsl": "glsl vert frag geom",
    "go": "go",
    "graphql": "graphql gql",
    "groovy": "groovy gradle",
    "haskell": "hs lhs",
    "hcl": "tf tfvars hcl",
    "html": "html htm xhtml",
    "java": "java",
    "javascript": "js jsx mjs cjs",
    "json": "json",
    "julia": "jl",
    "jupyter notebook": "ipynb",
    "kotlin": "kt kts",
    "less": "less",
    "lua": "lua",
    "makefile": "mk mak",
    "markdown": "md markdown",
    "matlab": "mlx",
    "nim": "nim nims",
    "nix": "nix",
    "objective-c": "m mm",
    "ocaml": "ml mli",
    "pascal": "pas pp dpr",
    "perl": "pl pm t",
    "php": "php phtml",
    "powershell": "ps1 psm1 psd1",
    "prolog": "pro prolog",
    "protocol buffer": "proto",
    "python": "py pyi pyw",
    "r": "r",
    "restructuredtext": "rst",
    "ruby": "rb rake gemspec",
    "rust": "rs",
    "scala": "scala sc sbt",
    "scheme": "scm ss rkt",
    "scss": "scss sass",
    "shell": "sh bash zsh ksh fish",
    "solidity": "sol",
    "sql": "sql",
    "starlark": "bzl star",
    "swift": "swift",
    "systemverilog": "sv svh",
    "tcl": "tcl",
    "tex": "tex sty cls",
    "toml": "toml",
    "typescript": "ts tsx mts cts",
    "verilog": "v vh",
    "vhdl": "vhd vhdl",
    "vim script": "vim",
    "visual basic": "vb bas",
    "vue": "vue",
    "xml": "xml xsd",
    "xslt": "xsl xslt",
    "yaml": "yaml yml",
    "zig": "zig",
}

_FILE_NAMES = {
    "build": "starlark",
    "build.bazel": "starlark",
    "workspace": "starlark",
    "cmakelists.txt": "cmake",
    "containerfile": "dockerfile",
    "dockerfile": "dockerfile",
    "gemfile": "ruby",
    "gnumakefile": "makefile",
    "jenkinsfile": "groovy",
    "makefile": "makefile",
    "rakefile": "ruby",
    "sconstruct": "python",
    "vagrantfile": "ruby",
}

_ALIASES = {
    "bash": "shell",
    "cpp": "c++",
    "cplusplus": "c++",
    "csharp": "c#",
    "c-sharp": "c#",
    "fsharp": "f#",
    "golang": "go",
    "js": "javascript",
    "objectivec": "objective-c",
    "py": "python",
    "python3": "python",
    "sh": "shell",
    "ts": "typescript",
}

_BY_EXTENSION = {ext: name for name, listed in _EXTENSIONS.items() for ext in listed.split()}

KNOWN = frozenset(_EXTENSIONS) | frozenset(_FILE_NAMES.values())


def language_of(path: str | None) -> str | None:
    """The language of a path by its file name, or None when the name does not say.

    >>> language_of("src/App.TSX"), language_of("Makefile"), language_of("notes.xyz")
    ('typescript', 'makefile', None)
    """
    if not path:
        return None
    name = path.rsplit("/", 1)[-1].lower()
    if name in _FILE_NAMES:
        return _FILE_NAMES[name]
    stem, dot, extension = name.rpartition(".")
    return _BY_EXTENSION.get(extension) if dot and stem else None


def names_of(language: str) -> tuple[str, ...]:
    """The file names of a language, lower case: extensions with their dot, then whole names; empty when unknown.

    >>> names_of("starlark")
    ('.bzl', '.star', 'build', 'build.bazel', 'workspace')
    """
    extensions = tuple(f".{name}" for name in _EXTENSIONS.get(language, "").split())
    return extensions + tuple(name for name, found in _FILE_NAMES.items() if found == language)


def canonical(language: str | None) -> str | None:
    """One spelling of a language a source states: lower case, known aliases joined.

    >>> canonical("C++"), canonical(" CPP "), canonical("Brainfuck"), canonical("")
    ('c++', 'c++', 'brainfuck', None)
    """
    name = (language or "").strip().lower()
    return _ALIASES.get(name, name) or None
