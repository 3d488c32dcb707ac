"""What this SDK is tested with, for those who build on it.

`world` runs flows, or a whole client, against scripted answers and a clock that jumps; `contract` holds any
transport to what flows rely on; `loopback` is the misbehaving server it does so with.
"""
