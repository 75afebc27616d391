"""Reads the API traffic that the proxy observes."""
