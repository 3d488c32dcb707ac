"""The inference.sh Python SDK: client, app framework and local engine in one install."""
