"""The Litestar service that receives, checks, seals and serves recorded sessions."""
