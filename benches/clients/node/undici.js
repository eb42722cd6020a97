// The package undici, with its pool.
const { Pool } = require("undici");

const pool = new Pool(`http://127.0.0.1:${process.argv[2]}`, { connections: 64, keepAliveTimeout: 3600000, keepAliveMaxTimeout: 3600000 });

require("./on_demand")(async (done) => {
  const { body } = await pool.request({ path: "/seed-a-plant", method: "GET" });
  let bytes = 0;
  body.on("data", (chunk) => (bytes += chunk.length));
  body.on("end", () => done(bytes));
});
