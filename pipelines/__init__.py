"""Pipelines: recipes, the five jobs, the ledger, the report and the command line.

Import names from its modules: importing the room itself loads nothing (Beam alone takes a second).

The map::

    recipe.py     recipes/*.yaml -> Recipe, validated, with the source of every value
    build.py      Build: the stages in order, then manifest, report and run log
    stage.py      Stage: units, records, the commit file; what is done and what is left
    engine.py     Engine: which Beam runner works, and how; never changes the result
    dataset.py    Dataset, Names: which folder holds what
    ingest.py     sources -> documents
    measure.py    documents -> facts
    link.py       facts -> exact groups, verified edges
    decide.py     facts + links + recipe -> ledger
    shard.py      documents + ledger -> tokenizer, tokens, shards
    manifest.py   what the dataset is, written last
    finished.py   a finished dataset, opened for reading: report, explain, inspect
    report/       report.html        story.py    explain        summary.py  inspect
    preflight.py  what would stop a build later    progress.py  bars    cli.py  the command
"""

__all__: list[str] = []
