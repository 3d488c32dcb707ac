"""Agents: chats, their turns, and the tools these run."""
