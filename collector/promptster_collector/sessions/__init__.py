"""Sessions: their states, what is known about each, and how they end."""
