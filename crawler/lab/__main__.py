"""`python -m crawler.lab`: serve the seeded web, or a folder, until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import errno
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from shlex import quote

import msgspec

from crawler.errors import UsageError
from crawler.lab.folder import FolderWorld
from crawler.lab.hostile import HOSTS
from crawler.lab.server import LabServer
from crawler.lab.traps import HOSTS as TRAP_HOSTS
from crawler.lab.world import FLAGS, World, WorldSpec
from crawler.log.terminal import WIDTH

EXIT_OK = 0
EXIT_USAGE = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the lab's options; those of the world come from the fields of `WorldSpec`."""
    for field in msgspec.inspect.type_info(WorldSpec).fields:  # type: ignore[attr-defined]
        schema = field.type.extra_json_schema["description"]
        flag, default = FLAGS[field.name], field.default
        if isinstance(default, bool):
            parser.add_argument(
                flag, dest=field.name, action=argparse.BooleanOptionalAction, default=default, help=schema
            )
        else:
            parser.add_argument(
                flag, dest=field.name, type=type(default), default=default, metavar="N", help=f"{schema} ({default})"
            )
    parser.add_argument("--port", type=_port, default=0, metavar="N", help="port on 127.0.0.1; 0 takes a free one (0)")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="serve these files instead, under every host name")
    parser.add_argument("--sites-file", type=Path, metavar="PATH", help="write the seeds to this file, one a line")
    parser.add_argument("--log", action="store_true", help="keep when each request came, for /__lab__/counts")
    parser.add_argument("--warm", action="store_true", help="make all pages before serving, for measurements")
    parser.add_argument(
        "--exit-with-stdin",
        action="store_true",
        help="for programs: print the port as JSON, and end when standard input does",
    )


def _port(text: str) -> int:
    """A port number; uvloop would take a larger one modulo 65536."""
    port = int(text)
    if not 0 <= port <= 65_535:
        raise argparse.ArgumentTypeError(f"{text} is no port, 0 to 65535")
    return port


def run(args: argparse.Namespace) -> int:
    """Serve until a signal or the end of standard input; returns the exit status."""
    try:
        world = _world(args)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(world, args))
    except KeyboardInterrupt:
        pass  # It came before or after the loop had the signal.
    except (UsageError, OSError) as error:
        fault = str(error)
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            fault = f"--port {args.port}: the port is in use; give another, or none to take a free one"
        print(f"crawler lab: {fault}", file=sys.stderr)
        return EXIT_USAGE
    return EXIT_OK


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None  # It does not exist on every platform.
    return uvloop.Loop


def _world(args: argparse.Namespace) -> World | FolderWorld:
    if args.folder is not None:
        return FolderWorld(args.folder, args.latency_ms / 1000)
    values = {name: getattr(args, name) for name in WorldSpec.__struct_fields__}
    try:
        return World(msgspec.convert(values, WorldSpec))
    except msgspec.ValidationError as error:
        fault, _, name = str(error).partition(" - at `$.")
        raise UsageError(f"{FLAGS[name.strip('`')]}: {fault.replace('`', '')}") from None


async def _serve(world: World | FolderWorld, args: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with LabServer(world, args.port, args.log) as server:
        if args.warm:
            server.warm()
        seeds = world.seeds(server.port) if isinstance(world, World) else [server.url("127.0.0.1")]
        if args.sites_file is not None:
            args.sites_file.write_text("".join(f"{seed}\n" for seed in seeds), encoding="utf-8")
        if args.exit_with_stdin:
            print(msgspec.json.encode({"port": server.port}).decode(), flush=True)
            loop.add_reader(sys.stdin.fileno(), stopped.set)
        else:
            print("\n".join([*seeds, "", "# crawl it with", _crawl_command(args, server.port)]), flush=True)
        await stopped.wait()


def _crawl_command(args: argparse.Namespace, port: int) -> str:
    """A command that a shell can take as it stands, on as many lines as it takes."""
    if args.folder is not None:
        return f"crawler crawl http://127.0.0.1:{port}/ --delay 0"
    options = ["--resolve '*.lab:127.0.0.1'", "--allow-private 127.0.0.0/8", "--delay 0"]
    if args.sites_file is not None:
        return _continued([f"crawler crawl --sites {quote(str(args.sites_file))}", *options])
    others = [*(TRAP_HOSTS if args.traps else ()), *(HOSTS if args.hostile else ())]
    seeds = [f"http://{host}:{port}/" for host in others]
    names = f"printf 'http://site-%03d.lab:{port}/\\n' $(seq 0 {args.hosts - 1})"
    return _continued([names, "| crawler crawl --sites -", *seeds, *options])


def _continued(parts: Sequence[str]) -> str:
    """A shell's command in lines that fit a terminal where its parts allow it."""
    lines = [parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + len(part) + len("  \\") > WIDTH:
            lines.append(f" {part}")
        else:
            lines[-1] += f" {part}"
    return " \\\n ".join(lines)


def main() -> int:
    """Entry point of `python -m crawler.lab`."""
    parser = argparse.ArgumentParser(
        prog="crawler lab", description="Serve a seeded web on loopback, with its truth.", allow_abbrev=False
    )
    add_arguments(parser)
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
