"""The scripted servers, plain or TLS, and what clients need in order to trust them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import environments

SERVERS = Path(__file__).parent / "servers"
SCHEMES = {"plain": "http", "TLS": "https"}


@dataclass
class Server:
    """A server that runs; `counts` is what it had counted, known once it has stopped."""

    url: str
    counts: dict[str, float] = field(default_factory=dict)


@contextmanager
def serving(script: str, wire: str) -> Iterator[Server]:
    """`script` of `servers/`, over `wire`: "plain" or "TLS"."""
    certificate = [str(path) for path in certificate_and_key()] if wire == "TLS" else []
    process = subprocess.Popen(
        [sys.executable, SERVERS / script, *certificate],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    server = Server(f"{SCHEMES[wire]}://127.0.0.1:{int(process.stdout.readline())}")
    try:
        yield server
    finally:
        server.counts = json.loads(process.communicate()[0])


def trust() -> dict[str, str]:
    """Environment variables that make requests, urllib3 and OpenSSL trust the servers."""
    return dict.fromkeys(("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"), str(bundle()))


@cache
def bundle() -> Path:
    """The public authorities plus ours, as where an organisation has its own: users load no less."""
    path = environments.HOME / "tls" / "bundle.pem"
    where = [environments.interpreter("published"), "-c", "import certifi; print(certifi.contents())"]
    public = subprocess.run(where, capture_output=True, text=True, check=True).stdout
    path.write_text(public + certificate_and_key()[0].read_text())
    return path


def certificate_and_key() -> tuple[Path, Path]:
    certificate, key = environments.HOME / "tls" / "certificate.pem", environments.HOME / "tls" / "key.pem"
    if not certificate.exists():
        certificate.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [
                *(
                    "openssl",
                    "req",
                    "-x509",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:prime256v1",
                    "-nodes",
                ),
                *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"),
                *("-addext", "keyUsage=critical,digitalSignature,keyCertSign", "-days", "3650"),
                *("-keyout", key, "-out", certificate),
            ],
            check=True,
            capture_output=True,
        )
    return certificate, key
