"""Which network addresses a download, webhook or HTTP tool may reach. Pure: nothing here opens a socket.

A name is resolved once, the addresses are judged here, and the connection goes to the very address judged;
otherwise a name that answers differently the second time (DNS rebinding) would pass the check.
"""

from __future__ import annotations

import ipaddress
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .errors import ConfigurationError, InferenceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

POLICY_VARIABLE = "INFERENCESH_FETCH_POLICY"
"""Environment variable that holds a worker's policy as JSON."""

_DEFAULT_PORTS = {"http": 80, "https": 443}

# The first range that holds an address names the reason. IANA's special-purpose registries, plus the metadata
# services of clouds that answer on otherwise ordinary addresses.
_REFUSED = [
    (ipaddress.ip_network(network), reason)
    for network, reason in (
        ("169.254.169.254/32", "a cloud metadata service"),
        ("168.63.129.16/32", "a cloud metadata service"),
        ("100.100.100.200/32", "a cloud metadata service"),
        ("192.0.0.192/32", "a cloud metadata service"),
        ("fd00:ec2::254/128", "a cloud metadata service"),
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "reserved"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "reserved"),
        ("198.51.100.0/24", "reserved"),
        ("203.0.113.0/24", "reserved"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("::/96", "an IPv4-compatible address"),
        ("64:ff9b:1::/48", "local NAT64"),
        ("100::/64", "reserved"),
        ("2001::/32", "Teredo"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "reserved"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "reserved"),
        ("5f00::/16", "reserved"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private"),
        ("ff00::/8", "multicast"),
    )
]

# The IPv4 address in the last 32 bits is where such a packet ends up, so that is the one judged.
_EMBEDDING_IPV4 = [
    ipaddress.IPv6Network(network) for network in ("::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")
]


class AddressRefusedError(InferenceError, ValueError):
    """The address rules forbid what was asked; the text names host, address, reason and the setting.

    Attributes:
        why: The text without the setting, for those who have another one.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why

    def __str__(self) -> str:
        return f"{self.why}. Add its origin to the allowed origins if it is meant to be reached"


def refusal(address: str) -> str | None:
    """Why an IP address may not be reached from outside input, None when it is an ordinary public one."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "not an IP address"
    effective = _effective(parsed)
    return next((reason for network, reason in _REFUSED if effective in network), None)


def _effective(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if isinstance(address, ipaddress.IPv6Address) and any(address in network for network in _EMBEDDING_IPV4):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def origin(scheme: str, host: str, port: int | None) -> str:
    """Give scheme, host and port in one canonical spelling; None stands for the scheme's own port."""
    bare = host.strip("[]").lower()
    named = f"[{bare}]" if ":" in bare else bare
    return f"{scheme.lower()}://{named}:{port or _DEFAULT_PORTS.get(scheme.lower(), 0)}"


@dataclass(frozen=True)
class AddressPolicy:
    """What may be reached.

    Attributes:
        allow_private: Whether every address may be, so that nothing is checked.
        allowed_origins: Origins (`http://127.0.0.1:8000`) that may be reached wherever they lie.
    """

    allow_private: bool = False
    allowed_origins: frozenset[str] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        object.__setattr__(self, "allowed_origins", frozenset(map(_canonical, self.allowed_origins)))

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> AddressPolicy:
        """Give the policy `INFERENCESH_FETCH_POLICY` says, and the one that allows everything without it.

        Raises:
            ConfigurationError: the variable holds no such policy. Nothing is allowed instead.
        """
        text = (os.environ if environ is None else environ).get(POLICY_VARIABLE)
        return cls(allow_private=True) if text is None else cls._parsed(text)

    @classmethod
    def _parsed(cls, text: str) -> AddressPolicy:
        try:
            values: Any = json.loads(text)
            if type(values.get("allow_private", False)) is bool:
                origins = frozenset(values.pop("allowed_origins", ()))
                return cls(allowed_origins=origins, **values)
        except (ValueError, TypeError, AttributeError):
            pass
        raise ConfigurationError(
            f"{POLICY_VARIABLE} is {text!r}; expected JSON such as "
            '{"allow_private": false, "allowed_origins": ["http://127.0.0.1:8000"]}'
        )

    def to_json(self) -> str:
        """Give the policy as `from_environment` reads it."""
        return json.dumps(
            {
                "allow_private": self.allow_private,
                "allowed_origins": sorted(self.allowed_origins),
            }
        )

    def trusts(self, scheme: str, host: str, port: int | None) -> bool:
        """Whether an origin may be reached without its address being judged."""
        return self.allow_private or origin(scheme, host, port) in self.allowed_origins

    def admit(self, host: str, addresses: Iterable[str]) -> list[str]:
        """Give the resolved `addresses` of `host`, of which any may be connected to.

        Raises:
            AddressRefusedError: any of them is refused; honest names do not mix public and private ones.
        """
        admitted = list(dict.fromkeys(addresses))
        for address in admitted:
            reason = None if self.allow_private else refusal(address)
            if reason is not None:
                raise AddressRefusedError(
                    f"{host} is at {address}, which is {reason}: URLs from outside may not reach it"
                )
        return admitted


def _canonical(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ConfigurationError(f"{url!r} is not an origin; expected something like 'http://127.0.0.1:8000'")
    return origin(parts.scheme, parts.hostname, parts.port)
