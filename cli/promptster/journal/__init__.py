"""Recording: one writer gives each event its place, and an append-only encrypted journal keeps it.

``files`` is the one place that touches the disk, ``journal`` the format and its recovery, ``recorder`` the writer.
Nothing here knows what an agent or a collector is.
"""
