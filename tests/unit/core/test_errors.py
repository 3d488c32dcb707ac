import pickle
import subprocess
import sys

import pytest

from inferencesh_core import errors
from inferencesh_core.errors import (
    APIError,
    CertificateError,
    ConfigurationError,
    ConnectError,
    InferenceError,
    InputError,
    PluginError,
    ReadTimeoutError,
    RequirementError,
    RequirementsNotMetError,
    ResponseTooLongError,
    SessionEndedError,
    SessionError,
    SessionExpiredError,
    SessionNotFoundError,
    SetupAction,
    StreamError,
    TaskCancelledError,
    TaskError,
    TaskFailedError,
    TaskTimeoutError,
    TransportError,
    UploadError,
    WorkerLostError,
)

BODY_412 = {
    "errors": [
        {"type": "secret", "key": "K", "message": "secret K is not set", "action": {"type": "add_secret"}},
        {
            "type": "integration",
            "key": "gcp.vertex_ai",
            "message": "connect Google Cloud",
            "action": {
                "type": "connect",
                "provider": "gcp",
                "scopes": ["cloud-platform"],
                "provider_name": "Google Cloud",
                "scope_descriptions": {"cloud-platform": "call Vertex AI"},
            },
        },
    ]
}
ONE_OF_EACH = [
    InferenceError("root"),
    APIError(404, "nope", "body"),
    RequirementsNotMetError.from_response(BODY_412),
    SessionError(409, "leased"),
    SessionNotFoundError("s1", "body"),
    SessionExpiredError("s1"),
    SessionEndedError("s1"),
    WorkerLostError("s1"),
    TransportError("reset", sent=True, attempts=("reset", "refused")),
    ConnectError("refused"),
    CertificateError("self-signed"),
    ReadTimeoutError("silent"),
    StreamError("garbage"),
    TaskError({"id": "t1"}),
    TaskFailedError({"id": "t1", "error": "bad"}),
    TaskCancelledError({"id": "t1"}),
    TaskTimeoutError({"id": "t1", "status": 7}, "still running after 5 s"),
    ConfigurationError("INFERENCE_BASE_URL is empty"),
    UploadError("a.png is gone"),
    PluginError("two of one name"),
    InputError("input.x is nan"),
    ResponseTooLongError.of("GET https://a.test/tasks/t1", 100),
]


@pytest.mark.parametrize("error", ONE_OF_EACH, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling_whole(error):
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (str(copy), copy.args, vars(copy)) == (str(error), error.args, vars(error))


def test_the_tree_in_the_docstring_names_every_error():
    here = [value for value in vars(errors).values() if isinstance(value, type) and value.__name__[0] != "_"]
    names = {value.__name__ for value in here if issubclass(value, InferenceError)}
    assert names == {type(error).__name__ for error in ONE_OF_EACH}
    assert names <= set(errors.__doc__.split())


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (TransportError("x"), ConnectionError),
        (ReadTimeoutError("x"), TimeoutError),
        (TaskFailedError({}), RuntimeError),
        (TaskTimeoutError({}), TimeoutError),
        (TaskTimeoutError({}), RuntimeError),
        (ConfigurationError("x"), ValueError),
        (InputError("x"), TypeError),
        (InputError("x"), ValueError),
        (RequirementsNotMetError([]), APIError),
        (WorkerLostError("s1"), SessionError),
    ],
)
def test_old_code_catches_it_by_the_type_it_knows(error, builtin):
    with pytest.raises(builtin):
        raise error


@pytest.mark.parametrize(
    ("error", "text", "status"),
    [
        (APIError(404, "nope"), "HTTP 404: nope", 404),
        (SessionNotFoundError("s1"), "HTTP 404: Session not found: s1", 404),
        (SessionExpiredError("s1"), "HTTP 410: Session expired: s1", 410),
        (SessionEndedError("s1"), "HTTP 410: Session ended: s1", 410),
        (WorkerLostError("s1"), "HTTP 500: Worker lost for session: s1", 500),
        (RequirementsNotMetError([]), "requirements not met", 412),
        (RequirementsNotMetError.from_response(BODY_412), "secret K is not set", 412),
    ],
)
def test_api_errors_read_as_in_the_published_package(error, text, status):
    assert str(error) == text
    assert error.status_code == status
    assert error.response_body is None


def test_reprs_read_as_in_the_published_package():
    assert repr(APIError(404, "nope")) == "APIError(status_code=404, message='nope')"
    assert repr(SessionEndedError("s1")) == "SessionEndedError(session_id='s1')"
    assert repr(RequirementsNotMetError([])) == "RequirementsNotMetError(errors=[])"


def test_requirements_keep_every_detail_of_the_action():
    secret, integration = RequirementsNotMetError.from_response(BODY_412).errors
    assert secret == RequirementError("secret", "K", "secret K is not set", SetupAction("add_secret"))
    assert integration.action.provider_name == "Google Cloud"
    assert integration.action.scope_descriptions == {"cloud-platform": "call Vertex AI"}
    assert integration.action.scopes == ["cloud-platform"]


@pytest.mark.parametrize("body", [{}, {"errors": None}, {"errors": []}, {"errors": ["noise"]}])
def test_a_412_without_usable_requirements_still_makes_an_error(body):
    assert RequirementsNotMetError.from_response(body).errors == []


def test_a_requirement_without_texts_has_empty_ones():
    assert RequirementError.from_dict({}) == RequirementError("", "", "", None)


def test_a_failed_task_speaks_with_its_own_error_text():
    error = TaskFailedError({"id": "t1", "status": 11, "error": "CUDA out of memory"})
    assert str(error) == "CUDA out of memory"
    assert error.task_id == "t1"
    assert error.task["status"] == 11


def test_a_task_without_error_text_gets_one():
    assert str(TaskFailedError({"id": "t1", "error": None})) == "task failed"
    assert str(TaskCancelledError({})) == "task cancelled"
    assert TaskCancelledError({}).task_id is None


def test_what_was_tried_is_shown_newest_first():
    error = TransportError("gave up on GET /tasks/t1", attempts=("connection reset", "connection refused"))
    assert str(error) == (
        "gave up on GET /tasks/t1 (tried 2 times, newest first: connection reset; connection refused)"
    )


def test_tries_that_failed_alike_are_told_once_with_their_number():
    mixed = TransportError("gave up", attempts=("reset", "refused", "reset", "refused", "reset"))
    assert str(mixed) == "gave up (tried 5 times, newest first: reset (3 times); refused (2 times))"
    assert str(TransportError("gave up", attempts=("reset",) * 3)) == "gave up (tried 3 times: reset)"
    assert str(ConnectError("refused", attempts=("refused",) * 5)) == "refused (tried 5 times)"


def test_only_a_failed_connect_is_sure_that_nothing_was_sent():
    assert (ConnectError("x").sent, TransportError("x").sent, ReadTimeoutError("x").sent) == (
        False,
        True,
        True,
    )


def test_an_unknown_name_of_the_module_is_an_attribute_error():
    with pytest.raises(AttributeError, match="NoSuchError"):
        _ = errors.NoSuchError


def test_importing_the_errors_does_not_import_dataclasses():
    code = "import sys, inferencesh_core.errors; sys.exit('dataclasses' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
