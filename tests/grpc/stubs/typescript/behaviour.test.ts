/** What the stubs of the orders example promise, over a real channel. Goes into the folder src/ of the project. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { ChannelCredentials } from "@grpc/grpc-js";
import { ClientError, Metadata, ServerError, Status, createServer } from "nice-grpc";
import type { CallContext } from "nice-grpc";
import { dial } from "./client/channel.js";
import { OrderService } from "./client/order-service.js";
import { resumed } from "./client/resume.js";
import * as pb from "./gen/acme/orders/v1/orders.js";
import { limit, markUnlimited } from "./server/deadline.js";
import { remember } from "./server/remember.js";
import { readTrace } from "./trace.js";
import type { Trace, Traced } from "./trace.js";

class Orders {
  readonly ids: string[] = [];
  readonly resumes: string[] = [];
  readonly traces: Trace[] = [];
  gets = 0;

  async getOrder(request: pb.GetOrderRequest, context: CallContext & Traced): Promise<pb.GetOrderResponse> {
    this.gets += 1;
    this.traces.push(context.trace);
    if (request.orderId === "retried" && this.gets < 3) {
      throw new ServerError(Status.UNAVAILABLE, "not yet");
    }
    if (request.orderId === "slow") {
      await new Promise((_, reject) => {
        context.signal.addEventListener("abort", () => reject(new Error("given up")));
      });
    }
    return { order: undefined };
  }

  async placeOrder(request: pb.PlaceOrderRequest) {
    this.ids.push(request.requestId);
    const count = this.ids.length;
    // Long enough for a second try to come while the first is under way.
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (request.requestId === "fails" && count === 1) {
      throw new ServerError(Status.INTERNAL, "it failed");
    }
    return { order: { orderId: String(count) } };
  }

  async listOrders(request: pb.ListOrdersRequest) {
    const next: Record<string, string> = { "": "a", a: "b", b: "" };
    return { orders: [{ orderId: `of ${request.pageToken}` }], nextPageToken: next[request.pageToken] };
  }

  /** Five events; it breaks behind every second one. */
  async *watchOrder(request: pb.WatchOrderRequest) {
    this.resumes.push(request.resumeToken);
    const last = request.resumeToken.length;
    for (let number = last + 1; number <= 5; number += 1) {
      yield { event: { resumeToken: "x".repeat(number) } };
      if (number === last + 2) {
        throw new ServerError(Status.UNAVAILABLE, "it breaks");
      }
    }
  }
}

async function serving(most = 10, keptFor = 60_000): Promise<[Orders, OrderService, string]> {
  const orders = new Orders();
  const server = createServer({ interceptors: [markUnlimited] })
    .use(readTrace)
    .use(limit)
    .use(remember(most, keptFor));
  server.add(pb.OrderServiceDefinition, orders);
  const port = await server.listen("127.0.0.1:0");
  const channel = dial(`127.0.0.1:${port}`, ChannelCredentials.createInsecure());
  after(() => {
    channel.close();
    server.forceShutdown();
  });
  return [orders, new OrderService(channel), `127.0.0.1:${port}`];
}

async function code(answer: Promise<unknown>): Promise<Status> {
  try {
    await answer;
  } catch (error) {
    assert.ok(error instanceof ClientError, String(error));
    return error.code;
  }
  return Status.OK;
}

test("the same request id has one effect, also while the first try is under way", async () => {
  const [orders, calls] = await serving();
  const asked = { requestId: "one", order: { labels: { a: "1", b: "2" } } };
  // A map's entries come in no order.
  const again = { requestId: "one", order: { labels: { b: "2", a: "1" } } };
  const answers = await Promise.all([calls.placeOrder(asked), calls.placeOrder(again)]);
  answers.push(await calls.placeOrder(asked));
  assert.deepEqual(answers.map((answer) => answer.order?.orderId), ["1", "1", "1"]);
  assert.deepEqual(orders.ids, ["one"]);
  assert.equal(await code(calls.placeOrder({ requestId: "one", order: { customerId: "c" } })), Status.INVALID_ARGUMENT);
});

test("a failure is not remembered", async () => {
  const [, calls] = await serving();
  assert.equal(await code(calls.placeOrder({ requestId: "fails" })), Status.INTERNAL);
  assert.equal((await calls.placeOrder({ requestId: "fails" })).order?.orderId, "2");
});

