"""Trees: directories of files.

source      TreeSource
ignored     the patterns of .gitignore files
"""
