"""The journal: one writer numbers the events, and an append-only encrypted file format keeps them.

``disk`` is the only module that touches the disk, ``reading`` holds the format, ``journal`` appends and recovers, and
``writer`` is the one writer. Nothing here depends on agents or collectors.
"""
