"""The shared wire: documents, events, batches, receipts, the log, the bundle and its verification.

Nothing here opens a socket or a file, reads a clock or draws a random number: what is needed comes in as an argument.
"""
