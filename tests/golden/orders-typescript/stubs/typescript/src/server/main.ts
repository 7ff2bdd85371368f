/** Answers acme.orders.v1 until it is told to stop. */
import { parseArgs } from "node:util";
import { start } from "./server.js";

const { values } = parseArgs({ options: { address: { type: "string", default: "localhost:50051" } } });
const running = await start(values.address);
console.log(`listening on ${values.address.replace(/:\d+$/, "")}:${running.port}`);

let stopping = false;
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.on(signal, () => {
    if (!stopping) {
      stopping = true;
      void running.stop();
    }
  });
}
