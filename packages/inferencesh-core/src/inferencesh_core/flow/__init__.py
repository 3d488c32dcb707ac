"""Sans-I/O operations: what they may ask (effects), who performs it (drivers), how users hold it (faces)."""
