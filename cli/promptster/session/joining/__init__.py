"""From an invite link to a running recorder."""
