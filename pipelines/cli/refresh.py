"""The commands on a dataset's versions: refresh, takedown and gc."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, get_args

import typer
from rich.console import Console

from columns.errors import InputError
from columns.files import Place
from columns.versions import Versions, current_place
from pipelines import summary
from pipelines.build import BuildOptions
from pipelines.cli.access import AccessFile, MaxBilled, Yes, access_of
from pipelines.cli.app import Changes, Json, TrustOwn, app, print_json
from pipelines.cli.job import BEAM, Against, BatchMb, Columns, Inputs, Mode, Quiet, Runner, Workers
from pipelines.cli.watching import LogKind, ProgressKind, watched
from pipelines.engine import Engine
from pipelines.finished import Finished
from pipelines.history import adopt, collect
from pipelines.lease import leased
from pipelines.recipe import LoadedRecipe, load_recipe, recorded_recipe
from pipelines.refresh import Refreshed
from pipelines.refresh import refresh as make_version
from pipelines.takedown import Taken
from pipelines.takedown import takedown as take_down
from pipelines.takedowns import Takedown
from pipelines.wording import count, counted, plain, size, some
from sources.optout import Kind

Root = Annotated[str, typer.Argument(help="the dataset's directory, where its versions are", metavar="DIR")]
OtherRecipe = Annotated[
    str | None,
    typer.Option(
        "--recipe", help="a recipe's name or file; without it the current version's own", metavar="RECIPE"
    ),
]


@app.command(context_settings=BEAM)
def refresh(
    context: typer.Context,
    directory: Root,
    inputs: Inputs,
    recipe: OtherRecipe = None,
    keep_tokenizer: Annotated[
        bool,
        typer.Option(
            "--keep-tokenizer", help="do not train the tokenizer again, so that ids stay what they are"
        ),
    ] = False,
    first: Annotated[
        bool, typer.Option("--first", help="build the first version where there is no dataset yet")
    ] = False,
    keep: Annotated[
        int, typer.Option(help="how many of the newest versions stay afterwards; 0 for all of them", min=0)
    ] = 0,
    runner: Runner = "DirectRunner",
    workers: Workers = 0,
    mode: Mode = "threads",
    batch_mb: BatchMb = 8,
    column: Columns = None,
    changes: Changes = None,
    against: Against = None,
    access: AccessFile = None,
    max_bytes_billed: MaxBilled = None,
    yes: Yes = False,
    trust_own_code: TrustOwn = False,
    as_json: Json = False,
    quiet: Quiet = False,
    progress: ProgressKind = "bar",
    log: LogKind = "text",
) -> None:
    """Make the next version of a dataset from a whole new snapshot, at the cost of what has changed.

    The result has the bytes of a build from nothing. The version before stays as it is until `thresher gc`. Run it
    again after an interruption: until it is done the current version is the old one.

    Examples:

        thresher refresh sets/code --input 'parquet:2024-07/*.parquet'

        thresher refresh sets/code --recipe codex --input github:repositories.txt --keep-tokenizer

        thresher refresh sets/code --recipe codex --input github:repositories.txt --first --keep 3
    """
    if mode not in {"threads", "processes"}:
        raise typer.BadParameter(f"expected threads or processes, got {mode}", param_hint="--mode")
    silent = quiet or as_json
    loaded = _recipe(directory, recipe, changes or (), trust_own=trust_own_code)
    options = BuildOptions(
        tuple(inputs), Place(directory), tuple(column or ()), against=tuple(against or ()),
        access=access_of(access, max_bytes_billed, yes, quiet=silent), keep_tokenizer=keep_tokenizer,
    )  # fmt: skip
    with watched(options.place, quiet=silent, progress=progress, log=log) as watching:
        engine = Engine(runner, workers, mode, tuple(context.args), batch_mb << 20, book=watching.book)
        found = make_version(loaded, options, engine, watching.display, first=first, keep=keep)
    _say(directory, found, as_json=as_json, quiet=quiet)


def _say(directory: str, found: Refreshed, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        print_json({**found.to_dict(), "summary": summary.summarise(found.place)})
    elif not quiet:
        _lines([*_told(found), *_next(directory, found)])


def _recipe(
    directory: str, name: str | None, changes: list[str] | tuple[str, ...], *, trust_own: bool
) -> LoadedRecipe:
    if name is not None:
        return load_recipe(name, changes)
    section = Finished.open(current_place(Place(directory))).section("recipe")
    return recorded_recipe(section, changes, trust_own=trust_own)


def _told(found: Refreshed) -> list[str]:
    """A version's changes and cost, in lines."""
    if not found.changed:
        return [f"nothing to do: the snapshot gives version {found.number}, which is the current one"]
    if "cost" not in found.record:
        read, kept = _files(found)
        return [f"version {found.number}: the first one, {count(kept)} of {counted(read, 'file')} kept"]
    said, cost = found.record["changes"], found.record["cost"]
    changes = ", ".join(f"{count(number)} {kind}" for kind, number in said.items() if number)
    facts, tokens, shared = cost["facts"], cost["tokens"], cost["shared"]
    made = tokens["documents"] - tokens["reused"]
    return [
        f"version {found.number}: {changes or 'no file came, went or changed its fate'}",
        f"measured   {counted(facts['measured'], 'file')}, {count(facts['reused'] + facts['moved'])} taken over",
        f"tokenised  {counted(made, 'file')}, {count(tokens['reused'])} taken over",
        f"shared     {count(shared['files'])} of {counted(shared['of_files'], 'file')}, "
        f"{size(shared['bytes'])} of {size(shared['of_bytes'])}",
        f"cost       {cost['cpu_seconds']:,.1f} CPU seconds, {cost['wall_seconds']:,.1f} s",
    ]


