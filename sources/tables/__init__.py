"""Tables: rows that hold files.

parquet     row groups                  jsonl       lines of JSON, plain or compressed
folded      one row per repository      rows        rows as documents
headers     which column is which       cells       values as a document's types
lines       bounded lines of a stream
"""
