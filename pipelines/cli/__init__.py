"""The command line: ``thresher``, also ``python -m pipelines``.

``app.py`` the application; ``job.py`` build and run; ``status.py`` status;
``watching.py`` what watches a job; ``refresh.py`` refresh, takedown and gc;
``planning.py`` plan; ``look.py`` recipes, explain and inspect;
``ask.py`` what-if, compare, diff and sample; ``index.py`` index; ``suites.py`` suites; ``sandbox.py`` sandbox;
``provenance.py`` whois and export-attribution; ``contamination.py`` contamination selftest and report;
``tokenizers.py`` tokenizer train, show and count; ``verify.py`` verify; ``peek.py`` peek;
``export.py`` export and import; ``ablate.py`` ablate; ``evaluate.py`` evaluate; ``trace.py`` trace;
``instruction.py`` what build, inspect, explain and verify do with instruction data.
``export.py`` export and import; ``ablate.py`` ablate; ``trace.py`` trace.
"""

from __future__ import annotations

import io
import sys

from rich.console import Console
from rich.markup import escape

from columns.errors import ThresherError
from pipelines.cli import (
    ablate,
    ask,
    contamination,
    evaluate,
    export,
    index,
    job,
    look,
    peek,
    planning,
    provenance,
    refresh,
    sandbox,
    status,
    suites,
    tokenizers,
    trace,
    verify,
)
from pipelines.cli.app import app

__all__ = [
    "ablate",
    "app",
    "ask",
    "contamination",
    "evaluate",
    "export",
    "index",
    "job",
    "look",
    "main",
    "peek",
    "planning",
    "provenance",
    "refresh",
    "sandbox",
    "status",
    "suites",
    "tokenizers",
    "trace",
    "verify",
]  # fmt: skip


def main() -> None:
    """Run the command line; a user's mistake is one clear line and exit code 2, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app(prog_name="thresher")
    except ThresherError as error:
        console = Console(stderr=True)
        console.print(f"[red]error:[/red] {escape(error.what)}", highlight=False, soft_wrap=True)
        if error.hint:
            console.print(f"[cyan]hint:[/cyan] {escape(error.hint)}", highlight=False, soft_wrap=True)
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(0)
