"""The worker process: one app, loaded and set up once, called any number of times over a pipe."""
