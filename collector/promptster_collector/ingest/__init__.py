"""Ingest: batches are taken durably and receipted; behind that they are logged and checked."""
