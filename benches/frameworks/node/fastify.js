// Fastify with a schema for the answer, as its documentation recommends for speed.
import { join } from 'node:path';
import fastify from 'fastify';
import files from '@fastify/static';

const app = fastify({ keepAliveTimeout: 65000 });
let requests = 0;
app.addHook('onRequest', (request, reply, done) => {
  reply.header('X-Content-Type-Options', 'nosniff');
  reply.header('X-Frame-Options', 'DENY');
  done();
});
app.addHook('onRequest', (request, reply, done) => {
  requests += 1;
  reply.header('X-Request-Id', requests.toString(16).padStart(16, '0'));
  done();
});
app.get('/hello', (request, reply) => {
  reply.type('text/plain; charset=utf-8').send('Hello from one loop\n');
});
const item = {
  type: 'object',
  properties: { id: { type: 'integer' }, name: { type: 'string' }, done: { type: 'boolean' } },
};
const list = {
  type: 'object',
  properties: { title: { type: 'string' }, items: { type: 'array', items: item } },
};
app.post('/json', { schema: { response: { 200: list } } }, (request, reply) => {
  reply.send(request.body);
});
app.register(files, { root: join(process.argv[2], 'public'), prefix: '/files/', index: false });
await app.listen({ port: 0, host: '127.0.0.1' });
console.log(`listening on http://127.0.0.1:${app.server.address().port}`);
process.stdin.on('end', () => process.exit()).resume();
