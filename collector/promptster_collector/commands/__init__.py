"""The collector's commands: one file each."""
