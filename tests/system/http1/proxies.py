"""The proxies that people put in front of a server, with settings that share its connections."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.system.live import until

HAPROXY = """
global
    maxconn 200
defaults
    mode http
    timeout connect 5s
    timeout client 20s
    timeout server 20s
frontend front
    bind 127.0.0.1:{port}
    default_backend models
backend models
    http-reuse always
    server one 127.0.0.1:{server}
"""
NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    upstream models {{ server 127.0.0.1:{server}; keepalive 8; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://models; proxy_http_version 1.1; proxy_set_header Connection "";
        }}
    }}
}}
"""


@contextlib.contextmanager
def haproxy(server: int, folder: Path) -> Iterator[int]:
    """HAProxy in front of the server's port; yields its own."""
    with _running(HAPROXY, ["haproxy", "-db", "-f"], server, folder) as port:
        yield port


@contextlib.contextmanager
def nginx(server: int, folder: Path) -> Iterator[int]:
    """nginx in front of the server's port; yields its own."""
    with _running(NGINX, ["nginx", "-e", "stderr", "-c"], server, folder) as port:
        yield port


@contextlib.contextmanager
def _running(config: str, command: list[str], server: int, folder: Path) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    path = folder / "proxy.conf"
    path.write_text(config.format(port=port, server=server, folder=folder))
    program = shutil.which(command[0], path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert program
    with (folder / "proxy.log").open("wb") as log:
        process = subprocess.Popen([program, *command[1:], str(path)], stdout=log, stderr=log)
    try:
        until(lambda: _listens(port) or process.poll() is not None, "the proxy")
        assert process.poll() is None, (folder / "proxy.log").read_text()
        yield port
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False
