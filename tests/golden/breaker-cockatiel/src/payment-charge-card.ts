/** Calls ChargeCard of payment, guarded by its policy. */
import {
  BrokenCircuitError,
  bulkhead,
  BulkheadRejectedError,
  circuitBreaker,
  handleType,
  retry,
  SamplingBreaker,
  TaskCancelledError,
  timeout,
  TimeoutStrategy,
} from "cockatiel";
import {
  atLeast,
  type Call,
  justBelow,
  orElse,
  RateExceeded,
  RateLimit,
  RetryBudget,
  sparing,
  through,
  Unavailable,
  Unreached,
  type Waits,
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
const WAITS: Waits = { firstMs: 100, factor: 1.5, longestMs: 200, jitter: "full" };
// Only what another try may mend. A rejection is an answer: to ask again at once is the load that it sheds.
const RETRIED = handleType(Unreached).orType(Unavailable).orType(TaskCancelledError);
// What payment is to blame for; any other error is an answer, or what the caller did to itself.
const FAILURES = handleType(Unreached).orType(Unavailable).orType(TaskCancelledError);
const SERVED = FAILURES.orType(BrokenCircuitError).orType(BulkheadRejectedError).orType(RateExceeded);

/** One for all calls of this process: it remembers how they went. */
export class PaymentChargeCard<Q, A> {
  private readonly overall = timeout(OVERALL_MS, TimeoutStrategy.Aggressive);
  private readonly each = timeout(TRY_MS, TimeoutStrategy.Aggressive);
  // Nothing queues for a place: a queue only adds to the wait.
  private readonly bulkhead = bulkhead(13, 0);
  private readonly limit = new RateLimit({ calls: 50, periodMs: 1000 });
  readonly breaker = circuitBreaker(FAILURES, {
    breaker: new SamplingBreaker({
      threshold: justBelow(0.5),
      duration: 10000,
      // Fewer calls say nothing: 33.3 a second come from one instance at the busiest hour.
      minimumRps: atLeast(20, 10000),
    }),
    halfOpenAfter: 5000,
    halfOpenSampling: { calls: 3, threshold: justBelow(0.5) },
  });
  private readonly budget = new RetryBudget(RETRIES_PER_CALL);
  // Besides the first try.
  private readonly retries = retry(RETRIED, { maxAttempts: 3, backoff: sparing(WAITS, this.budget) });
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
    call = within(this.each, call);
    call = through(this.bulkhead, call);
    call = this.limit.guard(call);
    call = through(this.breaker, call);
    call = through(this.retries, call);
    call = within(this.overall, call);
    call = orElse(SERVED, (failure) => this.fallback(request, failure), call);
    return await call(signal);
  }
}
