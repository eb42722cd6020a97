// Node's http with an agent.
const http = require("http");

const port = Number(process.argv[2]);
const agent = new http.Agent({ keepAlive: true, maxSockets: 64, maxFreeSockets: 64, timeout: 3600000 });

require("./on_demand")((done) => {
  http.get({ host: "127.0.0.1", port, path: "/seed-a-plant", agent }, (res) => {
    let bytes = 0;
    res.on("data", (chunk) => (bytes += chunk.length));
    res.on("end", () => done(bytes));
  });
});
