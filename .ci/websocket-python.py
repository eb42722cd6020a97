#!/usr/bin/env python3
"""The part of `.ci/websocket` that needs Python: websockets and websocket-client as clients of the example ws_cases, and a server of
websockets that does the same as that example.

usage: .ci/websocket-python.py URL...     goes through the cases at each address; what stands behind the first is a proxy
       .ci/websocket-python.py serve      prints its port, and serves until it is ended
"""

import http, sys

import websocket
import websockets.exceptions, websockets.sync.client, websockets.sync.server

MIB = 1024 * 1024
# Seconds; much more than any of it needs.
PATIENCE = 60


def expect_equal(found, wanted):
    if found != wanted:
        raise AssertionError(f"got {str(found)[:200]!r}, wanted {str(wanted)[:200]!r}")


def open_one(url, **more):
    return websockets.sync.client.connect(url, open_timeout=PATIENCE, close_timeout=PATIENCE, max_size=2 * MIB, **more)


def closed(call):
    try:
        call()
    except websockets.exceptions.ConnectionClosed as end:
        return (end.rcvd.code, end.rcvd.reason) if end.rcvd else (1006, "")
    raise AssertionError("the connection is not closed")


def with_websockets(url):
    for more in [{}, {"compression": None}]:
        with open_one(url + "/echo", **more) as socket:
            for message in ["hello", "", "grüße 🌱", b"\x00\xff", b"", b"x" * MIB, "é" * (MIB // 2)]:
                socket.send(message)
                expect_equal(socket.recv(PATIENCE), message)
            # Fragments, with a ping between them.
            socket.send(["frag", "men", "ted"])
            expect_equal(socket.recv(PATIENCE), "fragmented")
            if not socket.ping("ping").wait(PATIENCE):
                raise AssertionError("no pong")
            socket.send(b"x" * 16 * MIB)
            expect_equal(closed(lambda: socket.recv(PATIENCE))[0], 1009)
    with open_one(url + "/close") as socket:
        socket.send("4001 bye")
        expect_equal(closed(lambda: socket.recv(PATIENCE)), (4001, "bye"))
    with open_one(url + "/ping") as socket:
        socket.send("are you there?")
        expect_equal(socket.recv(PATIENCE), "are you there?")
    with open_one(url + "/protocol", subprotocols=["v9", "v1"]) as socket:
        expect_equal((socket.subprotocol, socket.recv(PATIENCE)), ("v1", "v1"))
    try:
        open_one(url + "/echo", origin="http://127.0.0.1:1")
    except websockets.exceptions.InvalidStatus as refused:
        expect_equal(refused.response.status_code, http.HTTPStatus.FORBIDDEN)
    else:
        raise AssertionError("a page of elsewhere was let in")


def with_websocket_client(url):
    socket = websocket.create_connection(url + "/echo", timeout=PATIENCE)
    for message in ["hello", "", "grüße 🌱", "é" * (MIB // 2)]:
        socket.send(message)
        expect_equal(socket.recv(), message)
    for message in [b"\x00\xff", b"", b"x" * MIB]:
        socket.send_binary(message)
        expect_equal(socket.recv(), message)
    socket.ping("ping")
    expect_equal(socket.recv_data(control_frame=True), (websocket.ABNF.OPCODE_PONG, b"ping"))
    socket.send_close(4002, b"done")
    opcode, content = socket.recv_data(control_frame=True)
    expect_equal((opcode, content[:2]), (websocket.ABNF.OPCODE_CLOSE, (4002).to_bytes(2, "big")))
    socket.shutdown()
    socket = websocket.create_connection(url + "/protocol", timeout=PATIENCE, subprotocols=["v2"])
    expect_equal((socket.getsubprotocol(), socket.recv()), ("v2", "v2"))
    socket.close()


def handle(socket):
    path = socket.request.path.split("?")[0]
    try:
        for message in socket:
            answer(socket, path, message)
    except websockets.exceptions.ConnectionClosed:
        pass


def answer(socket, path, message):
    if path == "/echo":
        socket.send(message)
    elif path == "/ping":
        if socket.ping(message).wait(PATIENCE):
            socket.send(message)
    else:
        code, _, reason = message.partition(" ")
        if code.isdigit():
            socket.close(int(code), reason)
        else:
            socket.socket.shutdown(2)


def serve():
    server = websockets.sync.server.serve(handle, "127.0.0.1", 0, max_size=MIB)
    print(f"localhost:{server.socket.getsockname()[1]}", flush=True)
    server.serve_forever()


if sys.argv[1:] == ["serve"]:
    serve()
else:
    for url in sys.argv[1:]:
        with_websockets(url)
        with_websocket_client(url)
    print(f"websockets {websockets.__version__}, websocket-client {websocket.__version__}")
