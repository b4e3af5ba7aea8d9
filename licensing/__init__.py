"""Licensing: which licence a file is under, with the evidence, and whether sources contradict each other.

=========================  =============================================================================
`licensing.measure`        `measure_licenses`: documents -> one row of `LICENSES` per file
`licensing.assignment`     `evidence`, `assign`: facts of all files -> one licence per file, nearest wins
`licensing.files`          `is_license_file`: which paths hold licence texts
`licensing.texts`          `identify`: a licence text -> SPDX, by word pairs (Dice); `contained`
`licensing.pairs`          a text as hashed word pairs
`licensing.templates`      the packaged sketches of the SPDX texts (``templates.npz``)
`licensing.headers`        `read_headers`: the licence that the head of every file states
`licensing.notices`        the sentences and tags of heads
`licensing.names`          `spdx_of`: what people and code hosts call a licence -> SPDX (``names.csv``)
`licensing.expressions`    `canonical`, `is_permissive`, `blue_oak` (``permissive.csv``)
=========================  =============================================================================
"""

from licensing.assignment import ASSIGNED, EVIDENCE, AssignConfig, assign, evidence
from licensing.expressions import blue_oak, canonical, is_permissive
from licensing.files import LICENSE_PATH, is_license_file
from licensing.measure import LICENSES, LicensesConfig, measure_licenses
from licensing.names import spdx_of
from licensing.texts import LicenseText, identify

__all__ = [
    "ASSIGNED",
    "EVIDENCE",
    "LICENSES",
    "LICENSE_PATH",
    "AssignConfig",
    "LicenseText",
    "LicensesConfig",
    "assign",
    "blue_oak",
    "canonical",
    "evidence",
    "identify",
    "is_license_file",
    "is_permissive",
    "measure_licenses",
    "spdx_of",
]
