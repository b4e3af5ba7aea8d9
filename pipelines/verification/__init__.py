"""Verification: whether a finished dataset is whole, and holds what its ledger says and nothing else.

``check.py`` what a check says; ``files.py`` checksums, and the manifest against its stages; ``rows.py`` spans and
padding of shards, ``notes.py`` what they say of transforms; ``members.py`` survivors, dropped files, duplicates,
benchmark tasks; ``joining.py`` the files of repositories; ``texts.py`` tokens against documents, ``spelled.py`` one of
them, ``searching.py`` benchmark tasks in what tokens spell; ``run.py`` all of them.
"""

from pipelines.verification.check import Check
from pipelines.verification.run import verify_dataset

__all__ = ["Check", "verify_dataset"]
