"""The replay as one page: markup in Python, style and behaviour beside it, all of it inside the file that comes out."""
