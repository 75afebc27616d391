"""What the agents' hooks report."""
