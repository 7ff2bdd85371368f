/** What guards a remote call beside cockatiel's policies, for all policies of this process. */
import {
  DelegateBackoff,
  type IPolicy,
  type IRetryBackoffContext,
  type Policy,
  TaskCancelledError,
  type TimeoutPolicy,
} from "cockatiel";

/** A call that ends early when the signal says so. */
export type Call<A> = (signal: AbortSignal) => Promise<A>;

/** The request never got there: connection refused, no such host. */
export class Unreached extends Error {}
/** It was reached and said that it can't now: HTTP 503, gRPC UNAVAILABLE. */
export class Unavailable extends Error {}
/** As many calls began in this period as may. */
export class RateExceeded extends Error {}

/** cockatiel opens above its threshold, not at it, and takes none of 1. */
export function justBelow(share: number): number {
  return share - 1e-9;
}

/** So many calls in so long, as the rate that cockatiel asks for: half a call less, so that rounding changes nothing. */
export function atLeast(calls: number, milliseconds: number): number {
  return ((calls - 0.5) / milliseconds) * 1000;
}

/** The call, as the policy has it; one that was given up already isn't begun. */
export function through<A>(policy: IPolicy, call: Call<A>): Call<A> {
  return async (signal) => {
    signal.throwIfAborted();
    return await policy.execute((context) => call(context.signal), signal);
  };
}

/**
 * The call, for so long. One that heeds its signal, as fetch does, throws an AbortError of its own before cockatiel says
 * that the time is over: that is the time-out too, and no answer.
 */
export function within<A>(policy: TimeoutPolicy, call: Call<A>): Call<A> {
  return through<A>(policy, async (ended) => {
    try {
      return await call(ended);
    } catch (error) {
      throw ended.aborted ? new TaskCancelledError("no answer in time") : error;
    }
  });
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

export interface Waits {
  readonly firstMs: number;
  readonly factor: number;
  readonly longestMs: number;
  /** full: each wait is drawn between nothing and the backoff, so that no two callers come back together. */
  readonly jitter: "full" | "none";
}

/**
 * The waits between tries, as long as the budget lasts; then the last failure is thrown. cockatiel's own
 * ExponentialBackoff heeds its `exponent` with decorrelated jitter alone: with full jitter it doubles, whatever is said.
 */
export function sparing(waits: Waits, budget: RetryBudget): DelegateBackoff<IRetryBackoffContext<unknown>> {
  return new DelegateBackoff(({ attempt, result }) => {
    if (!budget.spend() && "error" in result) {
      throw result.error;
    }
    const longest = Math.min(waits.firstMs * waits.factor ** (attempt - 1), waits.longestMs);
    return waits.jitter === "full" ? Math.random() * longest : longest;
  });
}

/** What is served where the call fails or was refused; an answer that is an error stays one. */
export function orElse<A>(served: Policy, fallback: (failure: unknown) => Promise<A>, call: Call<A>): Call<A> {
  return async (signal) => {
    try {
      return await call(signal);
    } catch (failure) {
      if (failure instanceof Error && served.options.errorFilter(failure)) {
        return await fallback(failure);
      }
      throw failure;
    }
  };
}
