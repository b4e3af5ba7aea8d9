"""The whole job with every family of facts: licences, secrets, parsers and the user's own rules."""

import json
import signal

import pyarrow as pa
import pytest

from columns.errors import RecipeError
from columns.files import Place
from columns.tables import read_arrow, read_whole
from pipelines.diff import diff
from pipelines.families import FAMILIES
from pipelines.recipe import recorded_recipe
from pipelines.whatif import what_if
from privacy import KINDS, planted
from shards import load_tokenizer
from tests.licensing.planted import MIT
from tests.pipelines.building import RECIPE, assert_same, build, command, recipe
from tests.pipelines.corpus import sources, write_tree
from tests.pipelines.test_interruption import TRAP

OWN = """
import pyarrow as pa
import pyarrow.compute as pc
from filters import own_rule, own_signal


@own_signal(version=1, about="whether the text says so", type="bool")
def says_boring(content: pa.Array) -> pa.Array:
    return pc.match_substring(content, "BORING" + "_FILE")


@own_rule(version=1, about="boring by its own account, and short")
def boring(says_boring: pa.Array, lines: pa.Array) -> pa.Array:
    return pc.and_(says_boring, pc.less(lines, 100))
"""
EVERYTHING = (
    RECIPE
    + """
filters:
  own: [own.py]
  measure: [all]
  add: [{name: not_permissive, signal: license_permissive, op: is, value: false}]
  without: [low_alnum]
licenses: {detect: true}
privacy: {find: true}
guard: {share: 1.0}
dedup:
  bands: {verify: containment}
  keep: {order: [license_class, not_vendored, stars, path]}
  functions: {find: true, remove: true}
  paragraphs: {find: true, strip: head, least_files: 3}
"""
)
SECRETS = [
    plant for plant in planted(7, 2)
    if plant.kind in KINDS and plant.kind != "private_ip_address"
]  # fmt: skip


