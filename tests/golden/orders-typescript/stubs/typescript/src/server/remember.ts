import { createHash } from "node:crypto";
import { ServerError, Status } from "nice-grpc-common";
import type { CallContext, ServerMiddleware, ServerMiddlewareCall } from "nice-grpc-common";
import * as pb from "../gen/acme/orders/v1/orders.js";

/** Milliseconds, longer than any client goes on trying. */
const KEPT_FOR = 10 * 60 * 1_000;
/** Answers kept at once; the oldest goes first. */
const MOST_KEPT = 10_000;

/** What is read of a request: its id, and what it says in all. */
interface Rule {
  id(request: unknown): string;
  body(request: unknown): string;
}

/** Those idempotent rpcs whose request has an id. */
const RULES: ReadonlyMap<string, Rule> = new Map([
  ["/acme.orders.v1.OrderService/PlaceOrder", rule(pb.PlaceOrderRequest, (request) => request.requestId)],
]);

function rule<Message>(
  type: { toJSON(message: Message): unknown },
  id: (request: Message) => string | undefined,
): Rule {
  return {
    id: (request) => id(request as Message) ?? "",
    body: (request) =>
      createHash("sha256")
        .update(JSON.stringify(type.toJSON(request as Message), sorted))
        .digest("hex"),
  };
}

/** The entries of a map come in no order: two that are equal have to look the same. */
function sorted(_key: string, value: unknown): unknown {
  return value !== null && typeof value === "object" && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))
    : value;
}

/** A call that is under way, or its answer: undefined if it failed. */
interface Kept {
  readonly body: string;
  readonly answer: Promise<unknown>;
  until: number | undefined;
}

/**
 * Keeps the answers of idempotent calls and gives them again to a second try. An error is not kept, so a method that
 * fails has to leave nothing behind.
 *
 * It is this process's own. Where several servers run, or a restart must not forget, keep the ids in the database, in
 * the transaction that has the effect; and where callers don't trust each other, make the caller part of the key.
 */
export function remember(most = MOST_KEPT, keptFor = KEPT_FOR): ServerMiddleware {
  const kept = new Map<string, Kept>();

  return async function* once<Request, Response>(
    call: ServerMiddlewareCall<Request, Response>,
    context: CallContext,
  ): AsyncGenerator<Response, Response | void, undefined> {
    const known = RULES.get(call.method.path);
    const id = known?.id(call.request) ?? "";
    if (call.responseStream || known === undefined || id === "") {
      return yield* call.next(call.request, context);
    }
    const key = `${call.method.path} ${id}`;
    const body = known.body(call.request);
    for (let before = kept.get(key); before !== undefined; before = kept.get(key)) {
      if (before.until !== undefined && before.until <= Date.now()) {
        break;
      }
      if (before.body !== body) {
        throw new ServerError(Status.INVALID_ARGUMENT, "the request id was used before, for another request");
      }
      const answer = await Promise.race([before.answer, over(context.signal)]);
      if (answer !== undefined) {
        return answer as Response;
      }
      // The first try failed, so this one is the first now.
    }
    makeRoom(kept, most);
    let settle: (answer: unknown) => void = () => undefined;
    const own: Kept = { body, answer: new Promise((resolve) => (settle = resolve)), until: undefined };
    kept.delete(key);
    kept.set(key, own);
    try {
      const answer = yield* call.next(call.request, context);
      own.until = Date.now() + keptFor;
      // By the time of its answer, so that what ends first stands first.
      kept.delete(key);
      kept.set(key, own);
      settle(answer);
      return answer;
    } finally {
      if (own.until === undefined) {
        kept.delete(key);
        settle(undefined);
      }
    }
  };
}

/** Drops what is over, and the oldest answer if that is not enough; never a call that is under way. */
function makeRoom(kept: Map<string, Kept>, most: number): void {
  const now = Date.now();
  for (const [key, { until }] of kept) {
    if (until !== undefined && until > now && kept.size < most) {
      return;
    }
    if (until !== undefined) {
      kept.delete(key);
    }
  }
  if (kept.size >= most) {
    throw new ServerError(Status.RESOURCE_EXHAUSTED, "too many calls with a request id are under way");
  }
}

function over(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = (): void => reject(new ServerError(Status.CANCELLED, "nobody waits for the answer any more"));
    if (signal.aborted) {
      stop();
    }
    signal.addEventListener("abort", stop, { once: true });
  });
}
