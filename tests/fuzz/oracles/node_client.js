// Frames answers with Node's http client (llhttp, strict), in memory. See properties/oracle.rs for the exchange of bytes on
// stdin and stdout, and properties/answers.rs for the first byte of a stream.
'use strict';
const http = require('node:http');
const { Duplex } = require('node:stream');

const CLEAN = 0, INCOMPLETE = 1, REFUSED = 2, CLOSED = 3;
const METHODS = ['GET', 'HEAD'];

// It answers when the request has been written, and then ends its side.
class Connection extends Duplex {
  constructor(bytes) {
    super({ allowHalfOpen: true });
    this.incoming = bytes;
    this.asked = false;
    this.wanted = false;
  }
  _read() {
    this.wanted = true;
    this.answer();
  }
  _write(_bytes, _encoding, done) {
    this.asked = true;
    done();
    this.answer();
  }
  answer() {
    if (!this.asked || !this.wanted || this.incoming === null) return;
    const bytes = this.incoming;
    this.incoming = null;
    setImmediate(() => {
      if (this.destroyed) return;
      if (bytes.length > 0) this.push(bytes);
      this.push(null);
    });
  }
  // What a socket has and the client calls.
  setTimeout() { return this; }
  setNoDelay() { return this; }
  setKeepAlive() { return this; }
  ref() { return this; }
  unref() { return this; }
}

function frame(stream) {
  return new Promise((done) => {
    const told = { messages: [], ending: INCOMPLETE, why: '' };
    if (stream.length === 0) return done({ ...told, ending: CLEAN });
    const method = METHODS[stream[0] % 2];
    const connection = new Connection(stream.subarray(1));
    const open = (status) => {
      const message = { method: String(status), content: [], trailers: [], whole: false };
      told.messages.push(message);
      return message;
    };
    let over = false;
    const finish = (ending, why) => {
      if (over) return;
      over = true;
      told.ending = ending;
      told.why = why || '';
      setImmediate(() => { connection.destroy(); done(told); });
    };
    connection.on('error', () => {});
    connection.on('close', () => setImmediate(() => finish(INCOMPLETE)));
    const req = http.request({ method, path: '/', headers: { Host: 'a' }, createConnection: () => connection });
    req.on('error', (error) => {
      const cut = ['ECONNRESET', 'HPE_INVALID_EOF_STATE'].includes(error.code);
      finish(cut ? INCOMPLETE : REFUSED, `${error.code} ${error.reason || error.message}`);
    });
    req.on('information', (info) => { open(info.statusCode).whole = true; });
    req.on('upgrade', () => finish(REFUSED, 'an upgrade'));
    req.on('response', (res) => {
      const message = open(res.statusCode);
      res.on('data', (chunk) => message.content.push(chunk));
      res.on('error', () => {});
      res.on('end', () => {
        message.whole = res.complete;
        message.trailers = res.rawTrailers;
        setImmediate(() => finish(CLEAN));
      });
      res.on('close', () => setImmediate(() => finish(res.complete ? CLEAN : INCOMPLETE)));
    });
    req.end();
  });
}

function field(bytes) {
  const content = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes, 'latin1');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  return [length, content];
}

function encoded({ messages, ending, why }) {
  const parts = [];
  for (const { method, content, trailers, whole } of messages) {
    parts.push(Buffer.from([1, whole ? 1 : 0, trailers.length / 2]));
    for (const part of [method, '', Buffer.concat(content), ...trailers]) parts.push(...field(part));
  }
  parts.push(Buffer.from([0, ending]), ...field(why));
  return Buffer.concat(parts);
}

process.stdout.write(Buffer.concat(field(`Node ${process.version} as a client, llhttp ${process.versions.llhttp}`)));
(async () => {
  let waiting = Buffer.alloc(0);
  for await (const more of process.stdin) {
    waiting = Buffer.concat([waiting, more]);
    while (waiting.length >= 4 && waiting.length >= 4 + waiting.readUInt32BE(0)) {
      const end = 4 + waiting.readUInt32BE(0);
      const answer = await frame(waiting.subarray(4, end));
      waiting = waiting.subarray(end);
      process.stdout.write(encoded(answer));
    }
  }
})();
