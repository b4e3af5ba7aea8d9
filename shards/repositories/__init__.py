"""Repositories: the files of one repository as one document.

The map:

    config      RepositoryConfig                imports     what a file imports, by its text
    sequence    the order of the files          resolving   which of the repository's files that is
    membership  which files are joined
"""

from shards.repositories.config import RepositoryConfig
from shards.repositories.imports import READ, imports_of
from shards.repositories.membership import memberships
from shards.repositories.resolving import resolve
from shards.repositories.sequence import import_order, tree_order

__all__ = ["READ", "RepositoryConfig", "import_order", "imports_of", "memberships", "resolve", "tree_order"]
