"""One assessment session on the candidate's machine: its folder, its consent, its recorder and its workspace."""
