"""Instruction data: problems, tests and answers that are made, run and checked, with where each came from.

The map: every noun is a package with a map of its own::

    sandbox/      programs run in isolation: trials, calls, scripts, projects
    problems/     tasks with prompt, solution and tests: the schema, and readers of published layouts
    models/       a language model as a function from prompts to answers: an endpoint, a recording, a budget

    tracing/      Codex-S: functions traced while a project's tests run, replayed as standalone problems
    codex/        Codex-S and Codex-D: tests that count, solutions that pass every time, token rows
    evolve/       PanGu-Coder2: problems made harder in rounds and cleaned by declared rules
    ranking/      PanGu-Coder2: answers of student and teacher, ordered by unit tests
    selfinstruct/ Code Llama: questions, tests of their own, the first solution that passes
    pairs/        CodeFusion: pairs of language and code, snippets, records and metrics

    evaluation/   samples files against HumanEval, MBPP and suites of their layout; pass@k
    multiturn/    CodeGen's multi-turn benchmark

A room imports `columns` and `contamination` alone; the steps that join these packages are in `pipelines.instruction`.
"""

__all__: list[str] = []
