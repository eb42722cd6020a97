"""Frames streams of requests with h11. See properties/oracle.rs for the exchange of bytes on stdin and stdout."""

import platform, struct, sys

import h11

CLEAN, INCOMPLETE, REFUSED, CLOSED = range(4)


def field(content):
    return struct.pack(">I", len(content)) + content


def frame(wire):
    connection = h11.Connection(h11.SERVER)
    messages, ending, why = [], CLEAN, b""
    connection.receive_data(wire) if wire else None
    message = None
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError as error:
            ending, why = REFUSED, str(error).encode("latin-1", "replace")
            break
        if event is h11.NEED_DATA:
            begun = message is not None or connection.trailing_data[0] != b""
            ending = INCOMPLETE if begun else CLEAN
            break
        if isinstance(event, h11.Request):
            message = {"method": event.method, "target": event.target, "content": b"", "trailers": [], "whole": False}
            messages.append(message)
        elif isinstance(event, h11.Data):
            message["content"] += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            message["trailers"], message["whole"] = list(event.headers.raw_items()), True
            if message["method"] == b"CONNECT":
                ending = CLOSED
                break
            message = None
            connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is h11.MUST_CLOSE or connection.their_state is not h11.DONE:
                ending = CLOSED
                break
            connection.start_next_cycle()
        else:
            ending, why = CLOSED, repr(event).encode()
            break
    parts = []
    for message in messages:
        parts.append(bytes([1, message["whole"], len(message["trailers"])]))
        parts += [field(message[part]) for part in ("method", "target", "content")]
        parts += [field(bytes(part)) for trailer in message["trailers"] for part in trailer]
    return b"".join(parts) + bytes([0, ending]) + field(why)


source, sink = sys.stdin.buffer, sys.stdout.buffer
sink.write(field(f"h11 {h11.__version__}, Python {platform.python_version()}".encode()))
sink.flush()
while length := source.read(4):
    sink.write(frame(source.read(struct.unpack(">I", length)[0])))
    sink.flush()
