"""Reads WebSocket frames with wsproto. See properties/oracle.rs for the exchange of bytes on stdin and stdout.

The first byte of a stream says who receives it: 0 a server, 1 a client. A message is told as its kind, its close code, and its content."""

import platform, struct, sys

import wsproto
from wsproto.frame_protocol import FrameProtocol, Opcode, ParseFailed

CLEAN, INCOMPLETE, REFUSED, CLOSED = range(4)
KINDS = {Opcode.TEXT: b"text", Opcode.BINARY: b"binary", Opcode.PING: b"ping", Opcode.PONG: b"pong", Opcode.CLOSE: b"close"}


def field(content):
    return struct.pack(">I", len(content)) + content


def told(kind, code, content):
    return bytes([1, 1, 0]) + field(kind) + field(code) + field(content)


def frame(wire):
    protocol = FrameProtocol(client=wire[:1] == b"\x01", extensions=[])
    parts, content, ending, why = [], b"", INCOMPLETE, b""
    try:
        protocol.receive_bytes(wire[1:])
        for event in protocol.received_frames():
            payload = event.payload
            if event.opcode is Opcode.CLOSE:
                code, reason = payload
                parts.append(told(b"close", str(int(code)).encode(), reason.encode()))
                ending = CLOSED
                break
            if event.opcode.iscontrol():
                parts.append(told(KINDS[event.opcode], b"", bytes(payload)))
                continue
            content += payload.encode() if isinstance(payload, str) else bytes(payload)
            if event.frame_finished and event.message_finished:
                parts.append(told(KINDS[event.opcode], b"", content))
                content = b""
    except ParseFailed as error:
        ending, why = REFUSED, f"{int(error.code)} {error}".encode("latin-1", "replace")
    return b"".join(parts) + bytes([0, ending]) + field(why)


source, sink = sys.stdin.buffer, sys.stdout.buffer
sink.write(field(f"wsproto {wsproto.__version__}, Python {platform.python_version()}".encode()))
sink.flush()
while length := source.read(4):
    sink.write(frame(source.read(struct.unpack(">I", length)[0])))
    sink.flush()
