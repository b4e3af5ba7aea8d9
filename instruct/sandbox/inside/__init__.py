"""What runs inside the sandbox: only the standard library, and nothing that a parent process trusts.

A sandbox starts in the time that these modules need to be imported, so they import little; types come from
``typing`` for checkers only.

``plain.py`` values as bytes; ``frames.py`` bytes over a socket; ``server.py`` pid 1, forks one child per job;
``candidate.py`` a program whose functions are called; ``judge.py`` its tests; ``script.py`` a whole program.
"""
