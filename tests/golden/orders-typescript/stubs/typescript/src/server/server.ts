/** Puts the services on an address, with health, reflection and an orderly end. */
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { createServer } from "nice-grpc";
import { HealthDefinition, HealthServiceImpl, HealthState } from "nice-grpc-server-health";
import { ServerReflection, ServerReflectionService } from "nice-grpc-server-reflection";
import * as pb from "../gen/acme/orders/v1/orders.js";
import { OrderService } from "../service/order-service.js";
import { readTrace } from "../trace.js";
import { limit, markUnlimited } from "./deadline.js";
import { Ending } from "./ending.js";
import { remember } from "./remember.js";

/** Milliseconds between NOT_SERVING and refusing new calls: clients that watch health go elsewhere in it. */
const NOTICE = 1_000;
/** Milliseconds, as long as the calls that were taken may last, within what a supervisor allows. */
const GRACE = 25000;
const NAMES = [
  pb.OrderServiceDefinition.fullName,
];

/** A server that answers. */
export interface Running {
  readonly port: number;
  /** Says NOT_SERVING, takes no new calls, and lets those that it has end; what still runs after the grace is cut off. */
  stop(): Promise<void>;
}

/** Answers calls at `host:port`; port 0 is any that is free. */
export async function start(address: string): Promise<Running> {
  const ending = new Ending();
  const health = HealthState();
  const server = createServer({ interceptors: [markUnlimited] })
    .use(readTrace)
    .use(ending.middleware)
    .use(limit)
    .use(remember());
  server.add(HealthDefinition, HealthServiceImpl(health));
  server.add(
    ServerReflectionService,
    ServerReflection(readFileSync(new URL("../../protoset.binpb", import.meta.url)), NAMES),
  );
  server.add(pb.OrderServiceDefinition, new OrderService());
  for (const name of NAMES) {
    health.setStatus("healthy", name);
  }
  const port = await server.listen(address);
  return {
    port,
    async stop() {
      for (const name of ["", ...NAMES]) {
        health.setStatus("unhealthy", name);
      }
      await delay(NOTICE);
      ending.end();
      const late = setTimeout(() => server.forceShutdown(), GRACE);
      await server.shutdown();
      clearTimeout(late);
    },
  };
}
