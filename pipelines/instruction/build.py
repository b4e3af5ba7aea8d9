"""Build: the steps of an instruction dataset one after the other, then its manifest."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from columns.errors import EnvironmentProblem, InputError, OutputError
from columns.files import Place
from instruct.models import Endpoint
from pipelines import preflight
from pipelines.dataset import MANIFEST
from pipelines.engine import Engine, run_units
from pipelines.instruction.asking import TOKENIZER, token_counter
from pipelines.instruction.benchmarks import checked_against
from pipelines.instruction.inputs import Input
from pipelines.instruction.manifest import write_manifest
from pipelines.instruction.recipe import LoadedInstruction
from pipelines.instruction.steps import WHOLE, Context, ModelAccess, Step, StepWork, key_variable
from pipelines.instruction.systems import System, system_of
from pipelines.lease import leased
from pipelines.progress import Display, StageRunner, Watch
from pipelines.runlog import write_log
from pipelines.stage import Stage, outputs_fingerprint


@dataclass(frozen=True)
class InstructionOptions:
    """What is built from what, and where; how models are reached and what may be spent."""

    inputs: Mapping[str, tuple[Input, ...]]
    place: Place
    models: ModelAccess = field(default_factory=ModelAccess)


@dataclass
class InstructionBuild:
    """One run of the job. Finished steps are skipped; results never depend on the engine."""

    loaded: LoadedInstruction
    options: InstructionOptions
    engine: Engine
    display: Display
    _log: list[dict[str, Any]] = field(default_factory=list)

    def run(self) -> None:
        """Run every step that is not done, then write the manifest; `OutputError` while another run is at it."""
        self._check()
        with leased(self.options.place, "build"):
            self._run()

    def _run(self) -> None:
        self._say_cost()
        upstream: dict[str, str] = {}
        for step in self.steps:
            upstream[step.name] = self._step(step, upstream)
        write_manifest(self.options.place, self.loaded, self.steps, self.context)
        write_log(self.options.place, self.engine, self._log)

    @cached_property
    def system(self) -> System:
        """The system that the recipe is for."""
        return system_of(self.loaded.recipe.system)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The steps, in order."""
        return self.system.steps(self.loaded.recipe.config)

    @cached_property
    def context(self) -> Context:
        """What steps can see."""
        recipe, options = self.loaded.recipe, self.options
        workers = self.engine.workers or os.cpu_count() or 1
        return Context(options.place, recipe.parts, recipe.config, options.inputs, options.models, workers)

    def _check(self) -> None:
        """Say now what would stop the build later."""
        preflight.check_packages()
        self.engine.check()
        if not self.engine.here:
            raise EnvironmentProblem(
                f"{self.engine.name}: instruction data is built on one machine, where inputs and the sandbox are",
                hint="leave --runner out; --workers N and --mode processes use the whole machine",
            )
        preflight.check_output(self.options.place)
        if self.options.place.local is None:
            raise OutputError(
                f"{self.options.place.url}: instruction data is built in a directory of this machine",
                hint="choose a local --output and copy it when it is done",
            )
        self._check_needs()
        self._check_models()
        self._check_files()

    def _check_needs(self) -> None:
        needs, name = self.system.needs(self.loaded.recipe.config), self.loaded.recipe.name
        for group in needs.inputs:
            if not any(self.options.inputs.get(role) for role in group):
                told = " or ".join(f"--input {role}=PATH ({self.system.roles[role]})" for role in group)
                raise InputError(f"recipe {name}: expected an input, found none", hint=f"give {told}")
        for role in needs.models:
            if role not in self.options.models.sources:
                raise InputError(
                    f"recipe {name}: expected a model for the role {role}, found none",
                    hint=f"give --model {role}=URL or --model {role}=FILE.jsonl ({self.system.models[role]})",
                )

    def _check_files(self) -> None:
        """Read now what a step after a paid one would find unreadable: benchmarks and the tokenizer."""
        checked_against(self.loaded.recipe.config)
        if self.options.inputs.get(TOKENIZER):
            token_counter(self.context)

    def _check_models(self) -> None:
        """Refuse now what steps that ask would find hours later: no such file, no address, no key."""
        for role, source in self.options.models.sources.items():
            if "://" in source:
                Endpoint(source, key_variable=key_variable(role))
            elif not Path(source).is_file():
                raise InputError(
                    f"--model {role}={source}: no such file",
                    hint="give a .jsonl of recorded answers, or a URL such as http://127.0.0.1:8000/v1",
                )

    def _say_cost(self) -> None:
        """Say what the models would be asked, before anything is sent."""
        for role, cost in self.system.estimate(self.context).items():
            self.display.note(f"model {role}: {cost}")

    def _step(self, step: Step, upstream: Mapping[str, str]) -> str:
        """Run one step unless it is done; returns what the next ones depend on."""
        context = self.context
        identity = step.identity(context, [upstream[name] for name in step.reads])
        stage = Stage(step.name, context.place.child(step.name), identity, step.units(context))
        watch = Watch(step.name, lambda: len(stage.done()), stage.units, stage)
        self._log.append(self.runner.run(stage, watch, partial(self._work, step, context, stage)))
        commit = stage.committed()
        assert commit is not None
        return outputs_fingerprint(commit)

    def _work(self, step: Step, context: Context, stage: Stage) -> None:
        if step.spread == WHOLE:
            context = dataclasses.replace(context, say=self.display.note)
        run_units(self.engine, stage, StepWork(step, context, stage), stage.begin())
        stage.commit()

    @cached_property
    def runner(self) -> StageRunner:
        """Runs stages; one that changes takes the manifest back first."""
        return StageRunner(self.display, self.options.place, (MANIFEST,), self.engine.book)
