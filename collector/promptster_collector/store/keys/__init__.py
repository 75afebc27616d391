"""The key store: every key wrapped by the master key, in a database and folder of its own.

Erasure is one transaction here. Nothing else that the collector keeps can be read without these keys.
"""
