// Express without what the other servers do not do: a field of its own, and a hash of each answer.
import express from 'express';

const app = express();
app.disable('x-powered-by');
app.disable('etag');
let requests = 0;
app.use((req, res, next) => {
  res.setHeader('X-Content-Type-Options', 'nosniff');
  res.setHeader('X-Frame-Options', 'DENY');
  next();
});
app.use((req, res, next) => {
  requests += 1;
  res.setHeader('X-Request-Id', requests.toString(16).padStart(16, '0'));
  next();
});
app.get('/hello', (req, res) => {
  res.type('text/plain');
  res.send('Hello from one loop\n');
});
app.post('/json', express.json(), (req, res) => {
  res.json(req.body);
});
app.use('/files', express.static(process.argv[2], { index: false }));
const server = app.listen(0, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
server.keepAliveTimeout = 65000;
process.stdin.on('end', () => process.exit()).resume();
