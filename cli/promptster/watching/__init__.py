"""Checks that a collector's log only grows, with the checkpoints that were seen on this computer.

``kept`` stores the checkpoints and needs no network; ``asking`` has the collector prove that its log only grew.
"""