test("what is remembered is bounded, and forgotten after a while", async () => {
  const [orders, calls] = await serving(2);
  for (const requestId of ["a", "b", "c", "c", "a"]) {
    await calls.placeOrder({ requestId });
  }
  assert.deepEqual(orders.ids, ["a", "b", "c", "a"]);
  const [shortly, others] = await serving(2, 0);
  await others.placeOrder({ requestId: "a" });
  await others.placeOrder({ requestId: "a" });
  assert.deepEqual(shortly.ids, ["a", "a"]);
});

test("a call without a request id gets one of its own", async () => {
  const [orders, calls] = await serving();
  await calls.placeOrder({});
  await calls.placeOrder({});
  assert.equal(new Set(orders.ids).size, 2);
  assert.ok(orders.ids.every((id) => id !== ""));
});

test("all pages are read", async () => {
  const [, calls] = await serving();
  const seen: (string | undefined)[] = [];
  for await (const page of calls.listOrdersPages({})) {
    seen.push(page.orders[0]?.orderId);
  }
  assert.deepEqual(seen, ["of ", "of a", "of b"]);
});

test("a broken stream goes on", async () => {
  const [orders, calls] = await serving();
  const seen: (number | undefined)[] = [];
  for await (const answer of calls.watchOrderResumed({})) {
    seen.push(answer.event?.resumeToken.length);
  }
  assert.deepEqual(seen, [1, 2, 3, 4, 5]);
  assert.deepEqual(orders.resumes, ["", "xx", "xxxx"]);
});

test("a server that is gone is given up, and any other failure at once", async () => {
  for (const [status, opened] of [[Status.UNAVAILABLE, 3], [Status.NOT_FOUND, 1]] as const) {
    let count = 0;
    const open = async function* (): AsyncGenerator<string> {
      count += 1;
      throw new ClientError("/rpc", status, "it is gone");
    };
    const stream = resumed({ attempts: 3, first: 1, longest: 1, factor: 2 }, undefined, open, () => undefined);
    assert.equal(await code(stream.next()), status);
    assert.equal(count, opened);
  }
});

test("a stream that its deadline ended is opened anew, and a caller who gave up is not waited for", async () => {
  let count = 0;
  const open = async function* (): AsyncGenerator<string> {
    count += 1;
    if (count > 5) {
      yield "at last";
    }
    throw new ClientError("/rpc", Status.DEADLINE_EXCEEDED, "it took long");
  };
  const again = { attempts: 3, first: 1, longest: 1, factor: 2 };
  assert.equal((await resumed(again, undefined, open, () => undefined).next()).value, "at last");
  count = 0;
  await assert.rejects(resumed(again, AbortSignal.abort(), open, () => undefined).next(), { name: "AbortError" });
});

test("the channel retries by itself", async () => {
  const [orders, calls] = await serving();
  await calls.getOrder({ orderId: "retried" });
  assert.equal(orders.gets, 3);
});

test("the designed deadline holds on either side", async () => {
  const [, calls, address] = await serving();
  assert.equal(await code(calls.getOrder({ orderId: "slow" })), Status.DEADLINE_EXCEEDED);
  const { createChannel, createClient } = await import("nice-grpc");
  const bare = createChannel(address);
  assert.equal(
    await code(createClient(pb.OrderServiceDefinition, bare).getOrder({ orderId: "slow" })),
    Status.DEADLINE_EXCEEDED,
  );
  bare.close();
});

test("the trace is handed on", async () => {
  const [orders, calls] = await serving();
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const metadata = Metadata({ traceparent: `00-${traceId}-b7ad6b7169203331-01`, tracestate: "a=b" });
  await calls.getOrder({}, { metadata });
  assert.deepEqual(orders.traces[0], { traceId, spanId: "b7ad6b7169203331", flags: "01", state: "a=b" });
  await calls.getOrder({}, { trace: orders.traces[0] });
  assert.equal(orders.traces[1]?.traceId, traceId);
  assert.notEqual(orders.traces[1]?.spanId, "b7ad6b7169203331");
  await calls.getOrder({}, { metadata: Metadata({ traceparent: "00-nonsense" }) });
  assert.notEqual(orders.traces[2]?.traceId, traceId);
});
