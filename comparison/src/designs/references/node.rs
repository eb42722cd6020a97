//! Node's `http`. Its newest releases keep idle connections for 65 s, as oneloop does; older ones are told to.

use super::{Program, Reference};
use oneloop_benches::child::Launch;
use oneloop_benches::machine;

const SCRIPT: &str = r#"
const piece = Buffer.alloc(64 * 1024, 'x');
let waiting = [];
function download(res, left) {
  while (left > 0) {
    const part = left < piece.length ? piece.subarray(0, left) : piece;
    left -= part.length;
    if (!res.write(part) && left > 0) return res.once('drain', () => download(res, left));
  }
  res.end();
}
const server = require('http').createServer((req, res) => {
  res.setHeader('Content-Type', 'text/plain; charset=utf-8');
  const [path, query = ''] = req.url.split('?');
  const number = Number(query.split('=')[1] ?? 0);
  if (path === '/') {
    res.end('Hello from one loop\n');
  } else if (path === '/wait') {
    setTimeout(() => res.end('done\n'), number);
  } else if (path === '/upload') {
    let length = 0;
    req.on('data', (data) => { length += data.length; });
    req.on('end', () => res.end(String(length)));
  } else if (path === '/download') {
    res.setHeader('Content-Length', number);
    download(res, number);
  } else if (path === '/event') {
    waiting.push(res);
  } else if (path === '/publish') {
    const woken = waiting;
    waiting = [];
    for (const one of woken) one.end('event\n');
    res.end(String(woken.length));
  } else {
    res.statusCode = 404;
    res.end('404 Not Found\n');
  }
});
server.keepAliveTimeout = 65000;
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 },
  () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
process.stdin.on('end', () => process.exit()).resume();
"#;

pub fn prepare() -> Option<Reference> {
    let launch = Launch::new(machine::find_program("node")?).arg("-e").arg(SCRIPT);
    let serves = &["/", "/wait", "/upload", "/download", "/event", "/publish"];
    Some(Reference { serves, has_children: false, program: Program::Says(launch), _folder: None })
}
