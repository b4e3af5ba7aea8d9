"""Pairs: a sentence and the code it asks for, and snippets to pre-train on, as CodeFusion (arXiv 2310.17680) uses them.

The map::

    pair.py         PAIR: one pair as a row, and why a row cannot be read
    opened.py       text, lines and JSON of a user's files
    conala.py, nl2bash.py, prose.py, snippets.py    readers of the published layouts
    reading.py      read_pairs: whichever layout lies at a path
    division.py     one file into training, validation and test
    overlap.py      repeated pairs and shared codes: facts, then the rule that drops a row
    rule.py, parser.py, labels.py    Excel's conditional formatting rules: printing, reading, what they format
    trees.py, spans.py    tree-sitter without recursion; where names and keywords stand
    coder.py        a tokenizer that says which bytes each id stands for; CodeT5's files
    fixed.py        ids of one length
    tuning.py       pairs as ids, for the supervised phase
    masking.py, pretraining.py    snippets as ids, and with names hidden, for the unsupervised phase
    validity.py, template.py, diversity.py, metrics.py    what is measured of predictions
"""

from instruct.pairs.coder import Coded, Coder, byte_level_coder
from instruct.pairs.division import divide_disjoint, divide_last, random_overlaps
from instruct.pairs.fixed import FixedConfig
from instruct.pairs.labels import row_labels, same_labels
from instruct.pairs.masking import MaskConfig, mask_names
from instruct.pairs.metrics import measure_predictions
from instruct.pairs.overlap import MARKED, Overlap, OverlapConfig, count_overlap, mark_pairs, mark_snippets
from instruct.pairs.pair import BASH, EXCEL, LANGUAGES, PAIR, PYTHON
from instruct.pairs.parser import Reading, parse_rule
from instruct.pairs.pretraining import pretraining_records, pretraining_schema
from instruct.pairs.reading import read_pairs
from instruct.pairs.rule import Condition, Joined, print_rule
from instruct.pairs.snippets import read_snippets
from instruct.pairs.spans import name_spans
from instruct.pairs.template import template_of
from instruct.pairs.tuning import tuning_records, tuning_schema
from instruct.pairs.validity import Validity, validity

__all__ = [
    "BASH", "EXCEL", "LANGUAGES", "MARKED", "PAIR", "PYTHON", "Coded", "Coder", "Condition", "FixedConfig", "Joined",
    "MaskConfig", "Overlap", "OverlapConfig", "Reading", "Validity", "byte_level_coder", "count_overlap",
    "divide_disjoint", "divide_last", "mark_pairs", "mark_snippets", "mask_names", "measure_predictions",
    "name_spans", "parse_rule", "pretraining_records", "pretraining_schema", "print_rule", "random_overlaps",
    "read_pairs", "read_snippets", "row_labels", "same_labels", "template_of", "tuning_records", "tuning_schema",
    "validity",
]  # fmt: skip
