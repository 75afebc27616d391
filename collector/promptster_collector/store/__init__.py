"""Everything the collector keeps: control database with its inbox, sealed segments, key store, tombstones.

What is special to one database product (pragmas, how a transaction begins) stands in this package and nowhere else.
"""
