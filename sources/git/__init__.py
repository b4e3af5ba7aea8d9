"""Git: the files of one commit, out of the object store.

source      GitSource, GitUnit: repositories by path or URL
program     the git program, sandboxed: no configuration, hooks, network or time without limits
blobs       contents of a commit, through git cat-file
"""
