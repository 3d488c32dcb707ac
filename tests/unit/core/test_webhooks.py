"""Signed webhooks: what is signed verifies, and nothing else does."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferencesh_core.errors import ConfigurationError
from inferencesh_core.webhooks import WebhookVerificationError, body_digest, sign, verify

NOW = 1_700_000_000.0
BODY = b'{"status": 10}'


def signed(secrets="one", message_id="msg_1", at=NOW, body=BODY):
    return sign(secrets, message_id, at, body)


def refusal(headers, body=BODY, secrets="one", now=NOW):
    with pytest.raises(WebhookVerificationError) as caught:
        verify(secrets, headers, body, now=now)
    return str(caught.value)


def test_the_example_of_the_specification_comes_out_right():
    headers = sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@given(st.text(min_size=1), st.binary(), st.floats(0, 1e11))
def test_what_was_signed_verifies(secret, body, at):
    secret = "s" + secret
    verify(secret, sign(secret, "m", at, body), body, now=at)


@given(st.binary(min_size=1, max_size=20), st.integers(0, 19), st.integers(1, 255))
def test_a_body_with_one_changed_byte_does_not_verify(body, place, change):
    changed = bytearray(body)
    changed[place % len(body)] ^= change
    assert "not signed with this secret" in refusal(signed(body=body), bytes(changed))


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_message_without_one_of_the_headers_is_not_signed(name):
    headers = signed()
    del headers[name]
    assert name in refusal(headers)


def test_names_of_headers_may_be_in_any_case():
    verify("one", {name.title(): value for name, value in signed().items()}, BODY, now=NOW)


@pytest.mark.parametrize("off", [-300, 300])
def test_a_clock_may_be_off_by_five_minutes(off):
    verify("one", signed(), BODY, now=NOW + off)


@pytest.mark.parametrize(("off", "said"), [(301, "301 s old"), (-301, "301 s in the future")])
def test_a_message_out_of_its_time_is_refused(off, said):
    assert said in refusal(signed(), now=NOW + off)


@pytest.mark.parametrize("seconds", ["", "soon", "-1", "1e9", "٣", "9" * 5000])
def test_a_timestamp_that_is_no_number_is_refused(seconds):
    assert "not Unix seconds" in refusal({**signed(), "webhook-timestamp": seconds})


def test_while_a_secret_is_changed_the_old_and_the_new_one_verify():
    both = signed(["new", "old"])
    verify("old", both, BODY, now=NOW)
    verify("new", both, BODY, now=NOW)
    verify(["other", "new"], signed("new"), BODY, now=NOW)
    assert refusal(both, secrets="other")


@pytest.mark.parametrize("signature", ["", "v1,", "v2,abc", "v1,é", "é"])
def test_a_signature_of_another_kind_is_no_signature(signature):
    assert refusal({**signed(), "webhook-signature": signature})


def test_a_signature_among_others_of_kinds_unknown_counts():
    headers = signed()
    verify(
        "one", {**headers, "webhook-signature": f"v1a,x {headers['webhook-signature']} v9,"}, BODY, now=NOW
    )


def test_the_parts_of_a_message_cannot_be_shifted():
    body = b"1700000000.{}"
    headers = signed(message_id="a", at=NOW, body=body)
    shifted = {**headers, "webhook-id": "a.1700000000"}
    assert refusal(shifted, b"{}")
    with pytest.raises(ValueError, match="dot"):
        signed(message_id="a.1")


@pytest.mark.parametrize(("secrets", "said"), [("whsec_?", "base64"), ("", "empty"), ([], "no secret")])
def test_a_secret_that_is_none_is_a_mistake_of_the_configuration(secrets, said):
    with pytest.raises(ConfigurationError, match=said):
        signed(secrets)
    with pytest.raises(ConfigurationError, match=said):
        verify(secrets, signed(), BODY, now=NOW)


def test_the_digest_of_a_body_is_its_hmac_in_hex():
    assert body_digest("key", BODY) == "sha256=" + hmac.new(b"key", BODY, hashlib.sha256).hexdigest()
