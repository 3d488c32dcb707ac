"""Pure rules and records of the engine: no I/O, no clock, no event loop."""
