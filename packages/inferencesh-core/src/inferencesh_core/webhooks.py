"""Webhooks signed after the Standard Webhooks specification: what a sender adds, what a receiver checks.

headers = sign(secret, message_id, time.time(), body)       # beside the sender's other headers
verify(secret, request.headers, body)                       # the body as it came, not parsed and dumped
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from typing import TYPE_CHECKING

from .errors import ConfigurationError, InferenceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SECRET_PREFIX = "whsec_"  # noqa: S105  # the mark of a secret, not one
TOLERANCE_SECONDS = 300.0

_ID, _TIMESTAMP, _SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
_VERSION = "v1,"
_MAX_TIMESTAMP_DIGITS = 12


class WebhookVerificationError(InferenceError, ValueError):
    """The message was not signed with the secret, or not lately; do not act on it."""


def sign(secrets: str | Sequence[str], message_id: str, timestamp: float, body: bytes) -> dict[str, str]:
    """Give the three headers that sign a message.

    Args:
        secrets: The receiver's secret; while it is being changed, the new and the old one: either verifies.
        message_id: The same for every try to deliver the message, without a dot.
        timestamp: Unix seconds of this try.
        body: What is sent.

    Raises:
        ConfigurationError: there is no secret, or one that begins with `whsec_` is not base64 after it.
        ValueError: the id is empty or has a dot.
    """
    if not _is_id(message_id):
        raise ValueError(f"{message_id!r} cannot be the id of a message: it is empty or has a dot")
    seconds = str(int(timestamp))
    signatures = [_signature(key, message_id, seconds, body) for key in _keys(secrets)]
    return {_ID: message_id, _TIMESTAMP: seconds, _SIGNATURE: " ".join(signatures)}


def verify(
    secrets: str | Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: float | None = None,
    tolerance: float = TOLERANCE_SECONDS,
) -> None:
    """Return if a message was signed with one of the secrets, in constant time.

    Args:
        secrets: The secret, or several while it is being changed.
        headers: Those of the request, in any case.
        body: The request's body, as it came.
        now: Unix seconds; None asks the clock.
        tolerance: How many seconds the message may be older, or younger, than now.

    Raises:
        WebhookVerificationError: it was not, a header is missing, or its time is out of tolerance.
        ConfigurationError: there is no secret, or one that begins with `whsec_` is not base64 after it.
    """
    keys = _keys(secrets)
    given = {name.lower(): value for name, value in headers.items()}
    message_id, seconds = _header(given, _ID), _header(given, _TIMESTAMP)
    signatures = _header(given, _SIGNATURE).split(" ")
    _check_time(seconds, time.time() if now is None else now, tolerance)
    expected = [_signature(key, message_id, seconds, body) for key in keys]
    # Every pair is compared, so that the time taken says nothing about which one matched.
    matches = [hmac.compare_digest(one.encode(), other.encode()) for one in expected for other in signatures]
    if not (any(matches) and _is_id(message_id)):
        raise WebhookVerificationError(f"message {message_id!r} was not signed with this secret")


def body_digest(secret: str, body: bytes) -> str:
    """Give `sha256=<hex>`, the HMAC of the body alone, as `X-Webhook-Signature` says it."""
    return "sha256=" + hmac.new(_key(secret), body, hashlib.sha256).hexdigest()


def _is_id(message_id: str) -> bool:
    # With a dot in it, the signed text could be read as another id, time and body.
    return bool(message_id) and "." not in message_id


def _signature(key: bytes, message_id: str, seconds: str, body: bytes) -> str:
    signed = f"{message_id}.{seconds}.".encode() + body
    return _VERSION + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _keys(secrets: str | Sequence[str]) -> list[bytes]:
    keys = [_key(secret) for secret in ([secrets] if isinstance(secrets, str) else secrets)]
    if not keys:
        raise ConfigurationError("there is no secret to sign webhooks with; give at least one")
    return keys


def _key(secret: str) -> bytes:
    if not secret:
        raise ConfigurationError("a webhook secret is empty; anybody could sign with it")
    if not secret.startswith(SECRET_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret[len(SECRET_PREFIX) :], validate=True)
    except binascii.Error:
        raise ConfigurationError(
            f"a webhook secret that begins with {SECRET_PREFIX} is not base64 after it"
        ) from None


def _header(headers: Mapping[str, str], name: str) -> str:
    if name not in headers:
        raise WebhookVerificationError(f"the message has no header {name}: it is not signed")
    return headers[name]


def _check_time(seconds: str, now: float, tolerance: float) -> None:
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= _MAX_TIMESTAMP_DIGITS):
        raise WebhookVerificationError(f"the message's {_TIMESTAMP} is {seconds!r}, not Unix seconds")
    age = now - int(seconds)
    if abs(age) > tolerance:
        when = f"{age:.0f} s old" if age > 0 else f"{-age:.0f} s in the future"
        raise WebhookVerificationError(
            f"the message is {when}, more than the {tolerance:g} s allowed; is a clock wrong?"
        )
