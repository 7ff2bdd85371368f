/** Calls ChargeCard of payment, guarded by its policy. */
import CircuitBreaker from "opossum";
import {
  broken,
  Bulkhead,
  type Call,
  deadline,
  isNoFailure,
  justBelow,
  orElse,
  RateLimit,
  retried,
  RetryBudget,
  type RetryPolicy,
  TimedOut,
  Unavailable,
  Unreached,
  within,
} from "./resilience.js";

/**
 * One try, which ends when the signal says so. What never reached payment throws Unreached, what it can't
 * answer now Unavailable; any other error is an answer that no other try would change.
 * By the key it knows a call that it has seen before: order_id.
 */
export type Remote<Q, A> = (request: Q, idempotencyKey: string, signal: AbortSignal) => Promise<A>;
/** What is served where the call fails (cache); it must not call payment. */
export type Fallback<Q, A> = (request: Q, failure: unknown) => Promise<A>;

// Around all tries and the waits between them: after it the answer is of no use.
const OVERALL_MS = 2000;
// Around each try: 99 % of the answers are there after 250 ms when all is well.
const TRY_MS = 900;
// Retries as a share of the calls: with all of them failing, the dependency gets 25 % more, no multiple.
const RETRIES_PER_CALL = 0.25;
const RETRY: RetryPolicy = {
  attempts: 4,
  firstWaitMs: 100,
  factor: 1.5,
  longestWaitMs: 200,
  jitter: "full",
  // A rejection is an answer: to ask again at once is the load that it sheds.
  on: [Unreached, Unavailable, TimedOut],
};

/** One for all calls of this process: it remembers how they went. */
export class PaymentChargeCard<Q, A> {
  readonly breaker = new CircuitBreaker((call: () => Promise<unknown>) => call(), {
    name: "payment-charge-card",
    // Each try has a time-out of its own, which ends it too.
    timeout: false,
    rollingCountTimeout: 10000,
    rollingCountBuckets: 10,
    // Fewer calls say nothing: 33.3 a second come from one instance at the busiest hour.
    volumeThreshold: 20,
    errorThresholdPercentage: justBelow(50),
    resetTimeout: 5000,
    // What the caller did to itself, and what is an answer, opens nothing.
    errorFilter: isNoFailure,
    // No timers for figures that nobody reads.
    rollingPercentilesEnabled: false,
    enableSnapshots: false,
  });
  private readonly bulkhead = new Bulkhead(13);
  private readonly limit = new RateLimit({ calls: 50, periodMs: 1000 });
  private readonly budget = new RetryBudget(RETRIES_PER_CALL);
  private readonly remote: Remote<Q, A>;
  private readonly fallback: Fallback<Q, A>;

  constructor(remote: Remote<Q, A>, fallback: Fallback<Q, A>) {
    this.remote = remote;
    this.fallback = fallback;
  }

  /**
   * The answer, within 2000 ms.
   *
   * @param idempotencyKey order_id: the same for every try of this call, and for no other
   * @param signal ends it earlier
   */
  async call(request: Q, idempotencyKey: string, signal: AbortSignal = new AbortController().signal): Promise<A> {
    this.budget.earn();
    // From the inside out: what stands below is around what stands above.
    let call: Call<A> = (ended) => this.remote(request, idempotencyKey, ended);
    call = within(TRY_MS, call);
    call = this.bulkhead.guard(call);
    call = this.limit.guard(call);
    call = broken(this.breaker, call);
    call = retried(RETRY, this.budget, call);
    call = deadline(OVERALL_MS, call);
    call = orElse((failure) => this.fallback(request, failure), call);
    return await call(signal);
  }
}
