"""From a path to a running server: the socket first, so that a port in use is a line; then uvicorn."""

import errno
import signal
import socket
import webbrowser
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import uvicorn

from doldari.errors import ConfigError
from doldari.web.app import make_app
from doldari.web.guard import LOOPBACK, Guard
from doldari.web.served import Served
from doldari.web.worker import Worker

IDLE = 10  # seconds after which an idle connection is closed


def serve(path: Path, host: str, port: int, open_page: bool, tell: Callable[[str], None]) -> None:
    """Serve until interrupted; tell is given the page's address.  ConfigError where it cannot listen there."""
    private = is_loopback(host)
    with bound(host, port) as listening:
        url = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}/"
        served, worker = Served(path, private=private), Worker()
        app = Guard(make_app(served, worker), LOOPBACK if private else None)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_keep_alive=IDLE,
            lifespan="on",
            timeout_graceful_shutdown=3,
        )
        for number in (signal.SIGINT, signal.SIGTERM):  # what uvicorn passes on when it has ended
            signal.signal(number, lambda *_: None)
        tell(url)
        if open_page:
            webbrowser.open(url)  # the socket listens: the browser waits for it
        uvicorn.Server(config).run(sockets=[listening])


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can call a host."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def bound(host: str, port: int) -> socket.socket:
    """Listen at a host and a port; 0 is any free one."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"{{host}}: {error.strerror or error}", host=host) from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(1024)
    except PermissionError as error:
        listening.close()
        raise ConfigError("{port}: not permitted; choose one above 1023", port=port) from error
    except OSError as error:
        listening.close()
        if error.errno != errno.EADDRINUSE:
            raise ConfigError(f"{{host}}: {error.strerror or error}", host=host) from error
        raise ConfigError(
            f"{{port}}: already in use; choose another, such as --port {port + 1}", port=port
        ) from error
    return listening
