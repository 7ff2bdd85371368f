/** What guards a remote call beside opossum's breaker, for all policies of this process. */
import { setTimeout as sleep } from "node:timers/promises";
import type CircuitBreaker from "opossum";

/** A call that ends early when the signal says so. */
export type Call<A> = (signal: AbortSignal) => Promise<A>;
type Kind = new (...args: never[]) => Error;

/** The request never got there: connection refused, no such host. */
export class Unreached extends Error {}
/** It was reached and said that it can't now: HTTP 503, gRPC UNAVAILABLE. */
export class Unavailable extends Error {}
/** No answer came in the time of one try. */
export class TimedOut extends Error {}
/** No answer came in the time of all tries. */
export class DeadlineExceeded extends Error {}
/** Not even tried, by the caller itself. */
export class Rejected extends Error {}
/** The dependency failed too often; it is left alone for a while. */
export class BreakerOpen extends Rejected {}
/** As many calls are under way as may be. */
export class BulkheadFull extends Rejected {}
/** As many calls began in this period as may. */
export class RateExceeded extends Rejected {}

/**
 * What a dependency is to blame for; any other error is an answer. opossum knows no third way, so that a try which the
 * deadline cut short counts as well: a probe must not close the breaker by it.
 */
const FAILURES: readonly Kind[] = [Unreached, Unavailable, TimedOut, DeadlineExceeded];

/** For opossum's errorFilter: what is no failure of the dependency. */
export function isNoFailure(error: unknown): boolean {
  return !isOneOf(error, FAILURES);
}

function isOneOf(error: unknown, kinds: readonly Kind[]): boolean {
  return kinds.some((kind) => error instanceof kind);
}

/** opossum opens above its threshold, not at it: 100 would never be reached. */
export function justBelow(percent: number): number {
  return percent - 1e-9;
}

/** Gives up after so long, and tells the call to end. */
export function within<A>(milliseconds: number, call: Call<A>): Call<A> {
  return limited(milliseconds, () => new TimedOut(`no answer in ${milliseconds} ms`), call);
}

/** The same around all tries. */
export function deadline<A>(milliseconds: number, call: Call<A>): Call<A> {
  return limited(milliseconds, () => new DeadlineExceeded(`no answer in ${milliseconds} ms`), call);
}

function limited<A>(milliseconds: number, late: () => Error, call: Call<A>): Call<A> {
  return async (signal) => {
    signal.throwIfAborted();
    const own = new AbortController();
    const stop = () => own.abort(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    const timer = setTimeout(() => own.abort(late()), milliseconds);
    const ended = new Promise<never>((_, reject) => {
      own.signal.addEventListener("abort", () => reject(own.signal.reason), { once: true });
    });
    try {
      return await Promise.race([call(own.signal), ended]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    }
  };
}

/** So many calls at once. One more is refused: a queue only adds to the wait. */
export class Bulkhead {
  private free: number;

  constructor(concurrent: number) {
    this.free = concurrent;
  }

  guard<A>(call: Call<A>): Call<A> {
    return async (signal) => {
      if (this.free < 1) {
        throw new BulkheadFull("all places are taken");
      }
      this.free -= 1;
      try {
        return await call(signal);
      } finally {
        this.free += 1;
      }
    };
  }
}

/** So many calls begin in each period. One more is refused; nothing waits. */
export class RateLimit {
  private readonly calls: number;
  private readonly periodMs: number;
  private begun = 0;
  private periodEnds = 0;

  constructor({ calls, periodMs }: { calls: number; periodMs: number }) {
    this.calls = calls;
    this.periodMs = periodMs;
  }

  guard<A>(call: Call<A>): Call<A> {
    return async (signal) => {
      const now = performance.now();
      if (now >= this.periodEnds) {
        this.begun = 0;
        this.periodEnds = now + this.periodMs;
      }
      if (this.begun >= this.calls) {
        throw new RateExceeded("the rate is reached");
      }
      this.begun += 1;
      return await call(signal);
    };
  }
}

/**
 * Lets retries be a share of the calls: each call earns a part of a retry, each retry spends a whole one. Little is
 * saved up, so that a quiet hour doesn't pay for a storm.
 */
export class RetryBudget {
  private static readonly mostSaved = 10;
  private saved = RetryBudget.mostSaved;
  private readonly share: number;

  constructor(share: number) {
    this.share = share;
  }

  /** A call begins. */
  earn(): void {
    this.saved = Math.min(RetryBudget.mostSaved, this.saved + this.share);
  }

  /** Whether one more retry may be made; then it is paid for. */
  spend(): boolean {
    if (this.saved < 1) {
      return false;
    }
    this.saved -= 1;
    return true;
  }
}

export interface RetryPolicy {
  /** The first try is one of them. */
  readonly attempts: number;
  readonly firstWaitMs: number;
  readonly factor: number;
  readonly longestWaitMs: number;
  /** full: each wait is drawn between nothing and the backoff, so that no two callers come back together. */
  readonly jitter: "full" | "none";
  /** Only what another try may mend. */
  readonly on: readonly Kind[];
}

/** The call, and again as the policy says and the budget allows; in the end its last failure. */
export function retried<A>(policy: RetryPolicy, budget: RetryBudget, call: Call<A>): Call<A> {
  return async (signal) => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await call(signal);
      } catch (error) {
        const again = attempt < policy.attempts && isOneOf(error, policy.on) && !signal.aborted;
        if (!again || !budget.spend()) {
          throw error;
        }
      }
      const longest = Math.min(policy.firstWaitMs * policy.factor ** (attempt - 1), policy.longestWaitMs);
      const wait = policy.jitter === "full" ? Math.random() * longest : longest;
      await sleep(wait, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  };
}

/** The call, as long as the breaker lets it through. */
export function broken<A>(breaker: CircuitBreaker<[() => Promise<unknown>], unknown>, call: Call<A>): Call<A> {
  return async (signal) => {
    try {
      return (await breaker.fire(() => call(signal))) as A;
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EOPENBREAKER") {
        throw new BreakerOpen(`${breaker.name} is open`, { cause: error });
      }
      throw error;
    }
  };
}

/** What is served where the call fails or was refused; an answer that is an error stays one. */
export function orElse<A>(fallback: (failure: unknown) => Promise<A>, call: Call<A>): Call<A> {
  return async (signal) => {
    try {
      return await call(signal);
    } catch (failure) {
      if (isOneOf(failure, [...FAILURES, Rejected])) {
        return await fallback(failure);
      }
      throw failure;
    }
  };
}
