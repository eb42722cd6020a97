// Reads a Chrome trace with the importer of a speedscope release and compares what it finds with what the file says.
//   node .ci/trace.cjs RELEASE_FOLDER TRACE
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const vm = require("node:vm");

const [release, file] = process.argv.slice(2);
const complaints = [];
const note = (...words) => complaints.push(words.join(" "));

// The release is two bundles for browsers, whose modules run when they are asked for. Their entries, which want a page, are
// taken away.
const context = vm.createContext({ console: { log() {}, warn: note, error: note }, TextDecoder });
for (const bundle of [/^speedscope\..*\.js$/, /^import\..*\.js$/]) {
  const name = fs.readdirSync(release).find(name => bundle.test(name));
  const code = fs.readFileSync(path.join(release, name), "utf8").replace(/\},\{\},\[[^\]]*\], ?null\)\s*(\/\/.*)?\s*$/, "},{},[],null)");
  vm.runInContext(code, context);
}
const bundle = context.parcelRequire;
const importers = Object.keys(bundle.modules).find(id => "./trace-event" in bundle.modules[id][1]);

// Our own count, of the events as they are written.
const text = fs.readFileSync(file, "utf8");
const trace = JSON.parse(text);
const written = trace.traceEvents.filter(event => event.ph === "X");
const nested = new Map();
for (const event of written) nested.set(event.cat, (nested.get(event.cat) ?? 0) + 1);

bundle(importers).importProfileGroupFromText(path.basename(file), text).then(group => {
  if (group === null || group.profiles.length !== 1) throw new Error("not one profile, of one thread");
  const names = new Map();
  let [opened, closed, deepest, depth, last] = [0, 0, 0, 0, -1];
  group.profiles[0].forEachCall(
    (node, value) => {
      opened += 1;
      deepest = Math.max(deepest, ++depth);
      if (value < last) throw new Error(`${node.frame.name} opens at ${value}, after ${last}`);
      last = value;
      names.set(node.frame.name, (names.get(node.frame.name) ?? 0) + 1);
    },
    (node, value) => {
      closed += 1;
      depth -= 1;
      if (value < last) throw new Error(`${node.frame.name} closes at ${value}, after ${last}`);
      last = value;
    },
  );
  console.log(`${path.basename(file)}: ${trace.otherData.slices} slices written, ${opened} opened and ${closed} closed by the importer, ` +
    `${deepest} deep; ${[...nested].map(([category, count]) => `${count} ${category}`).join(", ")}`);
  const wrong = [...complaints];
  if (written.length !== trace.otherData.slices) wrong.push(`the file has ${written.length} slices`);
  if (opened !== written.length || closed !== written.length) wrong.push("the importer has others");
  if (deepest !== (nested.has("callback") ? 4 : 3)) wrong.push("the slices are not nested as they should be");
  for (const line of wrong) console.error(`WRONG: ${line}`);
  process.exitCode = wrong.length === 0 && written.length > 0 ? 0 : 1;
});
