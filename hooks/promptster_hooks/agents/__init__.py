"""One file per agent: which hook events are asked for, and how; launcher and IDE files are made from these."""
