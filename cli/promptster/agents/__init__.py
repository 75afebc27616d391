"""The agents that can be recorded: one folder for each, found through the registry."""
