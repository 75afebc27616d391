"""Files, git and processes of this computer, handled so that other people's files cannot mislead us."""
