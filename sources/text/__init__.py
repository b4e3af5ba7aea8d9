"""Text: bytes to characters.

decode      UTF-8, UTF-16, UTF-32, legacy encodings; what was lost
notebooks   Jupyter notebooks as code
"""
