"""The public suites notice what they are there for: each flaw fails the test that is about it."""

import pytest

from inferencesh_core.errors import ConnectError, TransportError
from inferencesh_core.http.messages import Response
from inferencesh_core.http.urllib3_transport import Urllib3Transport
from inferencesh_core.testing.contract import TransportContract


class Flawless(Urllib3Transport):
    pass


class TakesHalfForWhole(Urllib3Transport):
    def send(self, request):
        try:
            return super().send(request)
        except TransportError:
            return Response(200, {}, b"")


class FollowsRedirects(Urllib3Transport):
    def send(self, request):
        response = super().send(request)
        if response.status == 307:
            return super().send(request.to(request.url + response.headers["location"]))
        return response


class HasNoDeadline(Urllib3Transport):
    def send(self, request):
        request.read_timeout += 0.4
        return super().send(request)


class BlamesTheConnection(Urllib3Transport):
    def send(self, request):
        try:
            return super().send(request)
        except TransportError as error:
            raise ConnectError(str(error)) from error


class SendsCookies(Urllib3Transport):
    def send(self, request):
        return super().send(request.with_headers({"Cookie": "a=b"}))


def suite_of(transport):
    class Suite(TransportContract):
        def make_transport(self, config):
            return transport(config)

    return Suite()


FLAWS = {
    TakesHalfForWhole: "test_a_body_shorter_than_promised_is_no_answer",
    FollowsRedirects: "test_redirects_are_handed_back",
    HasNoDeadline: "test_a_silent_server_is_given_up_in_time",
    BlamesTheConnection: "test_a_connection_that_breaks_before_the_answer_may_have_been_heard",
}


@pytest.mark.parametrize(("transport", "test"), FLAWS.items())
def test_the_suite_fails_a_transport_with_a_flaw_and_passes_one_without(transport, test):
    getattr(suite_of(Flawless), test)()
    with pytest.raises(AssertionError):
        getattr(suite_of(transport), test)()


def test_the_suite_fails_a_transport_that_sends_cookies(tmp_path, monkeypatch):
    with pytest.raises(AssertionError):
        suite_of(SendsCookies).test_no_credentials_or_cookies_are_added(tmp_path, monkeypatch)


def test_a_suite_that_makes_no_transport_says_so():
    with pytest.raises(NotImplementedError, match="how its transport is made"):
        TransportContract().test_every_status_is_a_response()
