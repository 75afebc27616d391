"""Delivery: from durable events to signed, sealed batches, and from batches to receipts.

``outbox`` knows the files, ``sealer`` makes batches, ``uploader`` sends them, ``receipts`` says which answers are
believed.
"""
