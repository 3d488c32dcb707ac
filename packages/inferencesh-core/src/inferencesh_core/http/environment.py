"""What the environment says about reaching a host: its proxy and the trusted authorities."""

from __future__ import annotations

import os
import ssl
import sys

from ..errors import ConfigurationError


def proxy_for(scheme: str, authority: str) -> str | None:
    """Give the proxy the environment names for an origin, ``None`` for a direct connection."""
    named = any(name.lower().endswith("_proxy") for name in os.environ)
    if not named and sys.platform not in {"darwin", "win32"}:
        return None
    # Heavy, and most programs have no proxy; on the other systems it asks the system's settings too.
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415

    if proxy_bypass(authority):
        return None
    proxies = getproxies()
    return proxies.get(scheme) or proxies.get("all")


def tls_context(verify: bool | str) -> ssl.SSLContext:
    """Give a context that checks certificates as ``verify`` says.

    That is against the bundle of authorities it names, with ``True`` the environment's or certifi's, and with
    ``False`` not at all.

    Raises:
        ConfigurationError: the bundle of authorities cannot be read.
    """
    if verify is False:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    named_by, bundle = ("verify", verify) if isinstance(verify, str) else _usual_bundle()
    try:
        if os.path.isdir(bundle):
            return ssl.create_default_context(capath=bundle)
        return ssl.create_default_context(cafile=bundle)
    except OSError as error:
        raise ConfigurationError(
            f"{named_by} names {bundle!r} as the bundle of authorities, which cannot be read: "
            f"{error.strerror or error}"
        ) from error


def _usual_bundle() -> tuple[str, str]:
    """Give what names the bundle, and its path; the variables are those requests and curl read."""
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        if path := os.environ.get(variable):
            return variable, path
    import certifi  # noqa: PLC0415 - requests brings it; only https needs it

    return "certifi", certifi.where()
