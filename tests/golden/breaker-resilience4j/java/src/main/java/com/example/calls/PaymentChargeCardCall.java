package com.example.calls;

import io.github.resilience4j.bulkhead.Bulkhead;
import io.github.resilience4j.bulkhead.BulkheadFullException;
import io.github.resilience4j.circuitbreaker.CallNotPermittedException;
import io.github.resilience4j.circuitbreaker.CircuitBreaker;
import io.github.resilience4j.core.CallableUtils;
import io.github.resilience4j.ratelimiter.RateLimiter;
import io.github.resilience4j.ratelimiter.RequestNotPermitted;
import io.github.resilience4j.retry.Retry;
import io.github.resilience4j.timelimiter.TimeLimiter;
import java.net.ConnectException;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.TimeoutException;
import java.util.function.BiFunction;

/**
 * Calls ChargeCard of payment, guarded by its policy.
 *
 * @param <Q> what is asked
 * @param <A> the answer
 */
public final class PaymentChargeCardCall<Q, A> {
    /**
     * One try. A call that never reached the dependency throws a ConnectException, one that it can't answer now an
     * {@link UnavailableException}; anything else is an answer that no other try would change.
     */
    @FunctionalInterface
    public interface Remote<Q, A> {
        /** Sends the request with its key, by which the dependency knows a call that it has seen before. */
        A call(Q request, String idempotencyKey) throws Exception;
    }

    private final PaymentChargeCardPolicy policy;
    private final Remote<Q, A> remote;
    private final ExecutorService executor;
    private final BiFunction<Q, Throwable, A> fallback;

    /**
     * @param policy one for all calls of this process: it remembers how they went
     * @param remote one try
     * @param fallback what is served where the call fails (cache); it must not call payment
     * @param executor without a bound of its own (virtual threads, or a cached pool): a call takes two threads
     */
    public PaymentChargeCardCall(
            PaymentChargeCardPolicy policy,
            Remote<Q, A> remote,
            BiFunction<Q, Throwable, A> fallback,
            ExecutorService executor) {
        this.policy = Objects.requireNonNull(policy);
        this.remote = Objects.requireNonNull(remote);
        this.fallback = Objects.requireNonNull(fallback);
        this.executor = Objects.requireNonNull(executor);
    }

    /**
     * The answer, within 2000 ms.
     *
     * @param idempotencyKey order_id: the same for every try of this call, and for no other
     * @throws Exception what the last try threw, or the rejection
     */
    public A call(Q request, String idempotencyKey) throws Exception {
        Objects.requireNonNull(idempotencyKey, "order_id: without it a second try may take effect twice");
        policy.budget().earn();
        // From the inside out: what stands below is around what stands above.
        Callable<A> call = () -> remote.call(request, idempotencyKey);
        call = within(policy.timeout(), call);
        call = Bulkhead.decorateCallable(policy.bulkhead(), call);
        call = RateLimiter.decorateCallable(policy.limit(), call);
        call = CircuitBreaker.decorateCallable(policy.breaker(), call);
        call = Retry.decorateCallable(policy.retry(), call);
        call = within(policy.deadline(), call);
        call = CallableUtils.recover(
                call,
                List.of(
                        ConnectException.class,
                        UnavailableException.class,
                        TimeoutException.class,
                        CallNotPermittedException.class,
                        BulkheadFullException.class,
                        RequestNotPermitted.class),
                failure -> fallback.apply(request, failure));
        return call.call();
    }

    /** Gives up after the limit, and interrupts what is still under way then. */
    private Callable<A> within(TimeLimiter limit, Callable<A> call) {
        return () -> {
            Future<A> running = executor.submit(call);
            try {
                return limit.executeFutureSupplier(() -> running);
            } finally {
                running.cancel(true);
            }
        };
    }
}
