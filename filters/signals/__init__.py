"""Signals: what a file's text is like, one module per family of facts; `filters` exports the public names."""
