"""What is open to everyone: health, public keys, and the page behind an invite's link."""
