"""Only what is on the public internet is dialled, unless the user named it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.errors import FetchError, UsageError
from crawler.fetch.dial.guard import Guard, exempt_origins, is_loopback, is_public

# First, last and a middle address of every range in IANA's registries that is not globally reachable.
PRIVATE = """
0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 127.0.0.1 127.66.0.1 127.255.255.255
169.254.0.0 169.254.169.254 172.16.0.0 172.31.255.255 192.0.0.0 192.0.0.8 192.0.0.170 192.0.0.171 192.0.0.255
192.0.2.1 192.88.99.1 192.168.0.0 192.168.255.255 198.18.0.0 198.19.255.255 198.51.100.7 203.0.113.255
224.0.0.1 239.255.255.255 240.0.0.0 255.255.255.255
:: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:0:127.0.0.1
64:ff9b::127.0.0.1 64:ff9b::a00:1 64:ff9b::c0a8:1 64:ff9b:1::1 64:ff9b:1:fffe::7f00:1 64:ff9b::1:0:0:0
100::1 100:0:0:1::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:2::1 2001:10::1 2001:5::1 2001:db8::1
2001:1ff:ffff::1 2002:7f00:1::1 2002:808:808::1 3fff::1 3fff:fff:ffff::1 4000::1 5f00::1 fc00::1 fdff::1
fe80::1 fe80::1%eth0 febf::1 fec0::1 ff02::1 ff0e::1 2606:4700::1111%1 ffff::1
""".split()

PUBLIC = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 172.15.255.255 172.32.0.0
192.0.0.9 192.0.0.10 192.0.1.0 192.31.196.1 192.52.193.1 192.175.48.1 198.17.255.255 198.20.0.0 223.255.255.255
2606:4700:4700::1111 2a00:1450:4001::1 2001:200::1 2001:4860:4860::8888 2001:1::1 2001:3::1 2001:4:112::1 2001:20::1
2001:30::1 2620:4f:8000::1 2003::1 ::ffff:8.8.8.8 64:ff9b::808:808
""".split()


@pytest.mark.parametrize("address", PRIVATE)
def test_special_addresses_are_not_public(address: str) -> None:
    # scenario 71
    assert not is_public(address)
    assert not Guard().permits(address, 80)
    with pytest.raises(FetchError) as caught:
        Guard().vet("http://name.example/", [address])
    assert caught.value.reason == "private_address"


@pytest.mark.parametrize("address", PUBLIC)
def test_globally_reachable_unicast_addresses_are_public(address: str) -> None:
    assert is_public(address)
    assert Guard().vet("http://name.example/", [address]) == (address,)


@pytest.mark.parametrize(
    "text", ["", "localhost", "127.1", "0x7f000001", "2130706433", "1.2.3.4.5", "1.2.3.4:80", "[::1]"]
)
def test_what_is_no_address_is_not_public(text: str) -> None:
    # scenario 46
    assert not is_public(text)


@given(st.ip_addresses(v=4))
def test_an_embedded_address_is_as_public_as_itself(address: IPv4Address) -> None:
    mapped = f"::ffff:{address}"
    translated = str(IPv6Network("64:ff9b::/96")[int(address)])
    assert is_public(mapped) == is_public(translated) == is_public(str(address))


@given(st.ip_addresses(v=4))
def test_what_python_knows_to_be_special_is_never_public(address: IPv4Address) -> None:
    special = (address.is_multicast, address.is_loopback, address.is_link_local, address.is_reserved)
    assert not (is_public(str(address)) and any(special))


def test_mixed_answers_keep_only_their_public_addresses() -> None:
    # scenario 73
    given_addresses = ["10.0.0.1", "93.184.216.34", "::1", "2606:4700::1"]
    assert Guard().vet("http://name.example/", given_addresses) == ("93.184.216.34", "2606:4700::1")


def test_an_allowed_network_passes_and_its_neighbours_do_not() -> None:
    guard = Guard(["10.0.0.0/8", "fd00::/8", "192.168.1.5"])
    assert guard.vet("http://name.example/", ["10.9.9.9", "fd12::1", "192.168.1.5"]) == (
        "10.9.9.9",
        "fd12::1",
        "192.168.1.5",
    )
    for address in ("11.0.0.1", "::ffff:10.1.1.1", "64:ff9b::a01:101"):
        assert guard.permits(address, 80)
    for address in ("192.168.1.6", "fc00::1", "127.0.0.1", "fd12::1%eth0"):
        assert not guard.permits(address, 80)


def test_a_network_that_is_none_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"--allow-private 10\.0\.0\.0/99"):
        Guard(["10.0.0.0/99"])


def test_a_named_private_origin_is_exempt_and_nothing_else() -> None:
    """Exemption is by scheme, host and port."""
    guard = Guard(exempt_origins=exempt_origins(["http://127.0.0.1:8000/start", "http://localhost:9000/"]))
    assert not guard.permits("127.0.0.1", 8000)
    assert guard.vet("http://127.0.0.1:8000/other", ["127.0.0.1"]) == ("127.0.0.1",)
    assert guard.vet("http://localhost:9000/", ["::1", "127.0.0.1"]) == ("::1", "127.0.0.1")
    assert guard.permits("127.0.0.1", 8000)
    assert guard.permits("::1", 9000)
    assert not guard.permits("127.0.0.1", 8001)
    for url in ("https://127.0.0.1:8000/", "http://127.0.0.1:8001/", "http://127.0.0.1/", "http://localhost/"):
        with pytest.raises(FetchError):
            guard.vet(url, ["127.0.0.1"])


def test_a_name_that_resolves_to_an_exempt_address_is_not_exempt() -> None:
    # scenario 73
    guard = Guard(exempt_origins=exempt_origins(["http://127.0.0.1:8000/"]))
    with pytest.raises(FetchError):
        guard.vet("http://evil.example:8000/", ["127.0.0.1"])


def test_localhost_means_loopback_whatever_it_resolves_to() -> None:
    guard = Guard(exempt_origins=exempt_origins(["http://localhost:8000/"]))
    with pytest.raises(FetchError):
        guard.vet("http://localhost:8000/", ["10.0.0.1"])


def test_only_literal_private_seeds_are_exempt() -> None:
    seeds = [
        "http://example.com/",
        "http://8.8.8.8/",
        "http://10.0.0.1/a",
        "https://[::1]:8443/",
        "http://app.localhost/",
        "http://localhost./",
    ]
    assert exempt_origins(seeds) == {
        "http://10.0.0.1",
        "https://[::1]:8443",
        "http://app.localhost",
        "http://localhost.",
    }


def test_an_endpoint_that_the_user_named_is_permitted() -> None:
    # scenario 74
    guard = Guard()
    guard.permit_endpoint("10.0.0.5", 3128)
    assert guard.permits("10.0.0.5", 3128)
    assert not guard.permits("10.0.0.5", 80)


def test_the_error_names_host_and_addresses() -> None:
    with pytest.raises(FetchError, match=r"name\.example:81 is at 10\.0\.0\.1, ::1; --allow-private"):
        Guard().vet("http://name.example:81/", ["10.0.0.1", "::1"])


@pytest.mark.parametrize(
    ("address", "expected"),
    [("127.0.0.9", True), ("::1", True), ("::ffff:127.0.0.1", True), ("8.8.8.8", False), ("x", False)],
)
def test_loopback_in_every_writing(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected
