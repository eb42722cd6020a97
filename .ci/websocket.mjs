// Drives WebSockets as their users do. See `.ci/websocket`.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { createRequire } from "node:module";
import { join } from "node:path";
import { cases } from "./websocket-cases.mjs";

const [folder, shots, examples, browserPath, nginxPath, python] = process.argv.slice(2);
const require = createRequire(join(folder, "x.js"));
const { WebSocket, WebSocketServer } = require("ws");
/** How long this machine may take for what it does in a moment when it is idle, in milliseconds. */
const PATIENCE = 60_000;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until something is as it should be, and says what it was last where that never comes. */
async function until(look, is) {
  for (const began = performance.now(); ;) {
    const seen = await look();
    if (is(seen)) return seen;
    if (performance.now() - began > PATIENCE) throw new Error(`it stays ${JSON.stringify(seen)}`);
    await sleep(50);
  }
}

const within = (promise, what) => Promise.race([promise, sleep(PATIENCE).then(() => { throw new Error(`no end of ${what}`); })]);

// ---- The other programs

const children = [];

/** Starts a program, and returns its lines and the port that one of them names. */
async function start(command, args, pattern = /localhost:(\d+)/) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const lines = [];
  const listening = new Promise((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (bytes) => {
      text += bytes;
      const parts = text.split("\n");
      text = parts.pop();
      lines.push(...parts);
      const port = parts.map((line) => line.match(pattern)?.[1]).find(Boolean);
      if (port) resolve(Number(port));
    });
    child.on("exit", (code) => reject(new Error(`${command} ended with ${code}`)));
  });
  listening.catch(() => {});
  const ended = new Promise((resolve) => child.on("exit", (code) => resolve(code)));
  return { child, lines, listening, ended };
}

async function serve(example, ...args) {
  const server = await start(join(examples, example), [...args, "0"]);
  return { ...server, port: await within(server.listening, example) };
}

const freePort = () => new Promise((resolve) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

/** nginx before a server, with what the guide says about it. */
async function proxy(to) {
  const port = await freePort(), place = mkdtempSync(join(folder, "nginx-"));
  const guide = readFileSync("src/guide/websockets.md", "utf8").split("# Behind nginx")[1];
  const location = guide.match(/location \/chat \{[^}]*\}/)[0].replace("/chat", "/").replace("http://garden", `http://127.0.0.1:${to}`);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${place}/${name};`);
  writeFileSync(join(place, "nginx.conf"), `daemon off; pid ${place}/pid; error_log ${place}/error.log;
    events {} http { access_log off; ${temporary.join(" ")} server { listen 127.0.0.1:${port}; ${location} } }`);
  const { child } = await start(nginxPath, ["-p", place, "-c", join(place, "nginx.conf"), "-e", join(place, "error.log")]);
  const answers = () => fetch(`http://127.0.0.1:${port}/`).then((answer) => answer.status, () => child.exitCode ?? "nothing");
  await until(answers, (status) => status === 200);
  return port;
}

/** The server of npm's `ws`, which does what the example ws_cases does. */
function foreignServer() {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", maxPayload: 1 << 20 });
  server.on("connection", (socket, { url }) => {
    const path = url.split("?")[0];
    socket.on("error", () => {});
    socket.on("pong", (content) => { if (path === "/ping") socket.send(content.toString()); });
    socket.on("message", (data, isBinary) => {
      const [code, ...reason] = path === "/close" ? data.toString().split(" ") : [];
      if (path === "/echo") socket.send(data, { binary: isBinary });
      else if (path === "/ping") socket.ping(data);
      else if (Number(code)) socket.close(Number(code), reason.join(" "));
      else socket.terminate();
    });
  });
  return new Promise((resolve) => server.on("listening", () => resolve({ server, port: server.address().port })));
}

// ---- The steps

const steps = [];
const step = (name, run) => steps.push([name, run]);
const without = (what, name) => {
  steps.push([name, () => {
    if (process.env.CI === "true") throw new Error(`MISSING: ${what}`);
    return `SKIPPED: ${what} is not installed`;
  }]);
};

const ws_cases = await serve("ws_cases");
const foreign = await foreignServer();
const direct = `127.0.0.1:${ws_cases.port}`;
const proxied = nginxPath ? `127.0.0.1:${await proxy(ws_cases.port)}` : null;
const pythons = python ? await within((await start(python, [".ci/websocket-python.py", "serve"])).listening, "python") : null;

