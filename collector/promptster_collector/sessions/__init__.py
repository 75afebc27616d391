"""Sessions: their states, the list of them, and how they end."""