def _files(found: Refreshed) -> tuple[int, int]:
    files = summary.summarise(found.place)["files"]
    return files["read"], files["kept"]


def _next(directory: str, found: Refreshed) -> list[str]:
    before = found.record.get("parent")
    lines = [f"removed    version {some([*map(str, found.removed)], 9)}"] if found.removed else []
    if not found.changed or before is None:
        return lines
    stays = f"; version {before} stays until: thresher gc {directory} --keep 1"
    return [
        *lines,
        f"{found.place.url}: current{'' if before in found.removed else stays}",
        f"every file that differs: {found.place.url}/changes.parquet",
    ]


def _lines(lines: list[str]) -> None:
    Console().print("\n".join(map(plain, lines)), markup=False, highlight=False, soft_wrap=True)


Named = list[str] | None


@app.command(context_settings=BEAM)
def takedown(
    context: typer.Context,
    directory: Root,
    repo: Annotated[Named, typer.Option(help="a repository, owner/name; repeatable")] = None,
    owner: Annotated[Named, typer.Option(help="all repositories of an owner; repeatable")] = None,
    path: Annotated[
        Named, typer.Option(help="a pattern of paths: * in a folder, ** over folders; repeatable")
    ] = None,
    blob: Annotated[Named, typer.Option(help="a git blob id: the text, wherever it lies; repeatable")] = None,
    content: Annotated[
        Named, typer.Option(help="the SHA-256 of a text, wherever it lies; repeatable")
    ] = None,
    reason: Annotated[str, typer.Option(help="why, for report and list")] = "",
    signed_off_by: Annotated[
        str, typer.Option(help="who decided it, for report and list", metavar="NAME")
    ] = "",
    purge: Annotated[bool, typer.Option("--purge", help="remove all older versions, too")] = False,
    recipe: OtherRecipe = None,
    runner: Runner = "DirectRunner",
    workers: Workers = 0,
    mode: Mode = "threads",
    trust_own_code: TrustOwn = False,
    as_json: Json = False,
    quiet: Quiet = False,
    progress: ProgressKind = "bar",
    log: LogKind = "text",
) -> None:
    """Remove files from a dataset, keep the next-best copies, and write a report with a proof.

    What was asked for is remembered: later refreshes leave it out. Older versions hold it until they are removed.

    Examples:

        thresher takedown sets/code --repo ada/engine --reason 'asked by mail' --signed-off-by 'Grace H.'

        thresher takedown sets/code --blob 3b18e512dba79e4c8300dd08aeb37f8e728b8dad --purge
    """
    if mode not in {"threads", "processes"}:
        raise typer.BadParameter(f"expected threads or processes, got {mode}", param_hint="--mode")
    named = {"repo": repo, "owner": owner, "path": path, "blob": blob, "content": content}
    entries = _entries({kind: named[kind] or [] for kind in get_args(Kind)}, reason, signed_off_by)
    loaded = load_recipe(recipe) if recipe else None
    root, silent = Place(directory), quiet or as_json
    with watched(root, quiet=silent, progress=progress, log=log) as watching:
        engine = Engine(runner, workers, mode, tuple(context.args), book=watching.book)
        found = take_down(
            root, entries, engine, watching.display, loaded=loaded, trust_own=trust_own_code, purge=purge
        )
    if as_json:
        print_json(found.to_dict())
    elif not quiet:
        _lines(_taken(directory, found))
    if found.report and not found.report["proof"]["holds"]:
        raise typer.Exit(1)


def _entries(named: dict[Kind, list[str]], reason: str, name: str) -> list[Takedown]:
    day = datetime.now(UTC).date().isoformat()
    entries = [Takedown(kind, value, reason, name, day) for kind, values in named.items() for value in values]
    for entry in entries:
        try:
            entry.wish()
        except ValueError as problem:
            raise InputError(f"--{problem}", hint="thresher takedown --help") from problem
    return entries


def _taken(directory: str, found: Taken) -> list[str]:
    if not found.version.changed:
        lines = [
            f"no file of version {found.version.number} is named by this; later refreshes will leave it out"
        ]
    else:
        report, number = found.report, found.version.number
        held = sum(file["kept"] for file in report["files"])
        proof = "nothing of them is left" if report["proof"]["holds"] else "SOMETHING OF THEM IS LEFT"
        shards = report["shards"]
        lines = [
            f"version {number}: {counted(len(report['files']), 'file')} removed, {count(held)} of them in shards",
            f"promoted   {counted(len(report['promoted']), 'copy', 'copies')}",
            f"shards     {count(len(shards['rewritten']))} written anew, {count(shards['unchanged'])} as they were",
            f"proof      {proof}",
            f"report     {directory}/removals/{number:06d}.md",
        ]
    if found.purged:
        lines.append(f"removed    version {some([*map(str, found.purged)], 9)}")
    if found.older:
        held_by = some([*map(str, found.older)], 9)
        lines.append(f"version {held_by} still holds some of it; remove: thresher gc {directory} --keep 1")
    return lines


@app.command()
def gc(
    directory: Root,
    keep: Annotated[int, typer.Option(help="how many of the newest versions stay", min=1)] = 2,
    as_json: Json = False,
) -> None:
    """Remove old versions of a dataset, and what interrupted runs left; files that newer versions share stay.

    Example:

        thresher gc sets/code --keep 2
    """
    root = Place(directory)
    with leased(root, "gc"):
        versions = adopt(root)
        gone = collect(versions, keep)
    left = Versions(root).numbers()
    if as_json:
        print_json({"removed": gone, "kept": left})
    else:
        said = f"removed version {some([*map(str, gone)], 9)}" if gone else "nothing to remove"
        _lines([f"{said}; kept: {some([*map(str, left)], 9)}"])
