"""What needs no credential: health, public keys, and the page that an invite's link opens."""
