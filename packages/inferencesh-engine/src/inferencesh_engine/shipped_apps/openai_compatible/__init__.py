"""The app `inferencesh/openai-compatible`: any model behind an API like OpenAI's."""
