// Express without what the other servers do not do: a field of its own, and a hash of each answer.
import { join } from 'node:path';
import express from 'express';

const site = process.argv[2];
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
app.use('/files', express.static(join(site, 'public'), { index: false }));
// It may not have been compiled.
const sqlite = await import('better-sqlite3').catch(() => null);
if (sqlite) {
  const database = new sqlite.default(join(site, 'todos.db'), { readonly: true });
  const todos = database.prepare(
    'SELECT id, title, completed, place AS "order" FROM todos WHERE account = ? ORDER BY place, id',
  );
  app.get('/todos/:account', (req, res) => {
    const list = todos.all(Number(req.params.account));
    for (const todo of list) todo.completed = todo.completed === 1;
    res.json(list);
  });
}
const server = app.listen(0, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
server.keepAliveTimeout = 65000;
process.stdin.on('end', () => process.exit()).resume();
