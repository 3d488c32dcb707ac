"""App framework of inference.sh: BaseApp, typed inputs and outputs, the worker process."""
