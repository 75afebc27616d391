"""The loopback proxy between agents and providers: it forwards bytes unchanged, and then reports a bounded copy.

From the bottom up: ``grammar``, ``header_fields``, ``http1``, ``framing``, ``decoding`` and ``sse`` are sans-io;
``observation`` holds the messages for observers and ``observation_queue`` delivers them; ``provider_connections`` and
``agent_connection`` are the two sides of an ``exchange``; ``reverse_proxy`` owns the sockets.
"""
