"""One session's folder on disk, which the recorder and the commands both read and write."""
