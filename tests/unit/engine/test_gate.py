"""The gate refuses what a page in the user's browser, or a stranger, could send."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from multidict import CIMultiDict

from inferencesh_engine.api.gate import Gate
from inferencesh_engine.api.routes import Route
from inferencesh_engine.domain.problems import Problem

TOKEN = "inf_secret"
GATE = Gate(
    TOKEN,
    Path("apps/.inferencesh/token"),
    hosts=("box.lan", "proxy:8443"),
    origins=("http://localhost:3000",),
    max_body_bytes=100,
)
CLOSED_GATE = Gate(TOKEN, Path("token"), hosts=(), origins=(), max_body_bytes=100)
ROUTE = Route("POST", "/x", None, "")
OPEN = Route("GET", "/health", None, "", open=True)
RAW = Route("PUT", "/blobs", None, "", open=True, raw_body=True)


@dataclass
class Request:
    """The little of an aiohttp request that the gate reads."""

    method: str = "GET"
    headers: CIMultiDict = field(default_factory=CIMultiDict)
    content_length: int | None = None

    @property
    def body_exists(self):
        return bool(self.content_length)


def request(method="GET", length=None, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
    usual = {"Host": "127.0.0.1:8000", "Authorization": f"Bearer {TOKEN}"}
    return Request(method, CIMultiDict({**usual, **named}), length)


def refusal(asked, route=ROUTE, gate=GATE):
    with pytest.raises(Problem) as caught:
        gate.check(asked, route)
    return caught.value


@pytest.mark.parametrize(
    "host", ["127.0.0.1:1", "localhost", "LOCALHOST:80", "[::1]:80", "[::1]", "box.lan:9", "proxy:8443"]
)
def test_names_of_this_machine_are_answered(host):
    GATE.check(request(Host=host), ROUTE)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "proxy:1", "[::2]"]
)
@pytest.mark.parametrize("route", [ROUTE, OPEN, None], ids=["route", "open", "nowhere"])
def test_other_names_are_misdirected(host, route):
    assert refusal(request(Host=host), route).status == 421


@pytest.mark.parametrize(
    "origin", ["http://127.0.0.1:8000", "https://127.0.0.1:8000", "http://localhost:3000"]
)
def test_our_own_pages_and_the_allowed_ones_may_call(origin):
    GATE.check(request(Origin=origin, Sec_Fetch_Site="cross-site"), ROUTE)


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://127.0.0.1:9000", "http://localhost:8000", "file://", "http://["],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_pages_of_other_origins_may_not(origin, method):
    assert refusal(request(method, Origin=origin), OPEN).status == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
def test_requests_that_another_site_made_a_browser_send_are_refused(site):
    assert refusal(request(Sec_Fetch_Site=site)).status == 403
    assert refusal(request(Sec_Fetch_Site=site), OPEN, CLOSED_GATE).status == 403


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_what_the_user_does_in_a_browser_is_no_foreign_request(site):
    GATE.check(request(Sec_Fetch_Site=site), ROUTE)


def test_an_allowed_page_may_show_signed_files_though_browsers_do_not_say_who_asks():
    GATE.check(request(Sec_Fetch_Site="cross-site", Authorization=""), OPEN)


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer \udcff"]
)
@pytest.mark.parametrize("route", [ROUTE, None], ids=["route", "nowhere"])
def test_without_the_token_nothing_is_answered_and_the_refusal_says_where_it_is(authorization, route):
    problem = refusal(request(Authorization=authorization), route)
    assert problem.status == 401
    assert "apps/.inferencesh/token" in problem.detail
    assert TOKEN not in problem.detail


def test_the_scheme_is_written_in_any_case():
    GATE.check(request(Authorization=f"bearer  {TOKEN} "), ROUTE)


def test_open_routes_need_no_token():
    GATE.check(request(Authorization=""), OPEN)


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8"])
def test_json_bodies_pass(content_type):
    GATE.check(request("POST", 10, Content_Type=content_type), ROUTE)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonx"]
)
def test_bodies_that_a_form_could_send_are_refused(method, content_type):
    assert refusal(request(method, 10, Content_Type=content_type)).status == 415


def test_requests_without_a_body_need_no_type():
    GATE.check(request("POST", 0, Content_Type="text/plain"), ROUTE)


def test_uploads_are_of_any_type():
    GATE.check(request("PUT", 10, Content_Type="image/png"), RAW)


def test_a_body_is_refused_one_byte_over_the_limit():
    GATE.check(request("POST", 100, Content_Type="application/json"), ROUTE)
    assert refusal(request("POST", 101, Content_Type="application/json")).status == 413
