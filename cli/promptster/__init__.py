"""Promptster: the candidate's, the recruiter's and the reviewer's program.

Importing this package imports nothing else; the version is read from the installed distribution on demand.
"""
