// The package ws on Node, as its documentation shows it. It has no topics: what is published is sent to each.
import { createServer } from 'node:http';
import { WebSocket, WebSocketServer } from 'ws';

const server = createServer();
const sockets = new WebSocketServer({ server, maxPayload: 2 * 1024 * 1024 });
const subscribers = new Set();
sockets.on('connection', (socket, request) => {
  if (request.url === '/echo') {
    socket.on('message', (data, binary) => socket.send(data, { binary }));
  } else if (request.url === '/topic/subscribe') {
    subscribers.add(socket);
    socket.on('close', () => subscribers.delete(socket));
  } else {
    socket.on('message', (data, binary) => {
      for (const other of subscribers) {
        if (other.readyState === WebSocket.OPEN) other.send(data, { binary });
      }
    });
  }
});
server.listen(0, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
process.stdin.on('end', () => process.exit()).resume();
