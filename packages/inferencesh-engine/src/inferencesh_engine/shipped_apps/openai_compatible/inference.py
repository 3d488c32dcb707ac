"""The app: a conversation in, a model's answer out, streamed."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import openai

from inferencesh_app import BaseApp
from inferencesh_app.llm import timing_context

from .answer import Answer
from .keys import DEFAULT_BASE_URL, key_for
from .models import AppInput, AppOutput, AppSetup  # noqa: TC001  # the runtime reads annotations
from .request import request_of

# Each output is the whole answer so far, so not every token is worth one.
_OUTPUT_SECONDS = 0.05
_MAX_TOLD_CHARS = 500


class App(BaseApp):
    """A language model behind an API like OpenAI's."""

    async def setup(self, config: AppSetup) -> None:
        """Connect to the server, with the key that belongs to it."""
        self.config = config
        self.base_url = config.base_url or os.environ.get("OPENAI_BASE_URL") or DEFAULT_BASE_URL
        self.key = key_for(self.base_url, os.environ)
        self.client = openai.AsyncOpenAI(
            # The library insists on one; servers without keys do not look.
            api_key=self.key or "none",
            base_url=self.base_url,
            max_retries=config.max_retries,
            timeout=config.timeout_seconds,
            # A server that sends us elsewhere is not the one that was chosen.
            http_client=openai.DefaultAsyncHttpxClient(follow_redirects=False),
        )

    async def run(self, app_input: AppInput) -> AsyncGenerator[AppOutput, None]:
        """Stream the answer; each output is the whole of it so far."""
        request = request_of(app_input, self.config.model, self.config.extra_body)
        shown = 0.0
        with timing_context(time.monotonic) as timing:
            answer = Answer(timing)
            async with aclosing(self._chunks(request)) as chunks:
                async for chunk in chunks:
                    answer.add(chunk)
                    if time.monotonic() - shown >= _OUTPUT_SECONDS:
                        yield answer.output
                        shown = time.monotonic()
        if not answer.is_complete:
            raise RuntimeError(self._told("its stream ended before its answer did"))
        yield answer.whole()

    async def unload(self) -> None:
        """Close the connections."""
        await self.client.close()

    async def _chunks(self, request: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """The chunks of the answer; whatever goes wrong below is one line, without the key."""
        try:
            stream = await self.client.chat.completions.create(**request)
            try:
                async for chunk in stream:
                    yield chunk.model_dump()
            finally:
                await stream.close()
        except Exception as error:  # noqa: BLE001  # the HTTP library's errors have no common base
            raise RuntimeError(self._told(_reason(error))) from None

    def _told(self, what: str) -> str:
        told = " ".join(f"model {self.config.model} at {self.base_url}: {what}".split())
        return (told.replace(self.key, "***") if self.key else told)[:_MAX_TOLD_CHARS]


def _reason(error: Exception) -> str:
    if isinstance(error, openai.APITimeoutError):
        return "it did not answer in time (timeout_seconds of the setup)"
    if isinstance(error, openai.APIConnectionError):
        return (
            f"it cannot be reached ({error.__cause__ or error}); is the server running, and base_url right?"
        )
    if isinstance(error, openai.APIStatusError):
        return f"it answered {error.status_code}: {_message(error)}"
    return f"{type(error).__name__}: {error}"


def _message(error: openai.APIStatusError) -> str:
    body = error.body
    said = body.get("message") if isinstance(body, dict) else None
    return str(said or error.message)
