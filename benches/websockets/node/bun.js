// Bun's own server.
const subscribers = new Set();
const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  fetch(request, server) {
    const path = new URL(request.url).pathname;
    return server.upgrade(request, { data: path }) ? undefined : new Response('WebSockets only\n');
  },
  websocket: {
    maxPayloadLength: 2 * 1024 * 1024,
    backpressureLimit: 4 * 1024 * 1024,
    perMessageDeflate: false,
    open(socket) {
      if (socket.data !== '/topic/subscribe') return;
      socket.subscribe('topic');
      subscribers.add(socket);
    },
    message(socket, message) {
      if (socket.data === '/echo') socket.send(message);
      else if (socket.data === '/topic/publish') server.publish('topic', message);
      else if (socket.data === '/topic/each') subscribers.forEach((other) => other.send(message));
    },
    close: (socket) => void subscribers.delete(socket),
  },
});
console.log(`listening on http://127.0.0.1:${server.port}`);
process.stdin.on('end', () => process.exit()).resume();
