"""What this package adds to inferencesh: ``client.agents`` and ``client.agent``."""
