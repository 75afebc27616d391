"""Small programs that run inside other people's agents: standard library only."""
