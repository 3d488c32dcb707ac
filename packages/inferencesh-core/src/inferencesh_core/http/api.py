"""The API at its base URL: logical calls, signed, tried as often as it takes, their answers understood."""

from __future__ import annotations

import os
import random
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, Union
from urllib.parse import urljoin

from ..errors import APIError, ConnectError, InferenceError, ReadTimeoutError, TransportError
from ..flow.effects import OpenedStream, call_apart, close_stream, now, open_stream, read, send
from ..json_codec import dumps, loads
from ..plugins.specs import AttemptInfo, CallInfo
from .bodies import is_refusal, unwrap
from .messages import Request, Response, origin_of
from .retry import RETRIED_STATUSES, SAFE_METHODS, RetryBudget
from .tries import Tries, problem_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from ..config import ClientConfig
    from ..flow.effects import Flow
    from ..plugins.hooks import Hooks
    from .messages import Body
    from .problems import Problem
    from .seat import Seat

Answer: TypeAlias = Union["Response", "OpenedStream"]

ANNOUNCEMENT = "accept-idempotency-key"
"""The response header by which a server says that it honours ``Idempotency-Key``."""

_MAX_REDIRECTS = 5
_MAX_ERROR_BYTES = 1024 * 1024
_BODY_KEPT = frozenset({307, 308})
_REDIRECTS = frozenset({301, 302, 303}) | _BODY_KEPT


