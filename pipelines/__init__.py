"""Pipelines: recipes, the jobs, the ledger, the report and the command line.

Import names from its modules: importing the room itself loads nothing (Beam alone takes a second).

The map::

    recipes: everything that changes the result
        recipe.py      recipes/*.yaml -> Recipe, validated, with the source of every value
        recipefile.py  YAML -> plain data, with lines and notes      sections.py  what belongs to the job as a whole
        families.py    which facts are measured for a recipe         settings.py  in what two recipes differ

    the job: what is done and written
        build.py       Build: the stages in order, then manifest, report and run log
        stage.py       Stage: units, records, the commit file; what is done and what is left
        engine.py      Engine: which Beam runner works, and how; never changes the result
        dataset.py     Dataset, Names: which folder holds what       ledger.py    the schema of the ledger
        preflight.py   what would stop a build later                 progress.py  bars
        ingest.py      sources -> documents
        measure.py     documents -> facts                            isolation.py  a text on which a kernel raises
        link.py        facts -> exact groups, verified edges
        licenses.py    facts -> the licence of every file            leaks.py     evidence -> benchmark tasks found
        decide.py      facts + links + recipe -> ledger              guard.py     stops a build that drops too much
        shard.py       documents + ledger -> tokenizer, tokens, shards
        redacting.py   documents as they are trained on
        manifest.py    what the dataset is, written last             card.py      the same in words

    decisions without a job: in memory, from stored facts
        decisions.py   the rules, as functions over columns
        stored.py      stored columns, part by part                  corpus.py    all files decided at once
        whatif.py      another threshold or recipe                   compare.py   several recipes
        diff.py        two datasets: pairing.py, reasons.py          shift.py     what changes between two decisions
        tokencount.py  counted and estimated tokens                  sampling/    is a rule right?

    for people
        finished.py    a finished dataset, opened for reading        lookup.py    the file that a person names
        report/        report.html                                   story.py     explain, with applied.py
        summary.py     inspect                                       wording.py   numbers, rules and names in words
        selftest/      what contamination finds of planted copies    contamination_report/  hits to review
        attribution.py who is in a dataset                           whois.py     is this code in it?
        cli/           the commands                                  terminal.py  tables that fit
"""

__all__: list[str] = []
