// uWebSockets.js. The package is a third party's; its binaries are those of the project. It ends with status 3 if there is none for this
// machine and this version of Node.
let uws;
try {
  uws = (await import('uwebsockets')).default;
} catch (error) {
  console.error(String(error));
  process.exit(3);
}
const app = uws.App();
const settings = { compression: uws.DISABLED, maxPayloadLength: 2 * 1024 * 1024, maxBackpressure: 4 * 1024 * 1024, idleTimeout: 120 };
const subscribers = new Set();
app.ws('/echo', { ...settings, message: (socket, message, binary) => socket.send(message, binary) });
app.ws('/topic/subscribe', {
  ...settings,
  open: (socket) => { socket.subscribe('topic'); subscribers.add(socket); },
  close: (socket) => subscribers.delete(socket),
});
app.ws('/topic/publish', { ...settings, message: (socket, message, binary) => app.publish('topic', message, binary) });
app.ws('/topic/each', {
  ...settings,
  message: (socket, message, binary) => subscribers.forEach((other) => other.send(message, binary)),
});
app.listen('127.0.0.1', 0, (listening) => {
  console.log(`listening on http://127.0.0.1:${uws.us_socket_local_port(listening)}`);
});
process.stdin.on('end', () => process.exit()).resume();
