"""Build: the five stages one after the other, then the manifest, the report and the run's log."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from rich.markup import escape

from columns.errors import OutputError
from columns.files import Place
from pipelines import preflight
from pipelines.against import AgainstConfig, against, against_stage, open_known
from pipelines.card import DATA, write_card
from pipelines.cuts import CutsConfig, cuts_stage, make_cuts
from pipelines.dataflow import check_reach
from pipelines.dataset import CARD, EXPORTS, MANIFEST, REPORT, Dataset
from pipelines.decide import decide, decide_stage
from pipelines.decisions import DecideConfig
from pipelines.engine import Engine
from pipelines.exporting import keep_exports
from pipelines.functions import (
    find_functions,
    function_links_stage,
    functions_of,
    functions_stage,
    link_functions,
)
from pipelines.ingest import Inputs, ingest, ingest_stage, list_inputs, write_repositories
from pipelines.leaks import find_leaks, leaks_stage
from pipelines.lease import leased
from pipelines.licenses import find_licenses, license_stage
from pipelines.link import LinkConfig, link, link_stage
from pipelines.manifest import write_manifest
from pipelines.measure import MeasureConfig, measure, measure_stage
from pipelines.paragraphs import find_paragraphs, paragraphs_stage
from pipelines.progress import Display, StageRunner, Watch
from pipelines.promise import near_duplicates
from pipelines.recipe import LoadedRecipe
from pipelines.report import write_report
from pipelines.retained import Past
from pipelines.reuse import check_old, obstacle
from pipelines.runlog import write_log
from pipelines.runners import DATAFLOW, known_runner
from pipelines.shard import ShardConfig, shard
from pipelines.stage import COMMIT, Stage, outputs_fingerprint, read_json
from pipelines.takedowns import honoured
from sources import Access, IngestConfig

STAGES = ("ingest", "measure", "link", "decide", "shard")


@dataclass(frozen=True)
class BuildOptions:
    """What is built from what, where, and which stages of it; ``takedowns``: where the list of removals lies.

    ``keep_tokenizer``: a tokenizer that the recipe trains is taken from the dataset to reuse, not trained again.
    ``version``: both are versions in one directory, so equal files are linked.
    """

    inputs: tuple[str, ...]
    place: Place
    columns: tuple[str, ...] = ()
    stages: tuple[str, ...] = STAGES
    reuse: Place | None = None
    against: tuple[str, ...] = ()
    access: Access = field(default_factory=Access)
    takedowns: Place | None = None
    keep_tokenizer: bool = False
    version: bool = False


@dataclass
class Build:
    """One run of the job. Finished stages are skipped; results never depend on the engine.

    ``alone``: the dataset's lease is held from the first stage on, for a caller that does not hold it already.
    """

    loaded: LoadedRecipe
    options: BuildOptions
    engine: Engine
    display: Display
    alone: bool = False
    _log: list[dict[str, Any]] = field(default_factory=list)
    _held: ExitStack = field(default_factory=ExitStack)

    def run(self) -> None:
        """Run the stages that were asked for; with all of them, finish the dataset.

        `OutputError` while another run is at it, where this one is to be ``alone``.
        """
        self._check()
        with self._held:
            self._run()

    def _check(self) -> None:
        """Say now what would stop the job later."""
        preflight.check_packages()
        self._check_engine()
        preflight.check_output(self.options.place)
        preflight.check_no_versions(self.options.place)
        self.loaded = honoured(self.loaded, self.options.takedowns or self.options.place)
        if self.options.reuse is not None:
            check_old(self.options.reuse, self.options.place)
        preflight.check_recipe(self.loaded.recipe)
        for rule in preflight.idle_rules(self.loaded.recipe):
            said = f"rule {rule} drops nothing: it counts tokens, and filters.tokenizer is not set"
            self.display.note(said)
        if self.options.against:
            _ = self.known

    def _run(self) -> None:
        for name in STAGES:
            runner: Callable[[], None] = getattr(self, f"_{name}")
            if name in self.options.stages:
                runner()
        if self.options.stages == STAGES:
            self._finish()

    def _check_engine(self) -> None:
        """Refuse an engine that cannot do the job; say what to bear in mind of one that is not tried."""
        self.engine.check()
        if caveat := known_runner(self.engine.runner).caveat:
            self.display.note(f"{self.engine.name}: {caveat}")
        if self.engine.name != DATAFLOW:
            return
        old = [("--reuse", self.options.reuse.url)] if self.options.reuse is not None else []
        known = [("--against", one) for one in self.options.against]
        check_reach(self.options.inputs, self.options.place.url, [*old, *known])

    @cached_property
    def dataset(self) -> Dataset:
        """The dataset that is built."""
        return Dataset(self.options.place)

    @cached_property
    def runner(self) -> StageRunner:
        """Runs stages; a stage that changes takes the manifest and the report back first."""
        return StageRunner(self.display, self.options.place, (MANIFEST, REPORT, CARD, DATA), self.engine.book)

    @cached_property
    def ingest_config(self) -> IngestConfig:
        """The recipe's ingest section with the column map of the command line."""
        config = self.loaded.recipe.reading()
        pairs = tuple(_pair(text) for text in self.options.columns)
        try:
            return dataclasses.replace(config, columns=(*config.columns, *pairs)) if pairs else config
        except ValueError as error:
            raise OutputError(f"--column: {error}", hint="for example: --column content=body") from error

    @cached_property
    def known(self) -> AgainstConfig:
        """The known corpora that the dataset is built against."""
        section = self.loaded.recipe.dedup
        return open_known(self.options.against, section.minhash, section.bands, near=section.near)

    def list_inputs(self) -> Inputs:
        """What the sources list."""
        clones = self.dataset.work.child("clones")
        with self.display.listing() as watch:
            access = dataclasses.replace(self.access, watch=watch)
            return list_inputs(self.options.inputs, self.ingest_config, clones, access)

    @property
    def access(self) -> Access:
        """How services are reached, with what the recipe chooses of them."""
        recipe = self.loaded.recipe
        return dataclasses.replace(
            self.options.access, choice=recipe.github, repos=recipe.github_repos, limits=recipe.archives
        )

    def _ingest(self) -> None:
        inputs = self.list_inputs()
        try:
            preflight.check_space(self.options.place, inputs.total_bytes)
            self._promise("ingest")
            stage = ingest_stage(self.dataset, inputs, self.ingest_config, self.loaded.recipe.layout)
            read = self.dataset.work.child("ingest").child("read")
            watch = Watch(
                "ingest",
                lambda: len(read.names()) + len(stage.done()),
                len(inputs.units) + stage.units,
                stage,
            )
            write_repositories(self.dataset, inputs)
            self._stage(
                stage, watch, lambda: ingest(self.engine, self.dataset, stage, inputs, self.ingest_config)
            )
        finally:
            self._discard(inputs)

    def _promise(self, stage: str) -> None:
        """Print what near-duplicates will be found, before the first stage that is asked for."""
        first, section = self.options.stages[0] == stage, self.loaded.recipe.dedup
        if first and section.near and "link" in self.options.stages:
            self.display.lines(near_duplicates(section))

    def _discard(self, inputs: Inputs) -> None:
        inputs.discard()
        self.dataset.work.remove_tree()

    def _measure(self) -> None:
        recipe = self.loaded.recipe
        section = recipe.dedup
        config = MeasureConfig(
            recipe.families(), section.minhash, recipe.contamination, section.near, section.sets
        )
        stage = measure_stage(self.dataset, config, self._upstream(self.dataset.documents, "ingest"))
        old = self._old(config)
        work = partial(measure, self.engine, self.dataset, stage, config, old, linked=self.options.version)
        self._stage(stage, parts_of(stage), work)

    def _old(self, config: MeasureConfig) -> Place | None:
        """The dataset whose facts are reused; none where they would not be the ones measured now."""
        old = self.options.reuse
        reason = obstacle(old, config.identity()) if old is not None else None
        if old is not None and reason:
            self.display.note(f"nothing is reused of {escape(old.url)}: {reason}")
        return None if reason else old

    def _link(self) -> None:
        section = self.loaded.recipe.dedup
        config = LinkConfig(section.near, section.bands, section.unit, section.containment)
        stage = link_stage(self.dataset, config, self._upstream(self.dataset.facts, "measure"))
        self._promise("link")
        self._stage(stage, parts_of(stage), lambda: link(self.engine, self.dataset, stage, config))
        self._against()
        self._licenses()
        self._functions()
        self._paragraphs()

    def _leaks(self) -> None:
        config = self.loaded.recipe.contamination
        if not config.suites:
            self.dataset.leaks.remove_tree()
            return
        stage = leaks_stage(self.dataset, config, self._upstream(self.dataset.facts, "measure"))
        self._stage(stage, parts_of(stage), partial(find_leaks, self.engine, self.dataset, stage, config))

    def _against(self) -> None:
        if not self.options.against:
            self.dataset.known.remove_tree()
            return
        stage = against_stage(self.dataset, self.known, self._upstream(self.dataset.facts, "measure"))
        work = partial(against, self.engine, self.dataset, stage, self.known)
        self._stage(stage, parts_of(stage), work)

    def _licenses(self) -> None:
        section = self.loaded.recipe.licenses
        if not section.detect:
            self.dataset.licenses.remove_tree()
            return
        upstream = self._upstream(self.dataset.facts, "measure")
        stage = license_stage(self.dataset, section.permissive, upstream)
        work = partial(find_licenses, self.engine, self.dataset, stage, section.permissive)
        self._stage(stage, parts_of(stage), work)

    def _functions(self) -> None:
        config = self.loaded.recipe.dedup.functions
        if not config.find:
            self.dataset.functions.remove_tree()
            return
        stage = functions_stage(self.dataset, config, self._upstream(self.dataset.documents, "ingest"))
        self._stage(stage, parts_of(stage), partial(find_functions, self.engine, self.dataset, stage, config))
        found = self._upstream(functions_of(self.dataset).facts, "functions")
        links = function_links_stage(self.dataset, config, found)
        self._stage(links, parts_of(links), partial(link_functions, self.engine, self.dataset, links, config))

    def _paragraphs(self) -> None:
        config = self.loaded.recipe.dedup.paragraphs
        if not config.find:
            self.dataset.paragraphs.remove_tree()
            return
        stage = paragraphs_stage(self.dataset, config, self._upstream(self.dataset.documents, "ingest"))
        self._stage(
            stage, parts_of(stage), partial(find_paragraphs, self.engine, self.dataset, stage, config)
        )

    def _cuts(self) -> None:
        config = CutsConfig.of(self.loaded.recipe)
        if not config.wanted:
            self.dataset.cuts.remove_tree()
            return
        stage = cuts_stage(self.dataset, config, self._uncut())
        self._stage(stage, parts_of(stage), partial(make_cuts, self.engine, self.dataset, stage, config))

    def _uncut(self) -> str:
        """What cuts are made from."""
        dataset, section = self.dataset, self.loaded.recipe.dedup
        found = [self._upstream(dataset.ledger, "decide")]
        if section.functions.find:
            functions = functions_of(dataset)
            found.append(self._upstream(functions.facts, "functions"))
            found.append(self._upstream(functions.links, "function links"))
        if section.paragraphs.find:
            found.append(self._upstream(dataset.paragraphs, "paragraphs"))
        if self.loaded.recipe.contamination.excises:
            found.append(self._upstream(dataset.leaks, "leaks"))
        return "".join(found)

    def _decide(self) -> None:
        self._leaks()
        config = self.decide_config
        stage = decide_stage(self.dataset, config, self._linked())
        guard = self.loaded.recipe.guard
        self._stage(stage, parts_of(stage), lambda: decide(self.engine, self.dataset, stage, config, guard))
        self._cuts()

    def _linked(self) -> str:
        """What decisions are made from."""
        dataset = self.dataset
        found = self._upstream(dataset.facts, "measure") + self._upstream(dataset.links, "link")
        if self.loaded.recipe.contamination.suites:
            found += self._upstream(dataset.leaks, "leaks")
        if self.loaded.recipe.licenses.detect:
            found += self._upstream(dataset.licenses, "licenses")
        if dataset.known.exists(COMMIT):
            found += self._upstream(dataset.known, "against")
        find = self.loaded.recipe.dedup.paragraphs.find
        return found + self._upstream(dataset.paragraphs, "paragraphs") if find else found

    @cached_property
    def decide_config(self) -> DecideConfig:
        """The recipe's decisions."""
        return DecideConfig.of(self.loaded.recipe)

    def _shard(self) -> None:
        recipe = self.loaded.recipe
        upstream = self._upstream(self.dataset.documents, "ingest") + self._upstream(
            self.dataset.ledger, "decide"
        )
        if CutsConfig.of(recipe).wanted:
            upstream += self._upstream(self.dataset.cuts, "cuts")
        config = ShardConfig(recipe.tokenizer, recipe.pack, recipe.transforms, recipe.syntax)
        past = None
        if self.options.reuse is not None:
            past = Past(Dataset(self.options.reuse), self.options.version, self.options.keep_tokenizer)
        self._log += shard(self.engine, self.dataset, config, upstream, self.runner, past)

    def _finish(self) -> None:
        place, changed = self.options.place, write_manifest(self.dataset, self.loaded)
        for name, write in ((REPORT, write_report), (CARD, write_card), (DATA, write_card)):
            if changed or not place.exists(name):
                write(place)
        for name in keep_exports(place, self.loaded.recipe.exports):
            self.display.note(f"exported for other loaders: {EXPORTS}/{name}")
        write_log(place, self.engine, self._log)

    def _stage(self, stage: Stage, watch: Watch, work: Callable[[], object]) -> None:
        """Run a stage; the first takes the dataset's lease, so that what is refused before it leaves nothing behind."""
        if self.alone:
            self._held.enter_context(leased(self.options.place, "build"))
            self.alone = False
        self._log.append(self.runner.run(stage, watch, work))

    def _upstream(self, place: Place, name: str) -> str:
        return committed(place, name, self._expected(name))

    def _expected(self, name: str) -> str | None:
        """What a finished stage must have been made from: the stages before it as they are now."""
        dataset = self.dataset
        if name in {"measure", "functions", "paragraphs"}:
            return self._upstream(dataset.documents, "ingest")
        if name in {"link", "leaks", "licenses", "against"}:
            return self._upstream(dataset.facts, "measure")
        if name == "function links":
            return self._upstream(functions_of(dataset).facts, "functions")
        if name == "cuts":
            return self._uncut()
        if name == "decide":
            return self._linked()
        return None


def committed(place: Place, name: str, upstream: str | None = None) -> str:
    """Fingerprint of a finished stage's outputs; `OutputError` when it, or one before it, is not finished."""
    commit: Mapping[str, Any] | None = read_json(place, COMMIT)
    if commit is None or upstream not in (None, commit.get("upstream")):
        raise OutputError(
            f"{place.url}: stage {name} is not finished", hint=f"run first: thresher run {name} …"
        )
    return outputs_fingerprint(commit)


def parts_of(stage: Stage) -> Watch:
    """What shows how many of a stage's units are done."""
    return Watch(stage.name, lambda: len(stage.done()), stage.units, stage)


def _pair(text: str) -> tuple[str, str]:
    ours, sep, theirs = text.partition("=")
    if not (sep and ours and theirs):
        raise OutputError(f"--column {text}: expected OURS=THEIRS", hint="for example: --column content=body")
    return ours, theirs
