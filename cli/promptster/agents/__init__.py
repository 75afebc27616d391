"""The agents that can be recorded: a folder for each, found through the registry."""
