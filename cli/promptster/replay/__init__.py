"""Replay: from verified events to a story that people and programs can read. No input or output of its own.

Start at ``session``: ``from_opened`` and ``from_bundle`` make a ``Replay``; ``exporters.find(name)`` turns it into a
file, ``narration.narrate`` puts one entry into words.
"""
