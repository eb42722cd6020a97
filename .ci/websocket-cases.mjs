// The cases that each client goes through, in a browser and in Node: both have the same `WebSocket`. See `.ci/websocket`.

/**
 * Runs all cases, and says which failed. `first`: the first of ten numbers that name the sockets whose end the server is asked
 * about; `numbered` says how each should have ended there. `relayed`: another server is reached through ours. `compressed`:
 * client and server agree on compression. This function is sent to the browser as text, so it stands alone.
 */
export async function cases(WebSocket, base, { first, relayed = false, compressed = false }) {
  /** Opens a socket, sends all of `send`, closes it after `count` answers (never by itself without a count), and says what came. */
  const talk = (path, { protocols, send = [], count = 0, close = [] } = {}) => new Promise((resolve) => {
    const socket = new WebSocket(base + path, protocols), told = [];
    socket.binaryType = "arraybuffer";
    socket.onopen = () => send.forEach((message) => socket.send(message));
    socket.onerror = () => {};
    socket.onmessage = ({ data }) => {
      told.push(typeof data === "string" ? data : new Uint8Array(data));
      if (told.length === count) socket.close(...close);
    };
    socket.onclose = ({ code, reason, wasClean }) => resolve({ told, code, reason, wasClean, protocol: socket.protocol, extensions: socket.extensions });
  });
  const same = (a, b) => (typeof a === "string" ? a === b : a.length === b.length && a.every((byte, at) => byte === b[at]));
  const failed = [], numbered = [];
  let count = 0;
  const check = (name, is, seen) => {
    count++;
    const short = (key, value) => (value?.length > 100 ? `${value.length} of ${typeof value}` : value);
    if (!is) failed.push(`${name}: ${JSON.stringify(seen, short)}`);
  };
  const echoes = async (name, messages) => {
    const seen = await talk("/echo", { send: messages, count: messages.length });
    check(name, seen.told.length === messages.length && messages.every((one, at) => same(one, seen.told[at])), seen);
  };
  const bytes = (length) => Uint8Array.from({ length }, (_, at) => (at * 7919) >> 3);
  const ended = (number, code, reason, by_peer) =>
    numbered.push([number, `${code} ${JSON.stringify(reason)} clean=true by_peer=${by_peer} finished`]);

  await echoes("texts, an empty one and one with more than ASCII among them", ["hello", "", "grüße 🌱", "x".repeat(126), "x".repeat(65_536)]);
  await echoes("bytes", [bytes(256), bytes(0), bytes(65_535)]);
  await echoes("a megabyte each", [bytes(1 << 20), "é".repeat(1 << 19)]);
  await echoes("a thousand at once, in order", Array.from({ length: 1000 }, (_, at) => `message ${at}`));

  if (compressed) {
    // The shorter ones are sent as they are, between longer ones that are compressed, and some that compression makes no shorter.
    const texts = Array.from({ length: 60 }, (_, at) => `${at} ${"a compressed text, é ".repeat(at % 3 * 60)}`);
    const noise = Array.from({ length: 20 }, (_, at) => Uint8Array.from({ length: at % 2 * 5000 + 3 }, () => Math.random() * 256));
    const mixed = texts.flatMap((text, at) => (at % 3 ? [text] : [text, noise[at / 3]]));
    const seen = await talk("/echo", { send: mixed, count: mixed.length });
    check("compression is agreed", seen.extensions.startsWith("permessage-deflate"), seen);
    check("plain messages between compressed ones", seen.told.length === mixed.length && mixed.every((one, at) => same(one, seen.told[at])), seen);
  }

  for (const length of [(1 << 20) + 1, 16 << 20]) {
    const seen = await talk("/echo", { send: [bytes(length)] });
    check(`${length} bytes are refused`, seen.code === 1009 && seen.told.length === 0, seen);
  }

  for (const [at, [code, reason]] of [[4001, "bye"], [1000, ""], [3000, "grüße"]].entries()) {
    const seen = await talk(`/close?${first + at}`, { send: [`${code} ${reason}`] });
    check(`the server closes with ${code}`, seen.code === code && seen.reason === reason && seen.wasClean, seen);
    ended(first + at, code, "", false);
  }
  for (const [at, close] of [[4002, "done"], [1000], []].entries()) {
    const seen = await talk(`/echo?${first + 3 + at}`, { send: ["x"], count: 1, close });
    check(`the client closes with ${close[0]}`, seen.code === (close[0] ?? 1005) && seen.wasClean, seen);
    ended(first + 3 + at, close[0] ?? 1005, close[1] ?? "", true);
  }
  const cut = await talk("/close", { send: ["cut"] });
  check("a connection that is cut", cut.code === 1006 && !cut.wasClean, cut);

  const pinged = await talk("/ping", { send: ["are you there?"], count: 1 });
  check("a ping is answered", pinged.told[0] === "are you there?", pinged);

  if (!relayed) {
    for (const [offered, agreed] of [[["v9", "v1"], "v1"], [["v1", "v2"], "v2"], [undefined, ""]]) {
      const seen = await talk("/protocol", { protocols: offered, count: 1 });
      check(`${offered} is offered`, seen.protocol === agreed && seen.told[0] === (agreed || "none"), seen);
    }
    const refused = await talk("/protocol", { protocols: ["v9"] });
    check("an unknown subprotocol is offered", refused.code === 1006 && refused.told.length === 0, refused);
  }
  return { failed, count, numbered };
}
