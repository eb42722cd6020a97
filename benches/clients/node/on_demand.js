// Does what the lines of the standard input say: makes so many requests, 64 at a time, and says when the last one is over.
const readline = require("readline");

module.exports = (ask) => {
  console.log("ready");
  readline.createInterface({ input: process.stdin }).on("line", (line) => {
    const count = Number(line);
    let [left, over, bytes] = [count, 0, 0];
    const next = () => {
      if (left === 0) return;
      left--;
      ask((length) => {
        bytes += length;
        over++;
        if (over === count) {
          if (bytes !== count * 20) throw new Error(`${count} bodies had ${bytes} bytes`);
          console.log("done");
        }
        next();
      });
    };
    for (let number = 0; number < 64; number++) next();
  });
};
