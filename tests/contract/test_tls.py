"""Whom a strategy trusts: verified certificates, for each host by itself, whatever the environment says."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from crawler.errors import FetchError
from crawler.fetch.base import tls_context
from crawler.settings.groups import FetchSettings

from .conftest import Client, Connect
from .server import HANG, ScriptedServer, answer

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def server_tls(authority: trustme.CA, *names: str, **validity: datetime) -> ssl.SSLContext:
    """What a server shows: a certificate for these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, **validity).configure_cert(context)
    return context


def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    """Settings that trust the authority of the tests."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def refusal(client: Client, url: str) -> FetchError:
    """What a fetch fails with."""
    with pytest.raises(FetchError) as caught:
        await client.get(url)
    return caught.value


@pytest.mark.parametrize(
    "validity",
    [{"not_before": NOW - 9 * DAY, "not_after": NOW - DAY}, {"not_before": NOW + DAY, "not_after": NOW + 9 * DAY}],
    ids=["expired", "not yet valid"],
)
async def test_a_certificate_out_of_its_time_is_refused(
    connect: Connect, authority: trustme.CA, validity: dict[str, datetime]
) -> None:
    """For good, and without another try, be it over plain HTTP."""
    # scenario 10
    client = await connect(tls=client_tls(authority))
    with ScriptedServer(server_tls(authority, "127.0.0.1", **validity)) as server:
        error = await refusal(client, server.script("/", answer()))
        assert (error.reason, error.is_retryable) == ("tls_failed", False)
        assert server.seen.heads == []


async def test_a_host_that_fails_tls_is_not_asked_over_plain_http(connect: Connect, authority: trustme.CA) -> None:
    # scenario 10
    client = await connect(tls=client_tls(authority))
    with ScriptedServer() as server:
        server.on_connect(b"not TLS at all\r\n", HANG)
        assert (await refusal(client, f"https://127.0.0.1:{server.port}/")).reason == "tls_failed"
        assert server.seen.connections == 1


async def test_a_server_that_breaks_tls_off_for_a_fault_of_its_own_is_asked_again(
    connect: Connect, authority: trustme.CA
) -> None:
    """Its certificate was not looked at, so a second try can help; the alert is `internal_error`."""
    client = await connect(tls=client_tls(authority))
    with ScriptedServer() as server:
        server.on_connect(bytes.fromhex("15 0303 0002 02 50"), HANG)
        error = await refusal(client, f"https://127.0.0.1:{server.port}/")
        assert (error.reason, error.is_retryable) == ("tls_failed", True)
        server.on_connect(bytes.fromhex("15 0303 0002 02 28"), HANG)  # handshake_failure
        error = await refusal(client, f"https://127.0.0.1:{server.port}/")
        assert (error.reason, error.is_retryable) == ("tls_failed", False)


async def test_plain_http_where_tls_is_expected_is_told_apart(connect: Connect, authority: trustme.CA) -> None:
    """From a certificate that is refused; the same under every strategy, for who wrote https and meant http."""
    client = await connect(tls=client_tls(authority))
    with ScriptedServer() as server:
        server.on_connect(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", HANG)
        error = await refusal(client, f"https://127.0.0.1:{server.port}/")
        assert (error.reason, error.is_not_tls) == ("tls_failed", True)
    with ScriptedServer(server_tls(trustme.CA(), "127.0.0.1")) as server:
        error = await refusal(client, server.script("/", answer()))
        assert (error.reason, error.is_not_tls) == ("tls_failed", False)


async def test_the_connection_of_one_name_is_not_used_for_another(connect: Connect, authority: trustme.CA) -> None:
    """Both names are at one address and port, and the certificate is for the first alone."""
    # scenario 11
    client = await connect(tls=client_tls(authority))
    with ScriptedServer(server_tls(authority, "good.lab")) as server:
        server.script("/", answer())
        good, other = (f"https://{name}.lab:{server.port}/" for name in ("good", "other"))
        assert (await client.get(good)).status == 200
        assert (await refusal(client, other)).reason == "tls_failed"
        assert (await client.get(good)).status == 200
        assert (await refusal(client, other)).reason == "tls_failed"
        assert len(server.seen.heads) == 2


async def test_a_host_that_is_not_trusted_changes_nothing_for_others(connect: Connect, authority: trustme.CA) -> None:
    # scenario 11
    client = await connect(tls=client_tls(authority))
    stranger = trustme.CA()
    with (
        ScriptedServer(server_tls(authority, "127.0.0.1")) as known,
        ScriptedServer(server_tls(stranger, "127.0.0.1")) as unknown,
    ):
        known.script("/", answer())
        unknown.script("/", answer())
        for _ in range(2):
            assert (await refusal(client, unknown.url + "/")).reason == "tls_failed"
            assert (await client.get(known.url + "/")).status == 200
        assert unknown.seen.heads == []


async def test_the_environment_makes_nobody_trusted(
    connect: Connect, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # scenarios 10, 11, 70
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(file)
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(file))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    monkeypatch.setenv("PYTHONHTTPSVERIFY", "0")
    client = await connect(tls=tls_context())
    with ScriptedServer(server_tls(authority, "127.0.0.1")) as server:
        assert (await refusal(client, server.script("/", answer()))).reason == "tls_failed"
        assert server.seen.heads == []


def test_there_is_no_setting_that_gives_up_trust() -> None:
    """So none can leak from the host for which it was given up to another."""
    # scenario 11
    context = tls_context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    words = ("insecure", "verify", "certificate", "tls", "ssl")
    assert not [name for name in FetchSettings.__struct_fields__ if any(word in name for word in words)]
