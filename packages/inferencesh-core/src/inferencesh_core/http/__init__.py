"""HTTP without I/O: lines, bodies, problems; and the transports at the rim."""
