"""The shared wire: what candidate, collector and verifier exchange, as pure functions over bytes.

Nothing here opens a file or a socket, reads a clock or draws random bytes of its own: times and a source of random
bytes are arguments. ``docs/protocol.md`` is the norm that this package follows. Import from the submodules.
"""
