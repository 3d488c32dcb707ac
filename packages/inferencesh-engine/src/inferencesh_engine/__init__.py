"""The inference.sh HTTP API on your own machine, running the same apps."""
