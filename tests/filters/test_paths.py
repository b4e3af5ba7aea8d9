"""Path signals against a clear matcher written from the data file's own description, and golden paths."""

from __future__ import annotations

import fnmatch
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from columns.testing import assert_batch_law, documents
from filters.signals.paths import PATHS, extensions, glob_regex, measure_paths, path_groups, path_matches

SIGNALS = [name for name in PATHS.names if name != "extension"]
PIECES = [
    *(
        "node_modules",
        "vendor",
        "src",
        "test",
        "Pods",
        "jquery-1.2.js",
        "x.min.js",
        "a.d.ts",
        "Makefile",
        ".idea",
    ),
    *(
        "README",
        "setup.py",
        "b_test.go",
        "Cargo.lock",
        "é",
        "a b",
        "\n",
        "..",
        "",
        "yarn.lock",
        "Foo.Designer.cs",
    ),
    *(
        "codemirror",
        "5.1",
        "lib",
        "font-awesome",
        "f.css",
        "bootstrap",
        "bootstrap.js",
        "packages",
        "p.1",
        "dist",
    ),
]
paths = st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("/".join) | st.text(max_size=20)


def expand(glob: str) -> list[str]:
    """Alternatives of a glob without braces."""
    found = re.search(r"\{([^{}]*)\}", glob)
    if not found:
        return [glob]
    return [
        one
        for word in found[1].split(",")
        for one in expand(glob[: found.start()] + word + glob[found.end() :])
    ]


def fits_piece(pattern: str, piece: str) -> bool:
    """Whether one piece of a pattern fits one piece of a path, by trying every length."""
    if not pattern:
        return not piece
    if pattern[0] in "*%#":
        allowed = {"*": lambda c: True, "%": lambda c: c != ".", "#": lambda c: c in "0123456789"}[pattern[0]]
        for length in range(1 if pattern[0] == "#" else 0, len(piece) + 1):
            if all(map(allowed, piece[:length])) and fits_piece(pattern[1:], piece[length:]):
                return True
        return False
    return bool(piece) and piece[0] == pattern[0] and fits_piece(pattern[1:], piece[1:])


def fits(glob: str, path: str) -> bool:
    """The slow twin of one glob, piece by piece."""
    pieces, rooted, folder = path.split("/"), glob.startswith("/"), glob.endswith("/")
    wanted = glob.strip("/").split("/")

    def from_here(left: list[str], at: int) -> bool:
        if not left:
            return at < len(pieces) if folder else at == len(pieces)
        if left[0] == "**":
            return any(from_here(left[1:], later) for later in range(at, len(pieces)))
        return at < len(pieces) and fits_piece(left[0], pieces[at]) and from_here(left[1:], at + 1)

    return any(from_here(wanted, start) for start in ([0] if rooted else range(len(pieces))))


def slow(path: str, signal: str) -> bool:
    for group in path_groups()[signal]:
        for glob in group.globs:
            for one in expand(glob):
                if fits(one.lower(), path.lower()) if group.ignore_case else fits(one, path):
                    return True
    return False


def of(*names: str) -> pa.RecordBatch:
    return documents([""] * len(names), names)


@settings(max_examples=60)
@given(st.lists(paths, max_size=4))
def test_fast_equals_slow(names):
    found = measure_paths(of(*names)).to_pydict()
    for signal in SIGNALS:
        assert found[signal] == [slow(name, signal) for name in names], (signal, names)


@settings(max_examples=40)
@given(st.lists(paths, max_size=6), st.integers(0, 6))
def test_batch_law(names, cut):
    assert_batch_law(measure_paths, of(*names), min(cut, len(names)))


def test_real_paths_equal_the_slow_twin(github_sample):
    batch = (
        pq.read_table(github_sample, columns=["path", "content"])
        .slice(2000, 60)
        .combine_chunks()
        .to_batches()[0]
    )
    found = measure_paths(batch).to_pydict()
    for signal in SIGNALS:
        assert found[signal] == [slow(path, signal) for path in batch.column("path").to_pylist()]


@pytest.mark.parametrize(
    ("path", "extension"),
    [
        ("a/B.PY", "py"),
        ("archive.tar.gz", "gz"),
        ("Makefile", ""),
        (".gitignore", ""),
        ("a/.env.local", "local"),
        ("x.", ""),
        ("dir.d/file", ""),
        ("", ""),
        ("a/b.c++", "c++"),
        ("é.Ü", "ü"),
        ("new\nline.h", "h"),
    ],
)
def test_extension(path, extension):
    assert measure_paths(of(path)).column("extension").to_pylist() == [extension]
    assert extensions(pa.array([path])).to_pylist() == [extension]


