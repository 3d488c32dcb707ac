"""The app `inferencesh/scripted`: stands in for a language model, by a script or by plain rules."""