class Api:
    """Makes logical calls.

    Args:
        config: Limits and times.
        hooks: Who watches calls and names errors.
        seat: Where the API is, and what signs requests there.
        luck: Gives random numbers from 0 to 1; another source makes pauses predictable.
    """

    def __init__(
        self,
        config: ClientConfig,
        hooks: Hooks,
        seat: Seat,
        *,
        luck: Callable[[], float] = random.random,
    ) -> None:
        self._config = config
        self._hooks = hooks
        self._seat = seat
        self.luck = luck
        self._budget = RetryBudget()
        self._honours_keys: bool | None = None
        self._headers = {"Accept": "application/json", "User-Agent": config.user_agent, "X-API-Version": "2"}

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        creates: bool = False,
        repeatable: bool = False,
        seconds: float | None = None,
    ) -> Flow[Any]:
        """Make a call and give the resource it answers with, ``None`` for an empty answer.

        Args:
            method: The HTTP method.
            path: The route, from its leading slash.
            body: What goes out as JSON; ``None`` sends no body.
            creates: The call makes something new, so all its tries carry one idempotency key.
            repeatable: Doing it twice is the same as doing it once, whatever the method says.
            seconds: The time for all tries together, where it is less than the configured deadline.

        Raises:
            APIError: the server refused, or its answer is no JSON.
            TransportError: there was no answer.
        """
        headers = dict(self._headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
        if creates:
            headers["Idempotency-Key"] = os.urandom(16).hex()
        request = self._request(method, path, headers, None if body is None else dumps(body))
        safe = repeatable or method in SAFE_METHODS
        may_repeat = self._keys_are_honoured if creates else partial(_constantly, safe)
        limit = self._config.deadline if seconds is None else min(seconds, self._config.deadline)
        response = yield from self._answered(request, path, self._from_origin, may_repeat, limit)
        return self._resource(request, response)

    def put(
        self, url: str, headers: Mapping[str, str], body: Body, seconds: float | None = None
    ) -> Flow[None]:
        """Store a body at an address the server gave, without credentials.

        Args:
            url: The address.
            headers: What goes out besides the usual.
            body: What is stored.
            seconds: The time for all tries together, ``None`` for as long as it takes.

        Raises:
            APIError: the store refused.
            TransportError: there was no answer.
        """
        config = self._config
        request = Request(
            "PUT",
            url,
            {"User-Agent": config.user_agent, **headers},
            body,
            connect_timeout=config.connect_timeout,
            read_timeout=config.deadline,
        )
        yield from self._answered(
            request, url.partition("?")[0], self._sent, partial(_constantly, True), seconds
        )

    def open(self, path: str, headers: Mapping[str, str], seconds: float | None = None) -> Flow[OpenedStream]:
        """Open a stream: one try, its status checked before a line is read.

        Args:
            path: The route, from its leading slash.
            headers: What goes out besides the usual.
            seconds: How long its header may take, where it is less than the configured time.

        Raises:
            APIError: the server refused.
            TransportError: there was no answer.
        """
        request = self._request(
            "GET", path, {**self._headers, "Accept-Encoding": "identity", **headers}, None
        )
        info = CallInfo("GET", path)
        with self._hooks.watch_call(info), self._hooks.watch_attempt(AttemptInfo(info, 1)):
            answer = yield from self._redirected(request.within(seconds), _opened_or_refused)
            if isinstance(answer, Response):
                raise self._hooks.error(self._problem(answer), request)
            return answer

    def _answered(
        self,
        request: Request,
        path: str,
        exchange: Callable[[Request], Flow[Response]],
        may_repeat: Callable[[float | None], Flow[bool]],
        seconds: float | None,
    ) -> Flow[Response]:
        info = CallInfo(request.method, path)
        watch, is_final = partial(self._watch_attempt, info), partial(self._is_final, request)
        tries = Tries(self._config, self._budget, self.luck, watch, may_repeat, is_final)
        with self._hooks.watch_call(info):
            response = yield from tries.answer(request, exchange, seconds)
            if response.status >= 300:
                raise self._error(request, response, tries.failures)
            return response

    def _watch_attempt(self, info: CallInfo, number: int) -> Any:
        return self._hooks.watch_attempt(AttemptInfo(info, number))

    def _is_final(self, request: Request, response: Response) -> bool:
        error = self._hooks.error(self._problem(response), request)
        return isinstance(error, InferenceError) and error.final

    def _problem(self, response: Response) -> Problem:
        """Read a failing response; some servers repeat the key that they refuse."""
        return problem_of(response.masked(self._config.api_key))

    def _error(self, request: Request, response: Response, failures: list[str]) -> Exception:
        problem = self._problem(response)
        error = self._hooks.error(problem, request)
        if problem.retry_after is not None:
            error.args = (f"{error.args[0] if error.args else ''} (try again in {problem.retry_after:g} s)",)
        if isinstance(error, InferenceError) and len(failures) > 1:
            error.attempts = tuple(reversed(failures))
        return error

    def _request(self, method: str, path: str, headers: Mapping[str, str], body: Body) -> Request:
        return Request(
            method,
            self._seat.base_url + path,
            headers,
            body,
            connect_timeout=self._config.connect_timeout,
            read_timeout=self._config.read_timeout,
        )

    def _resource(self, request: Request, response: Response) -> Any:
        if not response.body:
            return None
        try:
            body = loads(response.body)
        except (ValueError, RecursionError) as error:
            text = response.masked(self._config.api_key).body.decode(errors="replace")
            raise APIError(
                response.status,
                f"the answer is not JSON but {text[:80]!r}: is {self._seat.base_url} the API's address?",
                text,
            ) from error
        if is_refusal(body):
            raise self._error(request, response, [])
        return unwrap(body)

    def _from_origin(self, request: Request) -> Flow[Response]:
        return self._redirected(request, send)  # type: ignore[return-value]  # `send` opens no stream

    def _redirected(self, request: Request, exchange: Callable[[Request], Flow[Any]]) -> Flow[Answer]:
        # One try has one read time-out, however many steps it takes.
        end = (yield from now()) + request.read_timeout
        request = self._here(request)
        redirects = 0
        while True:
            try:
                answer = yield from self._signed(request, exchange, end)
            except ConnectError as error:
                left = yield from _time_until(end, request)
                request = (yield from self._moved(request, error, left)).within(
                    (yield from _time_until(end, request))
                )
                continue
            if answer.status not in _REDIRECTS or "location" not in answer.headers:
                return answer
            redirects += 1
            if redirects > _MAX_REDIRECTS:
                raise APIError(answer.status, f"{request!r}: more than {_MAX_REDIRECTS} redirects")
            request = self._redirect(request, answer).within((yield from _time_until(end, request)))

    def _redirect(self, request: Request, answer: Answer) -> Request:
        url = urljoin(request.url, answer.headers["location"])
        if not _is_within(url, self._seat.origin):
            raise APIError(
                answer.status,
                f"the server redirects to {url.partition('?')[0]!r}, and credentials do not follow to "
                "another origin; set base_url to that address if you trust it",
            )
        if request.method != "GET" and answer.status not in _BODY_KEPT:
            raise APIError(answer.status, f"the server redirects {request!r} in a way that loses its body")
        return request.to(url)

    def _sent(self, request: Request) -> Flow[Response]:
        """Send a request that is not signed, to where the API is now."""
        request = self._here(request)
        try:
            return (yield from send(request))
        except ConnectError as error:
            moved = yield from self._moved(request, error, request.read_timeout)
        return (yield from send(moved))

    def _here(self, request: Request) -> Request:
        url = self._seat.here(request.url)
        return request if url == request.url else request.to(url)

    def _moved(self, request: Request, error: ConnectError, seconds: float) -> Flow[Request]:
        """Give the request for where the API has moved; raises the error where it has not."""
        if not self._seat.may_move:
            raise error
        try:
            url = yield from call_apart(self._seat.moved, request.url, timeout=seconds)
        except (InferenceError, OSError) as reason:
            raise error from reason
        if url is None:
            raise error
        return request.to(url)

    def _signed(self, request: Request, exchange: Callable[[Request], Flow[Any]], end: float) -> Flow[Answer]:
        signing: Generator[Request, Any, None] = (
            self._seat.auth.sign(request) if self._seat.auth else _unsigned(request)
        )
        outgoing = next(signing)
        while True:
            # What a signer asks on its way, a token for example, goes elsewhere and is read whole.
            answer = yield from (exchange if outgoing.url == request.url else send)(outgoing)
            if ANNOUNCEMENT in answer.headers:
                self._honours_keys = True
            try:
                outgoing = signing.send(answer)
            except StopIteration:
                return answer
            outgoing = outgoing.within((yield from _time_until(end, request)))

    def _keys_are_honoured(self, seconds: float | None) -> Flow[bool]:
        """Tell whether a keyed request can be repeated; a server that never said is asked at ``/health``."""
        if self._honours_keys is None:
            question = self._request("GET", "/health", self._headers, None)
            try:
                answer = yield from self._sent(question.within(seconds))
            except TransportError:
                return False
            if answer.status in RETRIED_STATUSES:
                # A proxy in front of a server that is down; what the server honours is still unknown.
                return False
            self._honours_keys = ANNOUNCEMENT in answer.headers
        return self._honours_keys


def _time_until(end: float, request: Request) -> Flow[float]:
    left = end - (yield from now())
    if left <= 0:
        raise ReadTimeoutError(f"{request!r}: no answer in time")
    return left


def _is_within(url: str, origin: str) -> bool:
    return "://" in url and origin_of(url) == origin


def _unsigned(request: Request) -> Generator[Request, Any, None]:
    yield request


def _constantly(value: bool, _seconds: float | None) -> Flow[bool]:
    yield from ()
    return value


def _opened_or_refused(request: Request) -> Flow[Answer]:
    """Open a stream; a refusal is read whole, to be understood like any other."""
    stream = yield from open_stream(request)
    if stream.status < 300:
        return stream
    body = b""
    end = (yield from now()) + request.read_timeout
    while len(body) < _MAX_ERROR_BYTES and (left := end - (yield from now())) > 0:
        chunk = yield from read(stream, left)
        if not chunk:
            break
        body += chunk
    yield from close_stream(stream)
    return Response(stream.status, stream.headers, body)
