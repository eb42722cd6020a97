// Drives the demo of the loop as its users do. See `.ci/browser`.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import net from "node:net";
import { join } from "node:path";

const [folder, browserPath, program, shots] = process.argv.slice(2);
const require = createRequire(join(folder, "x.js"));
const puppeteer = require("puppeteer-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
/** How long this machine may take for what it does in a moment when it is idle, in milliseconds. */
const PATIENCE = 30_000;

/** A machine that is busy puts somebody off now and then, but not each time; a fault is there each time. */
async function oneOf(times, run) {
  for (let time = 1; ; time++) {
    try {
      return await run();
    } catch (error) {
      if (time === times) throw error;
      console.log(`again   ${error.message.split("\n")[0]}`);
    }
  }
}

/** Waits until something is as it should be, and says what it was last where that never comes. */
async function until(look, is) {
  for (const began = performance.now(); ;) {
    const seen = await look();
    if (is(seen)) return seen;
    if (performance.now() - began > PATIENCE) throw new Error(`it stays ${JSON.stringify(seen)}`);
    await sleep(50);
  }
}

// ---- The server

async function serve(port) {
  const child = spawn(program, [String(port)], { stdio: ["ignore", "pipe", "inherit"] });
  const ports = await new Promise((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (bytes) => {
      text += bytes;
      const found = [...text.matchAll(/localhost:(\d+)/g)].map((match) => Number(match[1]));
      if (found.length === 2) resolve(found);
    });
    child.on("exit", (code) => reject(new Error(`the server ended: ${code}`)));
  });
  const ended = new Promise((resolve) => child.on("exit", resolve));
  return { port: ports[0], stop: async () => { child.kill(); await ended; } };
}

/** A client from outside, which times itself. */
function ask(port, path, { method = "GET", headers = {}, agent } = {}) {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const request = http.request({ host: "127.0.0.1", port, path, method, agent, headers: { Host: `localhost:${port}`, ...headers } }, (response) => {
      let body = "";
      response.on("data", (bytes) => { body += bytes; });
      response.on("end", () => resolve({ status: response.statusCode, body, took: performance.now() - began }));
    });
    request.on("error", reject);
    request.end();
  });
}

// ---- The browser

const browser = await puppeteer.launch({ executablePath: browserPath, headless: true, args: ["--no-sandbox", "--disable-gpu"] });
/** What pages complained of, unless the server was away on purpose. */
const complaints = [];
let away = false;

async function open(url, { width = 1280, scheme = "light", motion = "no-preference" } = {}) {
  const page = await browser.newPage();
  const complain = (text) => { if (!away) complaints.push(`${url}: ${text}`); };
  page.on("console", (message) => { if (["error", "warn"].includes(message.type())) complain(message.text()); });
  page.on("pageerror", (error) => complain(error.stack ?? String(error)));
  page.on("response", (response) => { if (response.status() >= 400) complain(`${response.status()} ${response.url()}`); });
  await look(page, { width, scheme, motion });
  await page.goto(url);
  await live(page);
  return page;
}

async function look(page, { width, scheme, motion = "no-preference" }) {
  await page.setViewport({ width, height: width < 500 ? 740 : 900 });
  await page.emulateMediaFeatures([
    { name: "prefers-color-scheme", value: scheme },
    { name: "prefers-reduced-motion", value: motion },
  ]);
}

/** Messages come. */
async function live(page) {
  await page.waitForFunction(() => {
    const feed = globalThis.oneloop?.feed;
    return feed && feed.state === "live" && feed.pieces.length > 5 && feed.numbers && performance.now() - feed.heard < 1000;
  }, { polling: 50, timeout: PATIENCE });
}

/** All of it, or what is seen from the ribbon on. */
async function photograph(page, name, { full = true } = {}) {
  for (const scheme of ["light", "dark"]) {
    for (const width of [1280, 360]) {
      await look(page, { width, scheme });
      await page.evaluate((full) => (full ? scrollTo(0, 0) : document.getElementById("ribbon-title").scrollIntoView()), full);
      await sleep(150);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert(overflow <= 0, `${name} is ${overflow} px too wide at ${width} px`);
      await page.screenshot({ path: join(shots, `${name}-${scheme}-${width}.png`), fullPage: full });
    }
  }
  await look(page, { width: 1280, scheme: "light" });
}

