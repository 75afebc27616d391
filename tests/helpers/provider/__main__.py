"""``python -m tests.helpers.provider --script S --port 0 --ready-file F --log L [--var name=value]``."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from pathlib import Path

from tests.helpers.provider.script import Script
from tests.helpers.provider.server import Provider


async def _serve(arguments: argparse.Namespace) -> None:
    variables = dict(pair.split("=", 1) for pair in arguments.var)
    script = Script.from_json(json.loads(await asyncio.to_thread(arguments.script.read_text)), variables)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Provider(script, port=arguments.port, log=arguments.log) as provider:
        if arguments.ready_file is not None:
            beside = arguments.ready_file.with_name(arguments.ready_file.name + ".new")
            await asyncio.to_thread(beside.write_text, provider.anthropic_url)
            beside.rename(arguments.ready_file)
        await stop.wait()


def main() -> None:
    """Parse the command line and serve until a signal."""
    parser = argparse.ArgumentParser(prog="python -m tests.helpers.provider", description=__doc__)
    parser.add_argument("--script", type=Path, required=True, help="the script, as JSON")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ready-file", type=Path, help="gets the base URL once the socket listens")
    parser.add_argument("--log", type=Path, help="gets one JSON line for each exchange")
    parser.add_argument("--var", action="append", default=[], metavar="NAME=VALUE", help="a variable of the script")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
