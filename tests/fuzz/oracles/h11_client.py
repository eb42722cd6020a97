"""Frames answers with h11, as a client. See properties/oracle.rs for the exchange of bytes on stdin and stdout, and
properties/answers.rs for the first byte of a stream."""

import platform, struct, sys

import h11

CLEAN, INCOMPLETE, REFUSED, CLOSED = range(4)
METHODS = ["GET", "HEAD"]


def field(content):
    return struct.pack(">I", len(content)) + content


def frame(stream):
    if not stream:
        return bytes([0, CLEAN]) + field(b"")
    method, wire = METHODS[stream[0] % 2], stream[1:]
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    messages, ending, why = [], INCOMPLETE, b""
    connection.receive_data(wire) if wire else None
    ended = False
    while True:
        try:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                if ended:
                    break
                ended = True
                connection.receive_data(b"")
                continue
        except h11.RemoteProtocolError as error:
            # An end within a message is no mistake of the grammar.
            cut = ended and any(word in str(error) for word in ("closed", "ConnectionClosed"))
            ending, why = (INCOMPLETE if cut else REFUSED), str(error).encode("latin-1", "replace")
            break
        if isinstance(event, h11.InformationalResponse):
            messages.append({"method": b"%d" % event.status_code, "content": b"", "trailers": [], "whole": True})
        elif isinstance(event, h11.Response):
            messages.append({"method": b"%d" % event.status_code, "content": b"", "trailers": [], "whole": False})
        elif isinstance(event, h11.Data):
            messages[-1]["content"] += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            messages[-1]["trailers"], messages[-1]["whole"] = list(event.headers.raw_items()), True
            ending = CLOSED if connection.trailing_data[0] else CLEAN
            break
        elif event is h11.PAUSED:
            if messages:
                messages[-1]["whole"] = True
            ending = CLOSED
            break
        else:
            ending, why = INCOMPLETE, repr(event).encode()
            break
    parts = []
    for message in messages:
        parts.append(bytes([1, message["whole"], len(message["trailers"])]))
        parts += [field(message["method"]), field(b""), field(message["content"])]
        parts += [field(bytes(part)) for trailer in message["trailers"] for part in trailer]
    return b"".join(parts) + bytes([0, ending]) + field(why)


source, sink = sys.stdin.buffer, sys.stdout.buffer
sink.write(field(f"h11 {h11.__version__} as a client, Python {platform.python_version()}".encode()))
sink.flush()
while length := source.read(4):
    sink.write(frame(source.read(struct.unpack(">I", length)[0])))
    sink.flush()
