import { ServerInterceptingCall } from "@grpc/grpc-js";
import type { ServerInterceptor } from "@grpc/grpc-js";
import { ServerError, Status } from "nice-grpc-common";
import type { CallContext, ServerMiddlewareCall } from "nice-grpc-common";

/** How many milliseconds a call may take by design. */
const DEADLINES: ReadonlyMap<string, number> = new Map([
  ["/acme.orders.v1.OrderService/GetOrder", 300],
  ["/acme.orders.v1.OrderService/PlaceOrder", 2000],
  ["/acme.orders.v1.OrderService/ListOrders", 1000],
  ["/acme.orders.v1.OrderService/WatchOrder", 30000],
]);
const UNLIMITED = "x-without-deadline";

/** Marks the calls that came without a deadline, which grpc-js tells nobody but interceptors. */
export const markUnlimited: ServerInterceptor = (_method, call) =>
  new ServerInterceptingCall(call, {
    start: (next) =>
      next({
        onReceiveMetadata: (metadata, pass) => {
          metadata.remove(UNLIMITED);
          if (call.getDeadline() === Infinity) {
            metadata.set(UNLIMITED, "yes");
          }
          pass(metadata);
        },
      }),
  });

/**
 * Refuses a call that is over already, and gives the designed deadline to one that came without any. What a method
 * starts with `context.signal` ends when nobody waits for it any more.
 */
export async function* limit<Request, Response, Context extends CallContext>(
  call: ServerMiddlewareCall<Request, Response>,
  context: Context,
): AsyncGenerator<Response, Response | void, undefined> {
  if (context.signal.aborted) {
    throw new ServerError(Status.CANCELLED, "nobody waits for the answer any more");
  }
  const milliseconds = context.metadata.has(UNLIMITED) ? DEADLINES.get(call.method.path) : undefined;
  if (milliseconds === undefined) {
    return yield* call.next(call.request, context);
  }
  const over = AbortSignal.timeout(milliseconds);
  const late = new ServerError(Status.DEADLINE_EXCEEDED, "the designed deadline has passed");
  let answer: Response | void;
  try {
    answer = yield* call.next(call.request, { ...context, signal: AbortSignal.any([context.signal, over]) });
  } catch (error) {
    throw over.aborted ? late : error;
  }
  if (over.aborted) {
    throw late;
  }
  return answer;
}
