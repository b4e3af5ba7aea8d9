"""Infilling: documents rearranged so that a model learns to fill in their middle (FIM).

The map:

    config      InfillConfig, Layout, LAYOUTS       cuts        which documents, which form, where they are cut
    encoding    texts and cuts to token ids         fitting     which of them lie whole in a row
    reading     token ids back to the text
"""

from shards.infilling.config import LAYOUTS, PLAIN, PSM, SPM, InfillConfig, Layout
from shards.infilling.cuts import Cuts, draw_cuts
from shards.infilling.encoding import encode_infilled
from shards.infilling.fitting import fitting
from shards.infilling.reading import original_text

__all__ = [
    "LAYOUTS",
    "PLAIN",
    "PSM",
    "SPM",
    "Cuts",
    "InfillConfig",
    "Layout",
    "draw_cuts",
    "encode_infilled",
    "fitting",
    "original_text",
]
