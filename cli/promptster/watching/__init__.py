"""The checkpoints that this computer was shown, kept from session to session, and what they say about a log.

``kept`` is the folder and needs no network; ``asking`` has a collector prove that its log only grew.
"""
