"""nginx on loopback, which speaks HTTP/2 over TLS."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trustme

from .server import closed_port

_CONFIG = """
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/log;
events {{ worker_connections 256; }}
http {{
    access_log off; default_type text/html; root {folder};
    client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
    uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
    ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.pem;
    large_client_header_buffers 4 64k;
    server {{
        listen 127.0.0.1:{port} ssl http2; listen 127.0.0.2:{port} ssl http2;
        {locations}
    }}
    server {{
        listen 127.0.0.1:{short_port} ssl http2; keepalive_requests 1;
        location / {{ return 200 "$server_protocol $connection"; }}
    }}
    server {{ listen 127.0.0.1:{old_port} ssl; location / {{ return 200 "$server_protocol"; }} }}
}}
"""


def path() -> str | None:
    """Where nginx is, if it is installed."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")


class Nginx:
    """A running nginx.

    Args:
        folder: What it serves.
        port: Where it speaks HTTP/2 over TLS, at 127.0.0.1 and 127.0.0.2.
        short_port: Where it takes one request over each connection.
        old_port: Where it speaks HTTP/1.1 over TLS.
    """

    def __init__(self, folder: Path, port: int, short_port: int, old_port: int) -> None:
        self.folder = folder
        self.port = port
        self.short_port = short_port
        self.old_port = old_port

    @property
    def url(self) -> str:
        return f"https://name.lab:{self.port}"


@contextmanager
def running(folder: Path, authority: trustme.CA, locations: str) -> Iterator[Nginx]:
    """Run nginx with these locations, for the name name.lab."""
    program = path()
    assert program is not None
    authority.issue_cert("name.lab").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    nginx = Nginx(folder, closed_port(), closed_port(), closed_port())
    config = folder / "nginx.conf"
    config.write_text(_CONFIG.format(**vars(nginx), locations=locations), encoding="utf-8")
    arguments = [program, "-p", str(folder), "-c", str(config), "-e", str(folder / "log")]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE) as process:
        try:
            _wait(process, nginx.port)
            yield nginx
        finally:
            process.terminate()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > until:
                assert process.stderr is not None
                raise RuntimeError(process.stderr.read().decode() if process.poll() is not None else "") from None
            time.sleep(0.01)
