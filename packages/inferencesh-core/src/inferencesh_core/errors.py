"""Every error this SDK raises on its own account.

    InferenceError
    ├── APIError                       the server answered with a failure
    │   ├── RequirementsNotMetError    412: secrets, integrations or scopes are missing
    │   └── SessionError
    │       ├── SessionNotFoundError   404
    │       ├── SessionExpiredError    410: the idle limit passed
    │       ├── SessionEndedError      410: somebody ended it; also a RuntimeError
    │       └── WorkerLostError        500: the worker that held the session is gone
    ├── TransportError                 no answer; also a ConnectionError
    │   ├── ConnectError               nothing was sent
    │   │   └── CertificateError       the server is not who it should be; trying again cannot help
    │   ├── ResponseTooLongError       the answer is longer than a client takes; trying again cannot help
    │   └── ReadTimeoutError           the answer did not come in time; also a TimeoutError
    ├── StreamError                    a stream that cannot be read or followed
    ├── TaskError                      the task did not complete; also a RuntimeError
    │   ├── TaskFailedError
    │   ├── TaskCancelledError
    │   └── TaskTimeoutError           still running when the wait was over; also a TimeoutError
    ├── ConfigurationError             a setting is missing or wrong; also a ValueError
    ├── InputError                     what is to be run cannot be sent; also a TypeError and a ValueError
    ├── UploadError                    a file could not be sent or stored
    └── PluginError                    a plugin is broken or two of them collide

`RequirementError` and `SetupAction` are no exceptions but the records inside `RequirementsNotMetError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .requirements import RequirementError as RequirementError  # noqa: PLC0414 - re-exported
    from .requirements import SetupAction as SetupAction  # noqa: PLC0414
else:

    def __getattr__(name: str) -> Any:
        # The records are dataclasses, and importing those costs more modules than all of this file.
        if name in {"RequirementError", "SetupAction"}:
            from . import requirements  # noqa: PLC0415

            return getattr(requirements, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _restored(kind: type[InferenceError], args: tuple[Any, ...], state: dict[str, Any]) -> InferenceError:
    # The first `__new__` of the bases need not be that of the built-in type which lays out the object.
    layout = OSError if issubclass(kind, OSError) else Exception
    error = layout.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


def _told_once(attempts: tuple[str, ...]) -> list[str]:
    """Give each line once, with its number where there are several alike, in order of the first of each."""
    counts = {text: attempts.count(text) for text in attempts}
    return [text if count == 1 else f"{text} ({count} times)" for text, count in counts.items()]


class InferenceError(Exception):
    """Root of the errors of this SDK.

    Attributes:
        attempts: One line for each try that failed, newest first; empty when nothing was retried.
        index: Which of the parameters given to ``run_many`` it was, None elsewhere.
        final: Of a class: trying again cannot help, whatever the status of the response says.
    """

    final: ClassVar[bool] = False
    attempts: tuple[str, ...] = ()
    index: int | None = None

    def __str__(self) -> str:
        text = super().__str__()
        if not self.attempts:
            return text
        tried = f"tried {len(self.attempts)} times"
        told = _told_once(self.attempts)
        if len(told) == 1:
            return (
                f"{text} ({tried})" if self.attempts[0] == text else f"{text} ({tried}: {self.attempts[0]})"
            )
        return f"{text} ({tried}, newest first: {'; '.join(told)})"

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception is unpickled by calling its class with `args`, which is not how these are constructed.
        return _restored, (type(self), self.args, self.__dict__)


class APIError(InferenceError):
    """The server answered with a failure.

    Attributes:
        status_code: The HTTP status.
        message: What the server said, without the status.
        response_body: The body as text, None when there was none to read.
    """

    def __init__(self, status_code: int, message: str, response_body: str | None = None) -> None:
        super().__init__(f"HTTP {status_code}: {message}")
        self.status_code = status_code
        self.message = message
        self.response_body = response_body

    def __repr__(self) -> str:
        return f"{type(self).__name__}(status_code={self.status_code}, message={self.message!r})"


class RequirementsNotMetError(APIError):
    """The app lacks secrets, integrations or scopes; `errors` names each of them and how to add it.

    Its text is the first requirement's message, without the status.
    """

    def __init__(
        self,
        errors: list[RequirementError],
        status_code: int = 412,
        response_body: str | None = None,
    ) -> None:
        message = errors[0].message if errors else "requirements not met"
        super().__init__(status_code, message, response_body)
        self.args = (message,)
        self.errors = errors

    @classmethod
    def from_response(
        cls,
        data: dict[str, Any],
        status_code: int = 412,
        response_body: str | None = None,
    ) -> RequirementsNotMetError:
        """The error for a parsed body 412; entries that are not objects are left out."""
        from .requirements import RequirementError  # noqa: PLC0415 - dataclasses, see `__getattr__`

        found = [
            RequirementError.from_dict(item) for item in data.get("errors") or () if isinstance(item, dict)
        ]
        return cls(found, status_code, response_body)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(errors={self.errors!r})"


class SessionError(APIError):
    """A call inside a session failed because of the session."""


class _NamedSessionError(SessionError):
    _STATUS: ClassVar[int]
    _TEXT: ClassVar[str]

    def __init__(self, session_id: str, response_body: str | None = None) -> None:
        super().__init__(self._STATUS, f"{self._TEXT}: {session_id}", response_body)
        self.session_id = session_id

    def __repr__(self) -> str:
        return f"{type(self).__name__}(session_id={self.session_id!r})"


class SessionNotFoundError(_NamedSessionError):
    """There is no session of this id."""

    _STATUS = 404
    _TEXT = "Session not found"


class SessionExpiredError(_NamedSessionError):
    """The session was idle for longer than its timeout."""

    _STATUS = 410
    _TEXT = "Session expired"


class SessionEndedError(_NamedSessionError, RuntimeError):
    """The session was ended explicitly. Also a `RuntimeError`, which handles that had ended used to raise."""

    _STATUS = 410
    _TEXT = "Session ended"


class WorkerLostError(_NamedSessionError):
    """The worker that held the session, and its memory with it, is gone."""

    final = True
    _STATUS = 500
    _TEXT = "Worker lost for session"


class TransportError(InferenceError, ConnectionError):
    """No whole answer came: the connection failed, broke, or stayed silent.

    Attributes:
        sent: Whether any byte of the request may have reached the server, so that it may have acted.
    """

    def __init__(self, message: str, *, sent: bool = True, attempts: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.sent = sent
        self.attempts = attempts


class ConnectError(TransportError):
    """No connection came about (address, refusal, TLS, connect time-out); nothing was sent."""

    def __init__(self, message: str, *, attempts: tuple[str, ...] = ()) -> None:
        super().__init__(message, sent=False, attempts=attempts)


class CertificateError(ConnectError):
    """The server's certificate is not trusted, or no common way to encrypt was found."""

    final = True


