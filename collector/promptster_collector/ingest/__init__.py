"""Ingest: batches are stored durably and receipted, then logged and checked in the background."""
