"""What the proxied API traffic says."""
