"""Client core of the inference.sh SDK: tasks, files, transports, plugins."""
