"""The loopback proxy between an agent and its provider: bytes first and unchanged, a bounded copy for observers behind.

``http1`` and ``framing`` are sans-io; ``reverse_proxy`` is the shell that owns the sockets.
"""
