"""Sampling sheets: how often is a rule right? Draw files that it drops, look at them, label them, estimate.

========================  =====================================================================================
`draw`                    files that a rule drops, chosen by hash, with the lines the rule is about: a `Sheet`
`write_html`              the sheet as one page to label in a browser, offline
`write_csv`               the sheet as a table, for a spreadsheet
`read_labels`             labels read back from either
`estimate`, `render`      the rule's precision with a 95 % interval, and how many files it drops wrongly
========================  =====================================================================================
"""

from pipelines.sampling.draw import KEPT, Item, Sheet, draw
from pipelines.sampling.labels import LABELS, Labels, Precision, estimate, read_labels, render
from pipelines.sampling.page import write_csv, write_html

__all__ = [
    "KEPT",
    "LABELS",
    "Item",
    "Labels",
    "Precision",
    "Sheet",
    "draw",
    "estimate",
    "read_labels",
    "render",
    "write_csv",
    "write_html",
]
