"""The collector's data: the control database with its inbox, sealed segments, the key store, tombstones.

What is special to one database product (pragmas, how a transaction begins) is in this package only.
"""
