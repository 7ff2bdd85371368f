/**
 * Hands the W3C trace context on: from the call that is answered (`context.trace`) to the calls that it makes
 * (`{ trace: context.trace }`). https://www.w3.org/TR/trace-context/
 */
import { randomBytes } from "node:crypto";
import { Metadata } from "nice-grpc-common";
import type { CallContext, CallOptions, ClientMiddlewareCall, ServerMiddlewareCall } from "nice-grpc-common";

const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Where a call stands in its trace. */
export interface Trace {
  readonly traceId: string;
  readonly spanId: string;
  readonly flags: string;
  readonly state: string;
}

/** What a method's context has beside nice-grpc's own. */
export interface Traced {
  trace: Trace;
}

/** Reads the caller's trace context; without a valid one, a new trace begins. */
export async function* readTrace<Request, Response>(
  call: ServerMiddlewareCall<Request, Response, Traced>,
  context: CallContext,
): AsyncGenerator<Response, Response | void, undefined> {
  return yield* call.next(call.request, { ...context, trace: parsed(context.metadata) ?? begun() });
}

/** Sends the trace context on, with a span of its own for the call; one that was set by hand stands. */
export async function* sendTrace<Request, Response>(
  call: ClientMiddlewareCall<Request, Response>,
  options: CallOptions & Partial<Traced>,
): AsyncGenerator<Response, Response | void, undefined> {
  const { trace, ...rest } = options;
  const metadata = Metadata(rest.metadata);
  if (!metadata.has("traceparent")) {
    const { traceId, flags, state } = trace ?? begun();
    metadata.set("traceparent", `00-${traceId}-${random(8)}-${flags}`);
    if (state !== "") {
      metadata.set("tracestate", state);
    }
  }
  return yield* call.next(call.request, { ...rest, metadata });
}

function parsed(metadata: Metadata): Trace | undefined {
  const parents = metadata.getAll("traceparent");
  const parts = parents.length === 1 ? FORM.exec(parents[0] ?? "") : null;
  const [, version, traceId = "", spanId = "", flags = "", more] = parts ?? [];
  if (parts === null || version === "ff" || (version === "00" && more !== undefined)) {
    return undefined;
  }
  if (/^0*$/.test(traceId) || /^0*$/.test(spanId)) {
    return undefined;
  }
  return { traceId, spanId, flags, state: metadata.getAll("tracestate").join(",") };
}

function begun(): Trace {
  return { traceId: random(16), spanId: random(8), flags: "00", state: "" };
}

function random(size: number): string {
  return randomBytes(size).toString("hex");
}
