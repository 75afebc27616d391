"""Turns observed API traffic and hook payloads into drafts of events.

These modules know the wire formats of providers and, through the readers they are given, the conventions of agents.
They open no socket and write no file: the proxy passes in observed exchanges, the hook intake passes in payloads, and
every draft leaves through one ``append`` function.
"""
