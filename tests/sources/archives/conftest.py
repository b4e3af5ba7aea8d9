"""Puts the folder of the sources' tests on the path, so that these share `reads` and `archived`."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
