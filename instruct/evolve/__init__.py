"""Evolve: tasks made harder by a model in rounds (Evol-Instruct), and cleaned by declared rules.

Source: PanGu-Coder2, arXiv 2307.14936, sections 3.3 and 4.1; the five methods are WizardCoder's, arXiv 2306.08568.

The map::

    seeds.py     read_seeds: CodeAlpaca's layout -> SEED rows
    methods.py   METHODS, evolve_prompt: how a task is made harder, and what a model is asked
    evolving.py  evolve: rounds -> EVOLVED rows, with parent, round, method and provenance
    cleaning.py  RULES, clean: -> CLEANED rows, each with the first rule that drops it
    refusal.py   is_refusal: apologies instead of answers
    nearness.py  near duplicates by shingles, exactly
    leaking.py   LeakCheck: benchmark tasks in texts, by the rules of `contamination`

A task flows: seed -> evolved in each round -> marked by rules -> `instruct.ranking`.
"""

from instruct.evolve.cleaning import CLEANED, RULES, CleaningConfig, clean, normalised
from instruct.evolve.evolving import EVOLVED, EvolveConfig, evolve, seed_prompts
from instruct.evolve.leaking import LeakCheck, LeakConfig
from instruct.evolve.methods import FORBIDDEN, METHODS, chosen_method, evolve_prompt
from instruct.evolve.nearness import jaccard, near_duplicates, shingles
from instruct.evolve.refusal import is_refusal
from instruct.evolve.seeds import SEED, read_seeds, seed_table

__all__ = [
    "CLEANED",
    "EVOLVED",
    "FORBIDDEN",
    "METHODS",
    "RULES",
    "SEED",
    "CleaningConfig",
    "EvolveConfig",
    "LeakCheck",
    "LeakConfig",
    "chosen_method",
    "clean",
    "evolve",
    "evolve_prompt",
    "is_refusal",
    "jaccard",
    "near_duplicates",
    "normalised",
    "read_seeds",
    "seed_prompts",
    "seed_table",
    "shingles",
]
