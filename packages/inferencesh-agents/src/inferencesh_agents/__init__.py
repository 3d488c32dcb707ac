"""Agents of the inference.sh SDK."""
