"""One session's folder on disk: what the recorder and the commands both read and write."""
