"""A folder of files served by the lab."""

from pathlib import Path

import pytest

from crawler.lab import FolderWorld, LabServer, serve_folder
from tests.unit.lab.lab_client import Client, fetch, header


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "served"
    (root / "sub dir").mkdir(parents=True)
    (root / "index.html").write_text("<title>Home</title>")
    (root / "sub dir" / "index.html").write_text("<title>Below</title>")
    (root / "page.html").write_text("<title>Page</title>")
    (root / "empty").mkdir()
    (root / "data.bin").write_bytes(b"\x00\xff")
    (tmp_path / "secret.html").write_text("secret")
    (root / "out.html").symlink_to(tmp_path / "secret.html")
    (root / "in.html").symlink_to(root / "page.html")
    return root


@pytest.mark.parametrize(
    ("target", "status", "kind", "body"),
    [
        ("/", 200, "text/html", b"<title>Home</title>"),
        ("/page.html", 200, "text/html", b"<title>Page</title>"),
        ("/page.html?version=2", 200, "text/html", b"<title>Page</title>"),
        ("/p%61ge.html", 200, "text/html", b"<title>Page</title>"),
        ("/in.html", 200, "text/html", b"<title>Page</title>"),
        ("/sub%20dir/", 200, "text/html", b"<title>Below</title>"),
        ("/data.bin", 200, "application/octet-stream", b"\x00\xff"),
        ("/page.html/", 404, "text/plain", b"no such file\n"),
        ("/empty/", 404, "text/plain", b"no such file\n"),
        ("/none.html", 404, "text/plain", b"no such file\n"),
    ],
)
def test_a_folder_is_served(folder: Path, target: str, status: int, kind: str, body: bytes) -> None:
    answer = FolderWorld(folder).answer("any.name", target)
    assert (answer.status, header(answer, "Content-Type"), answer.body) == (status, kind, body)


def test_a_folder_without_its_slash_redirects_to_it(folder: Path) -> None:
    answer = FolderWorld(folder).answer("any.name", "//sub%20dir?a=1")
    assert (answer.status, header(answer, "Location")) == (301, "/sub%20dir/?a=1")


@pytest.mark.parametrize(
    "target",
    [
        "/../secret.html",
        "/sub%20dir/../../secret.html",
        "/%2e%2e/secret.html",
        "/..%2fsecret.html",
        "/%2e%2e%2fsecret.html",
        "/sub%20dir/..%2f..%2fsecret.html",
        "/out.html",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/page.html%00.txt",
        "/" + "x" * 5000,
    ],
)
def test_nothing_outside_the_folder_is_served(folder: Path, target: str) -> None:
    assert FolderWorld(folder).answer("any.name", target).status == 404


async def test_a_file_is_read_once_for_all_host_names(folder: Path) -> None:
    async with LabServer(FolderWorld(folder)) as server, Client(server) as client:
        first = await client.ask("one.lab", "/page.html")
        (folder / "page.html").write_text("changed")
        assert await client.ask("two.lab", "/page.html") == first
        assert server.counts.of("two.lab", "/page.html") == 1


def test_a_folder_in_a_process_of_its_own(folder: Path) -> None:
    with serve_folder(folder) as lab:
        assert fetch(lab.port, "any.name", "/page.html") == (200, b"<title>Page</title>")
