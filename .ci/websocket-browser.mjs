// The part of `.ci/websocket` that needs a browser.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";

export async function browserSteps({ step, require, browserPath, serve, shots, until, sleep, direct, proxied, PATIENCE, all, cases }) {
  const puppeteer = require("puppeteer-core");
  const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
  const browser = await puppeteer.launch({ executablePath: browserPath, headless: true, args: ["--no-sandbox", "--disable-gpu"] });
  const complaints = [];

  async function open(url, { name, width = 1280 } = {}) {
    const page = await (await browser.createBrowserContext()).newPage();
    page.setDefaultTimeout(PATIENCE);
    page.on("pageerror", (error) => complaints.push(`${url}: ${error.stack ?? error}`));
    page.on("dialog", (dialog) => dialog.accept(name));
    await page.setViewport({ width, height: width < 500 ? 740 : 800 });
    await page.goto(url);
    return page;
  }

  /** Photographs a page in both schemes and at both widths, and asks axe-core what it thinks. */
  async function look(page, name, { full = true } = {}) {
    await page.bringToFront();
    for (const scheme of ["light", "dark"]) {
      for (const width of [1280, 360]) {
        await page.setViewport({ width, height: width < 500 ? 740 : 800 });
        await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
        await sleep(200);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert(overflow <= 0, `${name} is ${overflow} px too wide at ${width} px`);
        await page.screenshot({ path: join(shots, `${name}-${scheme}-${width}.png`), fullPage: full });
        await page.evaluate(axe);
        const { violations } = await page.evaluate(() => axe.run());
        assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`), [], `${name}, ${scheme}, ${width}`);
      }
    }
    await page.setViewport({ width: 1280, height: 800 });
  }

  for (const [host, way] of [[direct, ""], [proxied, ", through nginx"]].filter(([host]) => host)) {
    step(`Chromium${way}`, async () => {
      const page = await open(`http://${host}/`);
      const run = (base, options) => page.evaluate(`(${cases})(WebSocket, ${JSON.stringify(base)}, ${JSON.stringify(options)})`);
      const told = await all(run, `ws://${host}`, { compressed: true });
      await page.close();
      return told;
    });
  }

  step("Chromium: a page of another port opens nothing", async () => {
    const other = await serve("ws_cases");
    const page = await open(`http://127.0.0.1:${other.port}/`);
    const seen = await page.evaluate((url) => new Promise((resolve) => {
      const socket = new WebSocket(url);
      socket.onopen = () => resolve("open");
      socket.onclose = ({ code, wasClean }) => resolve(`${code} ${wasClean}`);
    }), `ws://${direct}/echo`);
    assert.equal(seen, "1006 false");
    await page.close();
  });

  step("the example chat: two windows talk", async () => {
    const { port } = await serve("chat");
    const [ann, bob] = [await open(`http://localhost:${port}/`, { name: "ann" }), await open(`http://localhost:${port}/`, { name: "bob", width: 360 })];
    const text = (page, id) => page.$eval(`#${id}`, (element) => element.textContent);
    await until(() => text(ann, "here"), (here) => here === "ann, bob");
    await ann.type("input", "hello bob");
    await ann.keyboard.press("Enter");
    await until(() => text(bob, "said"), (said) => said === "ann: hello bob\n");
    await bob.type("input", "hello ann, <b>how are you?");
    await bob.keyboard.press("Enter");
    await until(() => text(ann, "said"), (said) => said === "bob: hello ann, <b>how are you?\nann: hello bob\n");
    await look(bob, "chat");
    await bob.close();
    await until(() => text(ann, "here"), (here) => here === "ann");
    await ann.close();
  });

  step("the example live: two windows see each other's places", async () => {
    const server = await serve("live");
    const url = `http://localhost:${server.port}/`;
    const [ann, bob] = [await open(url), await open(url, { width: 360 })];
    const places = (page) => page.evaluate(() => [...others.values()].map(({ to }) => [to.x, to.y].map((part) => part.toFixed(2)).join(" ")));
    await until(() => ann.$eval("#here", (here) => here.textContent), (here) => here === "2 are here.");
    // A mouse, and then the keyboard alone.
    const box = await (await ann.$("#board")).boundingBox();
    await ann.mouse.move(box.x + box.width * 0.25, box.y + box.height * 0.5);
    await until(() => places(bob), (seen) => seen.join() === "0.25 0.50");
    await bob.focus("#board");
    await bob.keyboard.press("ArrowRight");
    await until(() => places(ann), (seen) => seen.join() === "0.52 0.50");
    // A finger.
    const there = await (await bob.$("#board")).boundingBox();
    await bob.touchscreen.tap(there.x + there.width * 0.8, there.y + there.height * 0.2);
    await until(() => places(ann), (seen) => seen.join() === "0.80 0.20");
    // The dot is drawn: it is not only known.
    // A page in the background draws nothing.
    await ann.bringToFront();
    await until(() => ann.evaluate(() => {
      const { width, height } = board;
      const [x, y] = [Math.round(width * 0.8), Math.round(height * 0.2)];
      return [...pen.getImageData(x - 3, y - 3, 7, 7).data].some((part) => part > 0);
    }), (drawn) => drawn);
    await look(ann, "live", { full: false });

    // The page of the devtools says how much that was, while it goes on.
    const tools = await open(`${url}__loop/`);
    const row = () => tools.$$eval("#sockets-title ~ table tbody tr", (rows) => rows.map((row) => [...row.cells].map((cell) => cell.innerText)));
    let moving = true;
    const moves = (async () => {
      for (let at = 0; moving; at++) {
        await ann.mouse.move(box.x + box.width * (0.3 + 0.2 * Math.sin(at / 5)), box.y + box.height * 0.4);
        await sleep(30);
      }
    })();
    const [seen] = await until(row, ([row]) => row && Number(row[2]) >= 5 && Number(row[3]) >= 8);
    await look(tools, "devtools");
    moving = false;
    await moves;
    assert.deepEqual([seen[0], seen[1]], ["/board", "2"]);
    await tools.close();

    await bob.close();
    await until(() => ann.$eval("#here", (here) => here.textContent), (here) => here === "You are alone here.");
    assert.deepEqual(await places(ann), []);
    server.child.kill();
    await until(() => ann.$eval("#here", (here) => here.textContent), (here) => here === "Not connected.");
    await ann.close();
  });

  step("no page complains", async () => {
    assert.deepEqual(complaints, []);
    await browser.close();
  });
}