def corpus() -> dict[str, str]:
    code = dict(list(sources().items())[::6])
    secret = {f"mit/secrets_{n}.py": f"# file {n}\n{p.text}\nx_{n} = {n}\n" for n, p in enumerate(SECRETS)}
    return {
        **{f"mit/{path}": text for path, text in code.items()},
        **secret,
        "mit/LICENSE": MIT,
        "gpl/part.py": "# SPDX-License-Identifier: GPL-3.0-only\n" + "value = 1 + 2\n" * 30,
        "gpl/other.py": "def name(first):\n    return first\n" * 12,
        "mit/deep/conflict.py": "# SPDX-License-Identifier: GPL-2.0-only\n" + "other = 3 * 4\n" * 30,
        "mit/boring.py": "# BORING" + "_FILE\n" + "".join(f"line_{n} = {n}\n" for n in range(40)),
        "mit/broken.py": "def f(:\n    return ]\n" * 20,
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("everything")
    (made / "own.py").write_text(OWN)
    return made


@pytest.fixture(scope="module")
def tree(folder):
    return write_tree(folder / "corpus", corpus())


@pytest.fixture(scope="module")
def built(folder, tree):
    return build(folder, folder / "one", [tree], text=EVERYTHING)


def rows(place: Place, folder: str, columns: list[str] | None = None) -> list[dict]:
    names = [name for name in place.child(folder).names() if name.startswith("part-")]
    return [row for name in names for row in read_whole(place.child(folder), name, columns).to_pylist()]


def by_path(place: Place) -> dict[str, dict]:
    ledger, facts, licences = rows(place, "ledger"), rows(place, "facts"), rows(place, "licenses")
    joined = (one | two | three for one, two, three in zip(facts, licences, ledger, strict=True))
    return {row["path"]: row for row in joined}


def test_every_family_is_measured(built):
    names = set(rows(built, "facts")[0])
    assert {field.name for family in FAMILIES.values() for field in family.schema} <= names
    assert "says_boring" in names


def test_every_licence_has_its_evidence(built):
    found = by_path(built)
    near = found["mit/boring.py"]
    assert (near["license_id"], near["license_from"], near["license_evidence"]) == (
        "MIT",
        "file",
        "mit/LICENSE",
    )
    header = found["gpl/part.py"]
    assert (header["license_id"], header["license_from"]) == ("GPL-3.0-only", "header")
    conflict = found["mit/deep/conflict.py"]
    assert conflict["license_conflict"]
    assert "MIT" in conflict["license_others"]
    assert found["gpl/other.py"]["license_id"] is None


def test_licences_decide_and_their_texts_are_not_trained_on(built):
    found = by_path(built)
    assert found["mit/LICENSE"]["rule"] == "evidence"
    assert found["gpl/part.py"]["rule"] == found["mit/deep/conflict.py"]["rule"] == "not_permissive"
    assert found["gpl/other.py"]["kept"]


def test_own_rules_drop_by_their_own_name(built):
    found = by_path(built)
    assert found["mit/boring.py"]["rule"] == "boring"
    assert found["mit/boring.py"]["failed"] == ["boring"]
    assert sum(row["rule"] == "boring" for row in found.values()) == 1


def test_parsers_say_what_they_see(built):
    found = by_path(built)
    broken, fine = found["mit/broken.py"], found["gpl/other.py"]
    assert (broken["parse"], broken["python_valid"], fine["python_valid"]) == ("ok", False, True)
    assert broken["syntax_error_fraction"] > 0
    assert fine["functions"] == 12


def test_questions_run_no_code_of_a_dataset_unless_it_is_trusted(built):
    section = json.loads(built.read("manifest.json"))["recipe"]
    with pytest.raises(RecipeError, match=r"own\.py.*would run") as refused:
        recorded_recipe(section)
    assert "--trust-own-code" in (refused.value.hint or "")
    with pytest.raises(RecipeError, match=r"own\.py"):
        diff(built, built)
    assert diff(built, built, trust_own=True).same == len(corpus())


def test_what_if_knows_own_rules_and_licences(built):
    section = json.loads(built.read("manifest.json"))["recipe"]
    base, changed = (
        recorded_recipe(section, changes, trust_own=True).recipe
        for changes in ((), ["filters.not_permissive=off"])
    )
    same = what_if(built, base, base)
    assert (same.gained.files, same.lost.files, same.before.files) == (0, 0, same.after.files)
    gained = {example.path for example in what_if(built, base, changed).gained_examples}
    assert gained == {"gpl/part.py", "mit/deep/conflict.py"}


def secrets_of(plant) -> bytes:
    return plant.text.encode()[plant.start : plant.end]


def test_no_secret_is_anywhere_but_in_the_documents(built, folder):
    values = [secrets_of(plant) for plant in SECRETS]
    outputs = [
        path for path in (folder / "one").rglob("*") if path.is_file() and path.parent.name != "documents"
    ]
    for path in outputs:
        text = read_text(path)
        assert [value for value in values if value in text] == [], path.name


def read_text(path) -> bytes:
    """A file's bytes; of a Parquet file all strings, decompressed."""
    if path.suffix != ".parquet":
        return path.read_bytes()
    table = read_whole(Place(str(path.parent)), path.name)
    texts = [c for c in table.columns if pa.types.is_string(c.type) or pa.types.is_large_string(c.type)]
    return "\n".join(value for column in texts for value in column.to_pylist() if value).encode()


def read_whole_shard(shards: Place, name: str) -> list[int]:
    return [
        int(token)
        for batch in read_arrow(shards, name)
        for token in batch.column("input_ids").flatten().to_pylist()
    ]


def test_what_is_trained_on_has_placeholders_in_their_place(built):
    shards, ids = built.child("shards"), []
    for name in [name for name in shards.names() if name.endswith(".arrow")]:
        ids += read_whole_shard(shards, name)
    text = load_tokenizer(built.child("tokenizer")).decode(ids)
    assert "<EMAIL>" in text
    assert [plant.kind for plant in SECRETS if secrets_of(plant).decode() in text] == []


def test_the_ledger_records_every_replaced_span_of_a_kept_file(built):
    kept = {row["path"] for row in rows(built, "ledger") if row["kept"]}
    redacted = []
    ledger = built.child("ledger")
    for name in [name for name in ledger.names() if name.startswith("redactions-")]:
        paths = [row["path"] for row in read_whole(ledger, name.replace("redactions", "part")).to_pylist()]
        for span in read_whole(ledger, name).to_pylist():
            assert set(span) == {"row", "start", "end", "line", "kind"}
            redacted.append((paths[span["row"]], span["kind"]))
    assert {path for path, _ in redacted} <= kept
    for number, plant in enumerate(SECRETS):
        if f"mit/secrets_{number}.py" in kept:
            assert (f"mit/secrets_{number}.py", plant.kind) in redacted
    counts = json.loads(ledger.read("_stage.json"))["counts"]
    assert sum(n for key, n in counts.items() if key.startswith("redacted.")) == len(redacted)


@pytest.mark.slow
@pytest.mark.parametrize(
    "how",
    [
        {"workers": 2},
        {"batch_bytes": 1 << 16},
        {"flags": ("--direct_runner_bundle_repeat=1",)},
    ],
)
def test_nothing_but_input_and_recipe_changes_a_byte(how, folder, tree, built, tmp_path):
    assert_same(build(folder, tmp_path / "other", [tree], text=EVERYTHING, **how), built)


@pytest.mark.slow
def test_worker_processes_measure_the_same(folder, tree, built, tmp_path):
    """Parsers, own code and finds too; the stages after measure are compared in test_build.py."""
    stages = ("ingest", "measure")
    other = build(
        folder, tmp_path / "other", [tree], text=EVERYTHING, workers=2, mode="processes", stages=stages
    )
    for name in [name for name in built.child("facts").names() if name != "_stage.json"]:
        assert other.child("facts").read(name) == built.child("facts").read(name), name


def stamps(place: Place) -> dict[str, int]:
    names = ("documents", "facts", "links", "licenses", "ledger")
    return {name: (place.local / name / "_stage.json").stat().st_mtime_ns for name in names}


@pytest.mark.slow
def test_what_counts_as_permissive_is_decided_again_without_measuring(folder, tree, tmp_path):
    output = tmp_path / "out"
    place = build(folder, output, [tree], text=EVERYTHING)
    before = stamps(place)
    changed = EVERYTHING.replace(
        "licenses: {detect: true}", "licenses: {detect: true, permissive: {also_permissive: [GPL-3.0-only]}}"
    )
    build(folder, output, [tree], text=changed)
    after = stamps(place)
    assert {name for name in after if after[name] == before[name]} == {"documents", "facts", "links"}
    assert by_path(place)["gpl/part.py"]["kept"]


@pytest.mark.long
@pytest.mark.slow
def test_licences_that_are_no_longer_asked_for_leave_nothing(folder, tree, tmp_path):
    without = "".join(
        line + "\n" for line in EVERYTHING.splitlines() if not line.startswith(("licenses", "  add"))
    )
    once = build(folder, tmp_path / "both", [tree], text=EVERYTHING)
    assert once.child("licenses").names()
    assert_same(
        build(folder, tmp_path / "both", [tree], text=without),
        build(folder, tmp_path / "new", [tree], text=without),
    )


def test_own_code_that_fails_is_refused_before_anything_runs(folder, tree, tmp_path):
    (tmp_path / "own.py").write_text(OWN.replace("pc.less(lines, 100)", "lines.nonsense"))
    with pytest.raises(RecipeError, match=r"own\.py:\d+: .*boring.*nonsense"):
        build(tmp_path, tmp_path / "out", [tree], text=EVERYTHING)
    assert not (tmp_path / "out" / "documents").exists()


def test_own_code_that_looks_at_its_neighbours_is_refused(folder, tree, tmp_path):
    lines = "return pc.greater(pc.utf8_length(content), pc.mean(pc.utf8_length(content)))"
    (tmp_path / "own.py").write_text(
        OWN.replace('return pc.match_substring(content, "BORING" + "_FILE")', lines)
    )
    with pytest.raises(RecipeError, match="says_boring: gives another result"):
        build(tmp_path, tmp_path / "out", [tree], text=EVERYTHING)


@pytest.mark.parametrize(("function", "how"), [("says_boring", {"workers": 1}), ("boring", {"workers": 2})])
def test_own_code_that_fails_on_real_files_says_where(function, how, tree, tmp_path):
    """Beam hands on a worker's error as text; the user still sees one line with file, line and hint."""
    test = (
        "pc.match_substring(content, 'BORING' + '_FILE')"
        if function == "says_boring"
        else "pc.equal(lines, 41)"
    )
    start, name, rest = OWN.partition(f"def {function}(")
    head, _, body = rest.partition("\n")
    (tmp_path / "own.py").write_text(
        f"{start}{name}{head}\n    if pc.any({test}).as_py():\n        1 / 0\n{body}"
    )
    with pytest.raises(RecipeError, match=rf"own\.py:\d+: .*{function}: ZeroDivisionError") as error:
        build(tmp_path, tmp_path / "out", [tree], text=EVERYTHING, **how)
    assert "the line is: 1 / 0" in str(error.value)


@pytest.mark.long
@pytest.mark.slow
def test_a_killed_licence_stage_is_finished_by_the_same_command(folder, tree, built, tmp_path):
    source, output = ("--input", str(tree)), ("--output", str(tmp_path / "out"))
    arguments = ("build", recipe(folder, EVERYTHING), *source, *output, "--workers", "1")
    trap = TRAP.format(module="pipelines.licenses", name="LicensePart", after=1)
    killed = command(*arguments, prelude=trap)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert_same(build(folder, tmp_path / "out", [tree], text=EVERYTHING), built)
    left = [path for path in (tmp_path / "out").rglob("*") if path.name.startswith(".")]
    assert left == []
