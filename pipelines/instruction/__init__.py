"""Instruction data: recipes whose result is made (traced, evolved, answered, ranked, paired), not filtered.

Import names from the modules. The map::

    recipe.py     recipes/*.yaml with ``instruct: SYSTEM`` -> Instruction, validated
    systems.py    System: a published system's section, steps, inputs and models, by name
    steps.py      Step, Made, Context: one resumable job over files; which part a row goes to
    asking.py     a model as steps ask it; what a recording lacks; judging.py: the sandbox of a part
    rehearsal.py  older texts to mix in
    inputs.py     ROLE=PATH, and a stamp of what is in it
    build.py      InstructionBuild: the steps in order, then the manifest
    manifest.py   what the dataset is, and its summary (``inspect``)
    verification.py  whether it is whole (``verify``)
    story.py      one row through all steps (``explain``)

    codex_s.py    Codex-S: traced functions, contests, samples and tests
    pangu.py      PanGu-Coder2: evolved problems, ranked answers
    selfinstruct.py  Code Llama - Instruct: questions, own tests, first passing solution
    codefusion.py CodeFusion: pairs of language and code, unlabelled snippets
"""

__all__: list[str] = []