@pytest.mark.parametrize(
    "path",
    [
        "web/node_modules/left-pad/index.js", "third_party/zlib/a.c", "deps/v8/x.cc", "a/vendor/b.go", "x/jquery.js",
        "static/js/jquery-1.12.4.js", "a/jquery-ui-1.2.3.custom.css", "p/bootstrap.min.css", "types/index.d.ts",
        "Carthage/x.swift", "x/configure", "gradlew", "packages/NUnit.2.6/lib/a.cs", "doc/_build/x.html",
        "a/codemirror/5.1/lib/x.js", "codemirror/mode/x.js", "testdata/a.go", "extjs/a/b/c.js", "d3.v3.js",
        "knockout-2.2.1.debug.js", "rebar", "inst/extdata/a.csv", "b/.yarn/releases/x.js", "a/Font.xctemplate/x.m",
    ],
)  # fmt: skip
def test_vendored(path):
    assert path_matches(pa.array([path]), "vendored").to_pylist() == [True]


@pytest.mark.parametrize(
    "path",
    [
        "src/vendoring.py", "src/deps/a.c", "configure.py", "a/rebar", "jquery.mine.foo.js", "mynode_modules/a.js",
        "src/third/party.c", "extended/a.py", "d3.color.js", "src/cached.py", "distance/a.py", "a.ts", "prototype.jsx",
    ],
)  # fmt: skip
def test_not_vendored(path):
    assert path_matches(pa.array([path]), "vendored").to_pylist() == [False]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("package-lock.json", True), ("a/Cargo.lock", True), ("Form1.designer.cs", True), ("Form1.DESIGNER.CS", True),
        ("x_pb2.py", True), ("x_pb2_grpc.py", True), ("api.pb.go", True), ("a/.idea/x.xml", True), ("x.js.map", True),
        ("src/__generated__/q.ts", True), ("vendor/github.com/x/y.go", True), (".terraform.lock.hcl", True),
        ("Main.nib", True), ("uv.lock", True), ("Pods/A/b.m", True), ("a/vendor/local/x.go", False),
        ("lock.json", False), ("designer.cs", False), ("pb2.py", False), ("generated.py", False),
    ],
)  # fmt: skip
def test_generated_path(path, expected):
    assert path_matches(pa.array([path]), "generated_path").to_pylist() == [expected]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a_test.go", True), ("test_a.py", True), ("tests/util.py", True), ("src/test/java/A.java", True),
        ("FooTest.java", True), ("a.spec.ts", True), ("x/__tests__/a.js", True), ("t/01.t", True), ("a_spec.rb", True),
        ("Contest.java", False), ("latest/a.py", False), ("attest.go", False), ("testing.py", False),
    ],
)  # fmt: skip
def test_test_path(path, expected):
    assert path_matches(pa.array([path]), "test_path").to_pylist() == [expected]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("setup.py", True), ("webpack.config.js", True), ("a/pom.xml", True), (".eslintrc.js", True), ("x.ini", True),
        ("CMakeLists.txt", True), ("pyproject.toml", True), (".github/x.yml", True), ("settings.gradle.kts", True),
        ("config/a.py", False), ("reconfig.py", False), ("data.xml", False), ("main.json", False),
    ],
)  # fmt: skip
def test_config_path(path, expected):
    assert path_matches(pa.array([path]), "config_path").to_pylist() == [expected]


def test_kept_text_names_look_at_the_file_name_only():
    names = [
        "requirements-dev.txt",
        "README.md",
        "a/ToDo.TXT",
        "Description",
        "CMakeLists.txt",
        "readme/a.txt",
        "x.txt",
    ]
    assert measure_paths(of(*names)).column("kept_text_name").to_pylist() == [True] * 5 + [False] * 2


def test_null_content_or_path_gives_nulls_and_keeps_rows_aligned():
    batch = documents(["", None, ""], ["a.py", "node_modules/b.js", "c.md"])
    rows = measure_paths(batch).to_pylist()
    assert rows[1] == dict.fromkeys(PATHS.names)
    assert [row["extension"] for row in rows] == ["py", None, "md"]
    nothing = pa.RecordBatch.from_pydict(
        {"path": pa.array([None], pa.string()), "content": pa.array([""], pa.large_string())}
    )
    assert measure_paths(nothing).to_pylist() == [dict.fromkeys(PATHS.names)]
    assert measure_paths(of()).schema == PATHS


def test_hostile_paths_take_no_time_and_raise_nothing():
    names = ["/" * 20_000, "a/" * 20_000 + "x.js", "jquery" * 5000 + ".js", "-" * 50_000, "bootstrap" * 4000]
    assert measure_paths(of(*names)).num_rows == len(names)


def test_every_group_has_a_source_and_every_glob_is_one_of_the_language():
    assert list(path_groups()) == SIGNALS
    for groups in path_groups().values():
        for group in groups:
            assert group.source
            assert group.about
            for glob in group.globs:
                assert not re.search(r"[\[\]?$^\\|()+]", glob), glob
                assert glob.count("{") == glob.count("}")
                assert "//" not in glob
            assert len(set(group.globs)) == len(group.globs)


def test_simple_globs_agree_with_fnmatch():
    names = ["a.js", "b.min.js", "x/y.min.js", "min.js"]
    regex = re.compile(glob_regex("*.min.js"))
    assert [bool(regex.search(name)) for name in names] == [
        fnmatch.fnmatchcase(name.rpartition("/")[2], "*.min.js") for name in names
    ]


def test_every_signal_says_what_it_is():
    assert all(field.metadata and field.metadata[b"about"] for field in PATHS)