class ResponseTooLongError(TransportError):
    """The answer is longer than `ClientConfig.max_response_bytes`."""

    final = True

    @classmethod
    def of(cls, line: str, limit: int) -> ResponseTooLongError:
        """Give the error of a call: ``GET https://…`` and the bytes that were allowed."""
        return cls(
            f"{line}: the answer is longer than {limit} bytes; raise max_response_bytes if that is right"
        )


class ReadTimeoutError(TransportError, TimeoutError):
    """The server had the request, or part of it, and did not answer in time."""


class StreamError(InferenceError):
    """A stream could not be read, or ended in a way that following cannot mend."""


class TaskError(InferenceError, RuntimeError):
    """A task that did not complete. Its text is `message`, else the task's own error text.

    Attributes:
        task: The task as last seen.
        task_id: Its id, None when the server never told it.
    """

    _TEXT: ClassVar[str] = "task did not complete"

    def __init__(self, task: Mapping[str, Any], message: str | None = None) -> None:
        super().__init__(message or task.get("error") or self._TEXT)
        self.task = dict(task)
        self.task_id: str | None = task.get("id")


class TaskFailedError(TaskError):
    """The app failed, could not be started, or refused its input."""

    _TEXT = "task failed"


class TaskCancelledError(TaskError):
    """Somebody cancelled the task."""

    _TEXT = "task cancelled"


class TaskTimeoutError(TaskError, TimeoutError):
    """The wait was over before the task was; the task goes on, unless it was to be cancelled on exit."""

    _TEXT = "task did not end in time"


class ConfigurationError(InferenceError, ValueError):
    """A setting is missing or cannot be used; the text quotes it as it was written."""


class InputError(InferenceError, TypeError, ValueError):
    """What a task is to be given cannot be sent; the text says where it stands and what is wrong with it."""


class UploadError(InferenceError):
    """A file could not be read, sent or stored; the text names it."""


class PluginError(InferenceError):
    """A plugin cannot be used, or two of them claim one name; the text names the distributions."""
