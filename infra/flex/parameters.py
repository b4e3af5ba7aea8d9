"""Parameters: what the Flex Template takes, and which option of ``thresher refresh`` or of Beam each one becomes.

Help texts and the options themselves are taken from the command line, so that neither can say what the other does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import typer

from columns.errors import InputError
from pipelines.cli import app
from pipelines.dataflow import FORMS
from pipelines.recipefile import recipe_names

COMMAND = "refresh"
SEPARATOR = ";"
_BUCKET = r"gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]"
_NUMBER = r"[1-9][0-9]{0,5}"


@dataclass(frozen=True)
class Parameter:
    """One parameter of the template.

    ``flag``: the option it becomes, empty for the dataset, which has none. ``beam``: an option of the jobs that do the
    work rather than of ``thresher``. ``many``: several values, separated by `SEPARATOR`. ``switch``: the option has no
    value; "true" gives it. ``pattern``: of one value.
    """

    name: str
    label: str
    flag: str
    pattern: str
    example: str
    required: bool = False
    many: bool = False
    beam: bool = False
    switch: bool = False
    about: str = ""

    @property
    def regex(self) -> str:
        """A pattern for the whole text, in the syntax that JavaScript, Java and Python have in common."""
        one = f"({self.pattern})"
        return f"^{one}({SEPARATOR}{one})*$" if self.many else f"^{one}$"

    @property
    def help(self) -> str:
        """What it is, in the words of the command line, with an example."""
        said = self.about or option_help(self.flag)
        several = f" Several are separated by '{SEPARATOR}'." if self.many else ""
        return f"{said[:1].upper()}{said[1:]}.{several} Example: {self.example}"

    def values(self, text: str) -> list[str]:
        """The values of a text; `InputError` for one that the template's metadata refuses too."""
        if not re.match(self.regex, text):
            raise InputError(f"{self.name}: unexpected {text!r}", hint=f"for example: {self.example}")
        return text.split(SEPARATOR) if self.many else [text]


PARAMETERS = (
    Parameter(
        "recipe", "Recipe", "--recipe", rf"{'|'.join(sorted(recipe_names()))}|{_BUCKET}/.+\.ya?ml", "codex",
        required=True, about="a built-in recipe's name, or a YAML file in a bucket, with the files it names beside it",
    ),
    Parameter(
        "input", "Inputs", "--input", rf"((parquet|jsonl|archive):)?{_BUCKET}/[^;]+|(github|bigquery):[^;]+",
        "parquet:gs://my-bucket/code/*.parquet", required=True, many=True,
        about="what is read: parquet:, jsonl: or archive: in a bucket, github:LIST, bigquery:TABLE (docs/inputs.md)",
    ),
    Parameter(
        "output", "Dataset", "", rf"{_BUCKET}/[^;]+", "gs://my-bucket/sets/code", required=True,
        about="the dataset's folder: its first version is built there, and every later run makes the next one",
    ),
    Parameter(
        "keep_tokenizer", "Keep the tokenizer", "--keep-tokenizer", "true|false", "true", switch=True,
    ),
    Parameter("keep", "Versions kept", "--keep", f"0|{_NUMBER}", "3"),
    Parameter("set", "Changes of the recipe", "--set", "[a-z_.]+=[^;]+", "filters.line_max=800", many=True),
    Parameter("column", "Columns", "--column", "[a-z_]+=[^;]+", "content=body", many=True),
    Parameter("against", "Known corpora", "--against", rf"{_BUCKET}/[^;]+", "gs://my-bucket/may-index", many=True),
    Parameter(
        "access", "Access file", "--access", rf"{_BUCKET}/.+\.ya?ml", "gs://my-bucket/access.yaml",
        about="a YAML file in a bucket: how GitHub and BigQuery are reached (docs/access.md); it holds no secrets",
    ),
    Parameter(
        "max_bytes_billed", "Most that BigQuery may bill", "--max-bytes-billed", r"[0-9]+(\.[0-9]+)?[KMGT]i?B", "100GiB"
    ),
    Parameter("batch_mb", "Text per batch, MB", "--batch-mb", _NUMBER, "8"),
    Parameter(
        "stage_machine_type", "Workers' machine type", "--machine_type", FORMS["machine_type"].pattern,
        "n2-standard-4", beam=True, about="the machine type of the jobs that do the work; the conducting job is small",
    ),
    Parameter(
        "stage_max_workers", "Most workers", "--max_num_workers", _NUMBER, "32", beam=True,
        about="the most workers that a job may take",
    ),
    Parameter(
        "stage_disk_gb", "Workers' disk, GB", "--disk_size_gb", "[1-9][0-9]{1,4}", "100", beam=True,
        about="the disk of a worker, in GB, the image included",
    ),
    Parameter(
        "stage_harness_threads", "Threads per process", "--number_of_worker_harness_threads", _NUMBER, "2", beam=True,
        about="threads of a worker's process; fewer where memory is short",
    ),
)  # fmt: skip

LEFT_OUT: Mapping[str, str] = {
    "--first": "always given: where there is no dataset yet, its first version is built",
    "--trust-own-code": "of a recipe that lies in the dataset; here it is always named",
    "--runner": "always dataflow",
    "--workers": "counts processes of one machine",
    "--mode": "of one machine",
    "--yes": "always given: nobody is there to ask, and max_bytes_billed is the limit",
    "--json": "always given",
    "--quiet": "follows from --json",
    "--progress": "for terminals; thresher status gs://… says how far a run is",
    "--log": "the conductor hands its lines to Cloud Logging as they are",
}


def options() -> Mapping[str, str]:
    """Every option of the command and its help."""
    command = typer.main.get_command(app).commands[COMMAND]  # type: ignore[attr-defined]
    return {
        max(param.opts, key=len): param.help or ""
        for param in command.params
        if param.param_type_name == "option" and "--help" not in param.opts
    }


def option_help(flag: str) -> str:
    """The command line's own words for an option."""
    return options()[flag].partition(" (repeatable)")[0]


def named(name: str) -> Parameter:
    """A parameter by name."""
    return next(one for one in PARAMETERS if one.name == name)


def command_line(given: Mapping[str, str]) -> tuple[str, ...]:
    """The arguments of ``thresher`` for the parameters that were given; `InputError` names what is wrong with one.

    >>> command_line({"recipe": "codex", "input": "bigquery:a.b.c;github:o/n", "output": "gs://mine/set"})[:8]
    ('refresh', 'gs://mine/set', '--first', '--yes', '--runner', 'dataflow', '--recipe', 'codex')
    """
    missing = [one for one in PARAMETERS if one.required and not given.get(one.name)]
    if missing:
        raise InputError(f"{missing[0].name}: missing", hint=f"for example: {missing[0].example}")
    [dataset] = named("output").values(given["output"])
    return (COMMAND, dataset, "--first", "--yes", "--runner", "dataflow", *_options(given))


def _options(given: Mapping[str, str]) -> Iterator[str]:
    for one in PARAMETERS:
        for value in one.values(given[one.name]) if one.flag and given.get(one.name) else ():
            if not one.switch:
                yield from (one.flag, value)
            elif value == "true":
                yield one.flag
