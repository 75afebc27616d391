"""Assessments: what candidates are invited to, and the policy generated from its settings."""
