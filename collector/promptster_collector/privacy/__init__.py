"""Withdrawal, erasure, the end of retention, and the storage map."""