/** How ws_cases saw the end of the sockets with these numbers. */
async function ends(numbers) {
  const lines = await until(
    async () => (await (await fetch(`http://${direct}/ends`)).text()).split("\n").filter((line) => numbers.includes(Number(line.split(" ")[0]))),
    (lines) => lines.length >= numbers.length);
  // Some peers send back the reason of a close that our side has begun, others only its code.
  return lines.map((line) => line.slice(line.indexOf(" ") + 1).replace(/".*" (.*by_peer=false)/, '"" $1'));
}

let number = 0;
/** All cases, and the ends of those that have one at our server. */
async function all(run, base, options = {}) {
  const first = number + 1;
  number += 10;
  const { failed, count, numbered } = await within(run(base, { first, ...options }), `the cases at ${base}`);
  assert.deepEqual(failed, []);
  if (options.relayed) return `${count} cases`;
  assert.deepEqual(await ends(numbered.map(([number]) => number)), numbered.map(([, end]) => end));
  return `${count} cases`;
}

const byNode = (base, options) => cases(WebSocket, base, options);

step("npm ws, as a client", () => all(byNode, `ws://${direct}`, { compressed: true }));
if (proxied) step("npm ws, as a client, through nginx", () => all(byNode, `ws://${proxied}`, { compressed: true }));
else without("nginx", "npm ws, as a client, through nginx");
step("our client, beside the server of npm ws", () => all(byNode, `ws://${direct}/relay?ws://127.0.0.1:${foreign.port}`, { relayed: true }));
if (pythons) step("our client, beside the server of Python websockets", () => all(byNode, `ws://${direct}/relay?ws://127.0.0.1:${pythons}`, { relayed: true }));
else without("Python's websockets", "our client, beside the server of Python websockets");

step("npm ws: pings, fragments, and a page of elsewhere", async () => {
  for (const host of [direct, proxied].filter(Boolean)) {
    const socket = new WebSocket(`ws://${host}/echo`), told = [];
    const closed = new Promise((resolve) => socket.on("close", resolve));
    socket.on("open", () => {
      socket.send("frag", { fin: false });
      socket.ping("between");
      socket.send("mented", { fin: true });
    });
    socket.on("pong", (content) => told.push(`pong ${content}`));
    socket.on("message", (data) => { told.push(String(data)); socket.close(); });
    await within(closed, "fragments");
    assert.deepEqual(told, ["pong between", "fragmented"]);
    const refused = new WebSocket(`ws://${host}/echo`, { origin: "http://127.0.0.1:1" });
    refused.on("error", () => {});
    const status = new Promise((resolve) => refused.on("unexpected-response", (_, answer) => resolve(answer.statusCode)));
    assert.equal(await within(status, "a refusal"), 403);
  }
});

step("the example ws_client beside the server of npm ws", async () => {
  let times = 0;
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  server.on("connection", (socket) => {
    times++;
    socket.on("pong", () => socket.close(4001, "bye"));
    socket.send("welcome");
    socket.ping();
  });
  await new Promise((resolve) => server.on("listening", resolve));
  const { lines, child } = await start(join(examples, "ws_client"), [`ws://127.0.0.1:${server.address().port}`]);
  await until(() => lines.length, (count) => count >= 6);
  child.kill();
  server.close();
  assert.deepEqual(lines.slice(0, 6), ["connected", "welcome", "closed: 4001 bye finished", "connected", "welcome", "closed: 4001 bye finished"]);
  assert(times >= 2);
});

if (python) {
  step("Python websockets and websocket-client", async () => {
    const hosts = [direct, proxied].filter(Boolean);
    const { ended, lines } = await start(python, [".ci/websocket-python.py", ...hosts.map((host) => `ws://${host}`)]);
    assert.equal(await within(ended, "python"), 0, lines.join("\n"));
    return lines.at(-1);
  });
} else {
  without("Python's websockets or websocket-client", "Python websockets and websocket-client");
}

if (browserPath) {
  const { browserSteps } = await import("./websocket-browser.mjs");
  await browserSteps({ step, require, browserPath, serve, shots, until, sleep, direct, proxied, PATIENCE, all, cases });
} else {
  without("Chromium", "Chromium");
}

const began = performance.now();
let failed = 0;
for (const [name, run] of steps) {
  if (process.env.ONLY && !name.includes(process.env.ONLY)) continue;
  try {
    const more = await run();
    console.log(more?.startsWith("SKIPPED") ? `${more}: ${name}` : `ok      ${name}${more ? `: ${more}` : ""}`);
  } catch (error) {
    failed++;
    console.log(`FAILED  ${name}\n${error.stack}`);
  }
}
children.forEach((child) => child.kill());
console.log(`${failed === 0 ? "all well" : `${failed} failed`} in ${Math.round((performance.now() - began) / 1000)} s`);
process.exit(failed === 0 ? 0 : 1);
