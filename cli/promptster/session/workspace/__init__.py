"""The folder in which the candidate works: preparing it, and reading what it holds."""
