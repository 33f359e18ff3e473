"""What the tests of the lab ask it with, and the webs that they ask."""

import asyncio
from http.client import HTTPConnection

from crawler.lab import Answer, LabServer, WorldSpec

PLAIN = WorldSpec(hosts=3, pages_per_host=60, page_bytes=9000)
VARIED = WorldSpec(
    hosts=4, pages_per_host=80, page_bytes=9000, error_rate=0.1, redirect_rate=0.2, encodings=True, traps=True
)


def header(answer: Answer, name: str) -> str:
    return dict(answer.headers).get(name, "")


class Client:
    """One connection to a lab, one request after the other."""

    def __init__(self, server: LabServer) -> None:
        self.server = server

    async def __aenter__(self) -> "Client":
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.writer.close()

    def send(self, host: str, target: str = "/", method: str = "GET", fields: str = "") -> None:
        head = f"{method} {target} HTTP/1.1\r\nHost: {host}:{self.server.port}\r\n{fields}\r\n"
        self.writer.write(head.encode())

    async def head(self) -> tuple[int, dict[str, str]]:
        text = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status, *fields = text.strip().split("\r\n")
        return int(status.split(" ")[1]), dict(field.split(": ", 1) for field in fields)

    async def ask(self, host: str, target: str = "/") -> tuple[int, dict[str, str], bytes]:
        self.send(host, target)
        status, fields = await self.head()
        return status, fields, await self.reader.readexactly(int(fields["Content-Length"]))


def fetch(port: int, host: str, target: str = "/") -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", target, headers={"Host": f"{host}:{port}"})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, body
