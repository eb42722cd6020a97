const express = require('express');
const cors = require('cors');
const morgan = require('morgan');
const fs = require('fs/promises');
const file = process.argv[3] || 'todos.json';
let todos = new Map(),
  next = 1,
  saving = null,
  dirty = false;

async function save() {
  dirty = true;
  if (saving) return;
  while (dirty) {
    dirty = false;
    saving = fs
      .writeFile(file + '.new', JSON.stringify([...todos.values()]))
      .then(() => fs.rename(file + '.new', file))
      .catch((e) => console.error('not saved', e));
    await saving;
  }
  saving = null;
}

const app = express();
app.use(morgan('tiny'), cors(), express.json({ limit: '64kb' }));
app.param('id', (req, res, next, id) => {
  req.todo = todos.get(Number(id));
  req.todo ? next() : res.status(404).json({ error: 'no such todo' });
});
app
  .route('/todos')
  .get((req, res) => {
    const { done } = req.query;
    if (done !== undefined && done !== 'true' && done !== 'false')
      return res.status(400).json({ error: 'done has to be true or false' });
    res.json([...todos.values()].filter((t) => done === undefined || t.done === (done === 'true')));
  })
  .post((req, res) => {
    if (typeof req.body?.title !== 'string' || !req.body.title.trim())
      return res.status(422).json({ error: 'a title is needed' });
    const todo = { id: next++, title: req.body.title, done: !!req.body.done };
    todos.set(todo.id, todo);
    save();
    res.status(201).json(todo);
  })
  .all((req, res) => res.set('Allow', 'GET, HEAD, POST').status(405).json({ error: 'not allowed' }));
app
  .route('/todos/:id')
  .get((req, res) => res.json(req.todo))
  .patch((req, res) => {
    if (typeof req.body?.title === 'string') req.todo.title = req.body.title;
    if (typeof req.body?.done === 'boolean') req.todo.done = req.body.done;
    save();
    res.json(req.todo);
  })
  .delete((req, res) => {
    todos.delete(req.todo.id);
    save();
    res.status(204).end();
  })
  .all((req, res) => res.set('Allow', 'GET, HEAD, PATCH, DELETE').status(405).json({ error: 'not allowed' }));
app.use((req, res) => res.status(404).json({ error: 'there is nothing here' }));
app.use((err, req, res, next) => res.status(err.status || 500).json({ error: err.message }));

(async () => {
  try {
    for (const t of JSON.parse(await fs.readFile(file, 'utf8'))) {
      todos.set(t.id, t);
      next = Math.max(next, t.id + 1);
    }
  } catch (e) {
    if (e.code !== 'ENOENT') throw e;
  }
  const server = app.listen(process.argv[2] || 7777, () => console.log('listening'));
  for (const s of ['SIGTERM', 'SIGINT'])
    process.on(s, () =>
      server.close(async () => {
        await saving;
        process.exit();
      }),
    );
})();
