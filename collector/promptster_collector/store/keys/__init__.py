"""The key store: every key, wrapped by the master key, in its own database and folder.

Erasure is one transaction here: without these keys nothing that the collector stores can be read.
"""
