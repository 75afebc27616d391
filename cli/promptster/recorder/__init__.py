"""The background program: it listens, captures, keeps the journal and delivers it."""
