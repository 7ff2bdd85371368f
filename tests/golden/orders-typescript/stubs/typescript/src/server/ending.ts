import { ServerError, Status } from "nice-grpc-common";
import type { CallContext, ServerMiddleware } from "nice-grpc-common";

/** What a method's context has to be ended by. */
export interface Ends {
  /** To be called by a method that would never end by itself, such as one that watches: the server's end ends it. */
  abortOnTerminate(): void;
}

/** Ends the calls that asked for it when the server stops; all others are waited for. */
export class Ending {
  readonly #over = new AbortController();

  /** Tells the calls. */
  end(): void {
    this.#over.abort();
  }

  readonly middleware: ServerMiddleware<Ends> = (call, context) => this.#watched(call, context);

  async *#watched<Request, Response>(
    call: Parameters<typeof this.middleware<Request, Response>>[0],
    context: CallContext,
  ): AsyncGenerator<Response, Response | void, undefined> {
    const over = this.#over.signal;
    const own = new AbortController();
    const stop = (): void => own.abort();
    const signal = AbortSignal.any([context.signal, own.signal]);
    const abortOnTerminate = (): void => over.addEventListener("abort", stop, { once: true });
    try {
      return yield* call.next(call.request, { ...context, signal, abortOnTerminate });
    } catch (error) {
      throw own.signal.aborted ? new ServerError(Status.UNAVAILABLE, "the server is going down") : error;
    } finally {
      over.removeEventListener("abort", stop);
    }
  }
}
