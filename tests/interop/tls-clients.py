# SPDX-License-Identifier: Apache-2.0
"""tls-clients.py PORT CERTIFICATE COUNT CONNECTIONS: so many full handshakes, so many at a time."""

import socket
import ssl
import sys
import threading

port, certificate, count, connections = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
context = ssl.create_default_context(cafile=certificate)
left = count
lock = threading.Lock()
failures = []


def client():
    global left
    while True:
        with lock:
            if left <= 0 or failures:
                return
            left -= 1
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=60) as plain:
                with context.wrap_socket(plain, server_hostname="localhost") as tls:
                    tls.sendall(b"GET /index.html HTTP/1.0\r\nHost: localhost\r\n\r\n")
                    answer = b""
                    while part := tls.recv(4096):
                        answer += part
                    if b"200 OK" not in answer:
                        raise ValueError(answer)
        except (OSError, ValueError) as error:
            failures.append(repr(error))


threads = [threading.Thread(target=client) for _ in range(connections)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if failures:
    sys.exit(failures[0])
print(count, "handshakes")
