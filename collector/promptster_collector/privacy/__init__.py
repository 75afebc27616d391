"""Withdrawal, erasure, the end of retention, and what is stored where."""
