// Frames streams of requests with Node's http server (llhttp, strict), in memory. See properties/oracle.rs for the
// exchange of bytes on stdin and stdout.
'use strict';
const http = require('node:http');
const { Duplex } = require('node:stream');

const CLEAN = 0, INCOMPLETE = 1, REFUSED = 2, CLOSED = 3;

class Connection extends Duplex {
  constructor(bytes) {
    super({ allowHalfOpen: true });
    this.incoming = bytes;
    this.messages = [];
    this.ending = CLEAN;
    this.why = '';
    this.written = '';
  }
  _read() {
    if (this.incoming !== null && this.incoming.length > 0) this.push(this.incoming);
    this.incoming = null;
    this.push(null);
  }
  _write(bytes, _encoding, done) {
    this.written += bytes.toString('latin1');
    done();
  }
}

function opened(req) {
  const message = { method: req.method, target: req.url, content: [], trailers: [], whole: false };
  req.socket.messages.push(message);
  return message;
}

function answer(req, res) {
  const message = opened(req);
  req.on('error', () => {});
  req.on('data', (chunk) => message.content.push(chunk));
  req.on('end', () => {
    message.whole = req.complete;
    message.trailers = req.rawTrailers;
    res.end();
  });
}

const server = http.createServer({ insecureHTTPParser: false, keepAliveTimeout: 0, requestTimeout: 0 }, answer);
server.on('checkContinue', answer);
server.on('checkExpectation', answer);
server.on('connect', (req, socket) => {
  opened(req).whole = true;
  socket.ending = CLOSED;
  setImmediate(() => socket.destroy());
});
// What follows an offer is another protocol's, or is dropped where nobody listens for it.
server.on('upgrade', (_req, socket) => {
  socket.ending = CLOSED;
  setImmediate(() => socket.destroy());
});
server.on('clientError', (error, socket) => {
  socket.ending = error.code === 'HPE_INVALID_EOF_STATE' ? INCOMPLETE : REFUSED;
  socket.why = `${error.code} ${error.reason || error.message}`;
  // Messages before it end in ticks.
  setImmediate(() => socket.destroy());
});

function frame(bytes) {
  return new Promise((done) => {
    const connection = new Connection(bytes);
    connection.on('error', () => {});
    connection.on('close', () => {
      // A missing Host is answered by the server itself.
      if (connection.ending === CLEAN && connection.written.includes('HTTP/1.1 400')) {
        connection.ending = REFUSED;
        connection.why = 'answered 400';
      }
      if (connection.ending === CLEAN && connection.messages.some((message) => !message.whole)) connection.ending = INCOMPLETE;
      done(connection);
    });
    server.emit('connection', connection);
  });
}

function field(bytes) {
  const content = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes, 'latin1');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  return [length, content];
}

function told({ messages, ending, why }) {
  const parts = [];
  for (const { method, target, content, trailers, whole } of messages) {
    parts.push(Buffer.from([1, whole ? 1 : 0, trailers.length / 2]));
    for (const part of [method, target, Buffer.concat(content), ...trailers]) parts.push(...field(part));
  }
  parts.push(Buffer.from([0, ending]), ...field(why));
  return Buffer.concat(parts);
}

process.stdout.write(Buffer.concat(field(`Node ${process.version}, llhttp ${process.versions.llhttp}`)));
(async () => {
  let waiting = Buffer.alloc(0);
  for await (const more of process.stdin) {
    waiting = Buffer.concat([waiting, more]);
    while (waiting.length >= 4 && waiting.length >= 4 + waiting.readUInt32BE(0)) {
      const end = 4 + waiting.readUInt32BE(0);
      const connection = await frame(waiting.subarray(4, end));
      waiting = waiting.subarray(end);
      process.stdout.write(told(connection));
    }
  }
})();
