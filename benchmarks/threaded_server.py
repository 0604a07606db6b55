"""A threaded fan-out over plain sockets, written after arXiv 2403.09789 to be measured against; never to be used.

Each message is a length in a header of 64 bytes, then a pickle. One thread a connection; the thread of the recorder
confirms a message and then writes it to one processor after the other.
"""

import pickle
import socket
import threading
from typing import Any

HEADER_BYTES = 64
ACKNOWLEDGED = b"Message received."
WELCOME = b"Connection has been established"


def connect(port: int) -> socket.socket:
    """Small messages go out at once: with the default, Nagle's algorithm would add 40 ms to each."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def send(connection: socket.socket, message: dict[str, Any]) -> None:
    body = pickle.dumps(message)
    connection.sendall(str(len(body)).encode().ljust(HEADER_BYTES))
    connection.sendall(body)


def receive(connection: socket.socket) -> dict[str, Any]:
    """Raises EOFError at the end of the connection."""
    message: dict[str, Any] = pickle.loads(read(connection, int(read(connection, HEADER_BYTES))))
    return message


def read(connection: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = connection.recv(size - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)


class ThreadedServer:
    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.processors = dict[str, socket.socket]()

    def serve(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._handle, args=(connection,), daemon=True).start()

    def _handle(self, connection: socket.socket) -> None:
        while True:
            try:
                message = receive(connection)
            except (EOFError, OSError):
                return
            if message["node"] == "processor":
                self.processors[message["name"]] = connection
                connection.sendall(WELCOME)
            else:
                connection.sendall(ACKNOWLEDGED)
                for processor in list(self.processors.values()):
                    send(processor, message)


def main() -> None:
    server = ThreadedServer()
    print(server.port, flush=True)
    server.serve()


if __name__ == "__main__":
    main()