async function accessible(page, name) {
  for (const scheme of ["light", "dark"]) {
    await look(page, { width: 1280, scheme });
    await sleep(100);
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"], rules: { "target-size": { enabled: true } } }));
    const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join("\n  ")}`);
    assert.equal(told.length, 0, `${name}, ${scheme}:\n${told.join("\n")}`);
  }
  await look(page, { width: 1280, scheme: "light" });
}

async function press(page, name) {
  await page.click(`#try-${name} button`);
  await page.waitForFunction((name) => {
    const state = document.querySelector(`#try-${name} [role=status]`).textContent;
    if (/^(That did not work|Wait)/.test(state)) throw new Error(state);
    return state === "Measured:";
  }, { polling: 100, timeout: 4 * PATIENCE }, name);
  // What the clients say of this loop and of the thread pool, and the sentences below.
  return page.$eval(`#try-${name}`, (card) => ({
    rows: Object.fromEntries([...card.querySelectorAll("tbody tr")].map((row) => [row.cells[0].innerText, [...row.cells].slice(1).map((cell) => cell.innerText)])),
    text: card.innerText,
  }));
}

/** Milliseconds of what the page calls a time. */
function ms(text) {
  const [, number, unit] = text.match(/^([\d.]+) (s|ms|µs)$/);
  return Number(number) * { s: 1000, ms: 1, "µs": 0.001 }[unit];
}

// ---- What is to hold

const steps = [];
function step(name, run) { steps.push([name, run]); }

let server = await serve(0);
const site = () => `http://localhost:${server.port}`;
let page;

step("the page lives, and says so", async () => {
  page = await open(`${site()}/`);
  await until(() => page.$eval("#state", (state) => state.textContent), (text) => text.startsWith("Live"));
  await until(() => page.evaluate(() => oneloop.feed.at - oneloop.feed.pieces[0].t), (kept) => kept > 1e6);
  await accessible(page, "idle");
  await photograph(page, "idle");
});

/** The page's numbers, as they are read there. */
const numbers = () => page.$$eval("#numbers dl > div, #numbers tbody tr", (all) =>
  Object.fromEntries(all.map((one) => one.cells
    ? [one.cells[0].textContent, Number(one.cells[1].textContent.replaceAll(",", ""))]
    : [one.querySelector("dt").textContent, one.innerText])));
const soFar = (told) => Number(told["Requests a second"].match(/([\d,]+) so far/)[1].replaceAll(",", ""));

step("a client from outside agrees with the page on its connections and its requests", async () => {
  const before = await until(numbers, (told) => told.receiving === 0 && told.answering === 0);
  const sockets = await Promise.all(Array.from({ length: 40 }, () => new Promise((resolve, reject) => {
    const socket = net.connect(server.port, "127.0.0.1", () => { socket.write("GET /hello HTTP/1.1\r\n"); resolve(socket); });
    socket.on("error", reject);
  })));
  const during = await until(numbers, (told) => told.receiving === 40);
  const states = ["idle", "receiving", "answering", "for this page", "sending", "closing", "upgraded"];
  assert.match(during.Connections, new RegExp(`^Connections\\s+${states.reduce((sum, state) => sum + during[state], 0)}\\s`));
  assert.equal(soFar(during), soFar(before));
  await Promise.all(sockets.map((socket) => new Promise((resolve) => {
    socket.on("data", resolve);
    socket.write("Host: localhost\r\n\r\n");
  })));
  await until(numbers, (told) => told.receiving === 0 && soFar(told) === soFar(before) + 40);
  for (const socket of sockets) socket.destroy();
});

