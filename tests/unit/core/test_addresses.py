import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferencesh_core.addresses import AddressPolicy, AddressRefusedError, refusal
from inferencesh_core.errors import ConfigurationError

REFUSED = [
    ("127.0.0.1", "loopback"),
    ("127.8.8.8", "loopback"),
    ("::1", "loopback"),
    ("0.0.0.0", "unspecified"),
    ("::", "unspecified"),
    ("10.1.2.3", "private"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.168.1.1", "private"),
    ("fd12::1", "private"),
    ("fec0::1", "private"),
    ("169.254.1.1", "link-local"),
    ("fe80::1", "link-local"),
    ("fe80::1%eth0", "link-local"),
    ("100.64.0.1", "carrier-grade NAT"),
    ("100.127.255.255", "carrier-grade NAT"),
    ("169.254.169.254", "metadata"),
    ("168.63.129.16", "metadata"),
    ("100.100.100.200", "metadata"),
    ("fd00:ec2::254", "metadata"),
    ("224.0.0.1", "multicast"),
    ("ff02::1", "multicast"),
    ("255.255.255.255", "reserved"),
    ("192.0.2.1", "reserved"),
    ("::ffff:127.0.0.1", "loopback"),
    ("::ffff:a9fe:a9fe", "metadata"),
    ("::ffff:0:10.0.0.1", "private"),
    ("64:ff9b::10.0.0.1", "private"),
    ("64:ff9b::169.254.169.254", "metadata"),
    ("64:ff9b:1::1", "NAT64"),
    ("::127.0.0.1", "IPv4-compatible"),
    ("2002:7f00:1::", "6to4"),
    ("2001:0:1234::1", "Teredo"),
    ("localhost", "not an IP address"),
    ("0x7f.1", "not an IP address"),
]


@pytest.mark.parametrize(("address", "reason"), REFUSED)
def test_an_address_inside_is_refused_in_every_spelling(address, reason):
    assert reason in refusal(address)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "172.15.0.1",
        "172.32.0.1",
        "100.63.0.1",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
    ],
)
def test_an_ordinary_address_is_not_refused(address):
    assert refusal(address) is None


@given(st.ip_addresses(v=4))
def test_whatever_the_standard_library_calls_not_global_is_refused(address):
    if not address.is_global:
        # 192.0.0.9 and .10 are global to newer Pythons only; refusing them as well is harmless.
        assert refusal(str(address)) is not None


@given(st.ip_addresses(v=4))
def test_an_address_embedded_in_ipv6_is_judged_like_itself(address):
    for prefix in ("::ffff:0:0", "64:ff9b::"):
        embedded = ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) + int(address))
        assert refusal(str(embedded)) == refusal(str(address))


def test_admitting_gives_each_address_once_in_order():
    assert AddressPolicy().admit("h", ["8.8.8.8", "1.1.1.1", "8.8.8.8"]) == ["8.8.8.8", "1.1.1.1"]


def test_one_inner_address_among_public_ones_refuses_the_name():
    with pytest.raises(AddressRefusedError, match=r"evil\.example is at 10\.0\.0\.1, which is private"):
        AddressPolicy().admit("evil.example", ["8.8.8.8", "10.0.0.1"])


def test_a_policy_may_allow_everything():
    assert AddressPolicy(allow_private=True).admit("h", ["10.0.0.1"]) == ["10.0.0.1"]
    assert AddressPolicy(allow_private=True).trusts("http", "localhost", 1)


@pytest.mark.parametrize(
    ("scheme", "host", "port", "trusted"),
    [
        ("http", "127.0.0.1", 8000, True),
        ("http", "127.0.0.1", 8001, False),
        ("https", "127.0.0.1", 8000, False),
        ("https", "Files.Internal", None, True),
        ("https", "files.internal", 443, True),
        ("http", "files.internal", None, False),
        ("http", "[::1]", 9, True),
    ],
)
def test_an_allowed_origin_is_trusted_exactly(scheme, host, port, trusted):
    origins = frozenset({"http://127.0.0.1:8000", "https://files.internal/", "http://[::1]:9"})
    assert AddressPolicy(allowed_origins=origins).trusts(scheme, host, port) is trusted


def test_an_ordinary_process_may_reach_everything():
    assert AddressPolicy.from_environment({}).allow_private


def test_a_policy_survives_the_environment():
    policy = AddressPolicy(allowed_origins=frozenset({"http://127.0.0.1:1234"}))
    assert AddressPolicy.from_environment({"INFERENCESH_FETCH_POLICY": policy.to_json()}) == policy


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"allow": true}', '{"allow_private": 1}', '{"allowed_origins": [7]}',
     '{"allowed_origins": ["nonsense"]}'],
)  # fmt: skip
def test_a_policy_nobody_can_read_allows_nothing(text):
    with pytest.raises(ConfigurationError):
        AddressPolicy.from_environment({"INFERENCESH_FETCH_POLICY": text})
