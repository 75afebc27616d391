"""The agents that can be recorded: one folder each, found through the registry."""
