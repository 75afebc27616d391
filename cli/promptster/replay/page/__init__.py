"""The replay as one page: markup in Python, style and behaviour in files of their own, all in one file."""