step("requests that wait are listed, and what a client has sent stays a text", async () => {
  const shown = () => page.$eval("#requests", (section) => section.innerText);
  assert.match(await until(shown, (text) => /registered at/.test(text)), /\/__loop\s+examples\/event_loop\/main\.rs:\d+:\d+/);
  // A worker has each for 200 ms: those behind it wait for seconds.
  const sockets = Array.from({ length: 60 }, () => {
    const socket = net.connect(server.port, "127.0.0.1", () => socket.write("GET /worker?secret HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    return socket.on("error", () => {}).resume();
  });
  const told = await until(shown, (text) => /requests are open/.test(text) && /\/worker/.test(text));
  assert(!told.includes("secret"), told);
  await accessible(page, "requests");
  for (const socket of sockets) socket.destroy();
  const marked = await page.evaluate(() => {
    const hostile = '/<img src=x onerror="x">\\';
    oneloop.feed.open = { count: 1, oldest: [{ m: "<b>", p: hostile, a: 1, r: "<i>" }] };
    oneloop.feed.dispatchEvent(new Event("message"));
    const section = document.getElementById("requests");
    return { elements: section.querySelectorAll("img, b, i").length, shown: section.innerText.includes(hostile) };
  });
  assert.deepEqual(marked, { elements: 0, shown: true });
  await until(shown, (text) => /All requests are answered/.test(text));
});

step("a client from outside agrees with the page on the length of a block", () => oneOf(5, async () => {
  const seen = await page.evaluate(() => oneloop.feed.held.at(-1)?.b ?? 0);
  const { took } = await ask(server.port, "/block");
  const held = await until(
    () => page.evaluate((seen) => oneloop.feed.held.find(({ b, l }) => b > seen && l === "GET /block"), seen),
    (held) => held);
  assert.match(held.a, /examples\/event_loop\/main\.rs:\d+/);
  const page_says = held.d / 1000;
  // The client cannot have waited for less. It waits for more where the system puts it off.
  assert(page_says >= 199 && took >= page_says - 1 && took < page_says + 100, `page: ${page_says} ms, client: ${took} ms`);
}));

step("block: the stream stops for about as long, and then says why", () => oneOf(3, async () => {
  const before = await page.evaluate(() => {
    globalThis.told = [];
    const place = document.querySelector("#ribbon .told");
    new MutationObserver(() => told.push(place.textContent)).observe(place, { childList: true });
    return oneloop.feed.gaps.at(-1)?.from ?? 0;
  });
  const { rows } = await press(page, "block");
  const { gaps, told, waits } = await page.evaluate((before) => ({
    gaps: oneloop.feed.gaps.filter(({ from }) => from > before)
      .map(({ from, to, why }) => ({ length: (to - from) / 1000, held: why?.turn.d / 1000, label: why?.turn.label, site: why?.turn.site })),
    told: told.join("\n"),
    waits: document.getElementById("waited").innerText,
  }), before);
  const gap = gaps.find(({ label }) => label === "GET /block");
  assert(gap, `no gap: ${JSON.stringify(gaps)}`);
  // Between two messages there are 100 ms, and the block: some of that may fall together.
  assert(gap.held >= 199 && gap.length >= gap.held - 5 && gap.length < 2 * gap.held + 100, JSON.stringify(gap));
  assert.match(gap.site, /examples\/event_loop\//);
  assert.match(told, /the stream stopped for \d+ ms.*GET \/block held the loop for [2-9]\d\d ms.*registered at examples\/event_loop\//);
  assert.match(waits, /GET \/block held the loop for [2-9]\d\d ms \(registered at examples\/event_loop\/main\.rs:\d+:\d+\); the next poll found \d+ sources ready/);
  const [onLoop, onPool] = rows["the longest took"].map(ms);
  assert(onLoop >= 120 && onPool < onLoop / 2, `${onLoop} ms, ${onPool} ms`);
  assert(Number(rows["waited for 50 ms or more"][0]) >= 10, JSON.stringify(rows));
  await photograph(page, "block");
}));

/** Nobody waited for as long as the block of 200 ms would have had them wait. */
function peaceful({ rows }, most = 120) {
  assert(ms(rows["the longest took"][0]) < most, JSON.stringify(rows));
}

/** Milliseconds that iterations since `from` spent on something, as the ribbon counts them. */
const spent = (from, key) => page.evaluate(async (from, key) => {
  const { parts } = await import("/__loop/parts.js");
  const all = [...oneloop.feed.between(from, Infinity)].flatMap((piece) => parts(piece).filter((part) => part.key === key));
  return all.reduce((sum, { d, share }) => sum + d * share, 0) / 1000;
}, from, key);
const now = () => page.evaluate(() => oneloop.feed.at);
const button = (name, run) => step(`the button ${name} measures what it says`, () => oneOf(3, run));

button("worker", async () => {
  const from = await now();
  const worker = await press(page, "worker");
  assert(ms(worker.text.match(/The request itself took ([\d.]+ \S+)\./)[1]) >= 199, worker.text);
  peaceful(worker);
  assert(await spent(from, "inbox") > 0, "the result of a worker is no source of the poll phase");
});

button("slices", async () => {
  const from = await now();
  peaceful(await press(page, "slices"));
  assert(await spent(from, "check") >= 190, "slices are no check phase");
});

button("ticks", async () => {
  const from = await now();
  const ticks = await press(page, "ticks");
  const [, count, late] = ticks.text.match(/([\d,]+) ticks ran\. The timer of 1 ms came ([\d.]+ \S+) too late/);
  assert(Number(count.replaceAll(",", "")) > 1000 && ms(late) >= 190, ticks.text);
  assert(await spent(from, "ticks") >= 190, "ticks are not told apart");
});

button("slow-clients", async () => {
  const slow = await press(page, "slow-clients");
  assert.match(slow.text, /1,000 connections sent bytes .*; the loop had up to (9\d\d|1,\d\d\d) more connections/);
  const [onLoop, onPool] = slow.rows["the longest took"].map(ms);
  assert(onPool > 1000 && onLoop < onPool / 2, JSON.stringify(slow.rows));
});

button("accept-flood", async () => {
  const from = await now();
  const flood = await press(page, "accept-flood");
  assert.match(flood.text, /2,000 connections came and went/);
  assert(await spent(from, "listener") > 1, "new connections are no source of the poll phase");
  await photograph(page, "flood", { full: false });
});

button("slow-reader", async () => {
  const reader = await press(page, "slow-reader");
  const held = reader.text.match(/8\.0 MiB went out in [\d.]+ s; the server held at most ([\d.]+) KiB/);
  assert(held && Number(held[1]) < 600, reader.text);
  peaceful(reader, 400);
});

step("what the buttons measured can be read by all", async () => {
  await photograph(page, "measured");
  await accessible(page, "measured");
});

step("the quiz runs its programs for real", async () => {
  const programs = await page.$$eval(".program", (all) => all.map((one) => one.id));
  assert(programs.length >= 6);
  for (const id of programs) {
    while (await page.$(`#${id} .lines button:not(:disabled)`)) await page.click(`#${id} .lines button:not(:disabled)`);
    await page.click(`#${id} .bar button`);
    await page.waitForSelector(`#${id} table`, { timeout: PATIENCE });
  }
  const phases = await page.$$eval("#quiz-four-ways tbody tr", (rows) => rows.map((row) => [row.cells[1].innerText, row.cells[3].innerText]));
  assert.deepEqual(phases, [["callback", "poll"], ["tick", "poll"], ["immediate", "check"], ["timeout", "timers"]]);
  await accessible(page, "quiz");
  await photograph(page, "quiz");
});

step("the ribbon goes by keys, pauses and zooms", async () => {
  await page.focus("#ribbon canvas");
  await page.keyboard.press("ArrowLeft");
  const text = () => page.$eval("#ribbon canvas", (canvas) => canvas.getAttribute("aria-valuetext"));
  const first = await text();
  assert.match(first, /^Iteration|^\d+ iterations/);
  await page.keyboard.press("ArrowLeft");
  assert.notEqual(await text(), first);
  assert.equal(await page.$eval("#ribbon button", (button) => button.getAttribute("aria-pressed")), "true");
  for (let press = 0; press < 4; press++) await page.keyboard.press("+");
  await page.keyboard.press("Home");
  assert.match(await text(), /^Iteration|^\d+ iterations/);
  // One that has something to show.
  await page.keyboard.press("End");
  await page.keyboard.down("Shift");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.up("Shift");
  await photograph(page, "paused", { full: false });
  await accessible(page, "paused");
  await page.keyboard.press("Escape");
  assert.equal(await page.$eval("#ribbon button", (button) => button.getAttribute("aria-pressed")), "false");
  for (let press = 0; press < 4; press++) await page.keyboard.press("-");
});

step("a tap on the ribbon pauses it there, and it goes on when it is told to", async () => {
  await page.$eval("#ribbon canvas", (canvas) => canvas.scrollIntoView());
  const box = await (await page.$("#ribbon canvas")).boundingBox();
  await page.touchscreen.tap(box.x + box.width * 0.9, box.y + box.height / 2);
  assert.equal(await page.$eval("#ribbon button", (button) => button.getAttribute("aria-pressed")), "true");
  assert.match(await page.$eval("#ribbon canvas", (canvas) => canvas.getAttribute("aria-valuetext")), /^Iteration|^\d+ iterations/);
  await page.click("#ribbon button");
  assert.match(await page.$eval(".detail", (detail) => detail.innerText), /^The busiest shown/);
  assert.match(await page.$eval("#ribbon canvas", (canvas) => canvas.getAttribute("aria-valuetext")), /^live/);
});

step("who asks for less motion gets a drawing a second", async () => {
  const calm = await open(`${site()}/`, { motion: "reduce" });
  const drawn = await calm.evaluate(async () => {
    let times = 0;
    const draw = oneloop.ribbon.draw.bind(oneloop.ribbon);
    oneloop.ribbon.draw = () => { times++; draw(); };
    await new Promise((resolve) => setTimeout(resolve, 3000));
    return times;
  });
  assert(drawn <= 5, `${drawn} in three seconds`);
  await until(() => calm.evaluate(() => oneloop.ribbon.drawn), (at) => at > 0);
  await calm.close();
});

step("ten tabs share one stream, and the next one listens when the first closes", async () => {
  const tabs = await Promise.all(Array.from({ length: 10 }, () => open(`${site()}/__loop/`)));
  const streams = async () => JSON.parse((await ask(server.port, "/__loop/metrics")).body).own - 1;
  // Two pages have the same parts below one prefix: they share, too.
  assert.equal(await until(streams, (count) => count <= 1), 1);
  await page.close();
  const left = await Promise.all(tabs.map((tab) => tab.evaluate(() => oneloop.feed.at)));
  // Each of them hears of what came after that page had gone.
  for (const [at, tab] of tabs.entries()) {
    await until(() => tab.evaluate(() => oneloop.feed.at), (heard) => heard > left[at] + 1.5e6);
    await live(tab);
  }
  assert.equal(await until(streams, (count) => count <= 1), 1);
  for (const tab of tabs.slice(1)) await tab.close();
  page = tabs[0];
  await live(page);
});

step("the mounted page has what any server's has", async () => {
  await page.click("#ribbon summary");
  await accessible(page, "mounted");
  await photograph(page, "mounted");
  await page.close();
  page = await open(`${site()}/`);
});

step("a server that was started anew is found again, and nothing of the old one is left", async () => {
  const boot = await page.evaluate(() => oneloop.feed.boot);
  away = true;
  const { port } = server;
  await server.stop();
  await page.waitForFunction(() => /gone/.test(document.getElementById("state").textContent), { timeout: PATIENCE });
  await photograph(page, "gone");
  server = await serve(port);
  await page.waitForFunction((boot) => oneloop.feed.boot && oneloop.feed.boot !== boot, { timeout: PATIENCE }, boot);
  away = false;
  await live(page);
  const { oldest, at } = await page.evaluate(() => ({ oldest: oneloop.feed.pieces[0].t, at: oneloop.feed.at }));
  assert(oldest < at && at < 60e6, `${oldest} … ${at}`);
});

step("strangers are refused", async () => {
  for (const host of ["evil.example", `evil.example:${server.port}`, "localhost.evil.example"]) {
    for (const path of ["/__loop/", "/__loop/stream", "/__loop/history", "/", "/demo"]) {
      assert.equal((await ask(server.port, path, { headers: { Host: host } })).status, 403, `${host} ${path}`);
    }
  }
  const order = (headers) => ask(server.port, "/try/nothing", { method: "POST", headers });
  assert.equal((await order({ Origin: "http://evil.example" })).status, 403);
  assert.equal((await order({ "Sec-Fetch-Site": "cross-site" })).status, 403);
  assert.equal((await order({ Origin: site() })).status, 404);
});

const began = performance.now();
let failed = 0;
const only = process.env.ONLY;
for (const [name, run] of steps) {
  if (only && !name.includes(only) && !name.startsWith("the page lives")) continue;
  try {
    await run();
    console.log(`ok      ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAILED  ${name}\n${error.stack}`);
    await page?.screenshot({ path: join(shots, `failed-${failed}.png`), fullPage: true }).catch(() => {});
  }
}
if (complaints.length > 0) {
  failed++;
  console.log(`FAILED  the console is clean\n${[...new Set(complaints)].join("\n")}`);
} else {
  console.log("ok      the console is clean");
}
await browser.close();
await server.stop();
console.log(`${failed === 0 ? "all well" : `${failed} failed`} in ${Math.round((performance.now() - began) / 1000)} s`);
process.exit(failed === 0 ? 0 : 1);
