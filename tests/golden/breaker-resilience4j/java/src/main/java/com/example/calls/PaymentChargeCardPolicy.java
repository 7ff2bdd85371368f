package com.example.calls;

import io.github.resilience4j.bulkhead.Bulkhead;
import io.github.resilience4j.bulkhead.BulkheadConfig;
import io.github.resilience4j.bulkhead.BulkheadFullException;
import io.github.resilience4j.bulkhead.BulkheadRegistry;
import io.github.resilience4j.circuitbreaker.CallNotPermittedException;
import io.github.resilience4j.circuitbreaker.CircuitBreaker;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig.SlidingWindowType;
import io.github.resilience4j.circuitbreaker.CircuitBreakerRegistry;
import io.github.resilience4j.core.IntervalBiFunction;
import io.github.resilience4j.core.IntervalFunction;
import io.github.resilience4j.ratelimiter.RateLimiter;
import io.github.resilience4j.ratelimiter.RateLimiterConfig;
import io.github.resilience4j.ratelimiter.RateLimiterRegistry;
import io.github.resilience4j.ratelimiter.RequestNotPermitted;
import io.github.resilience4j.retry.Retry;
import io.github.resilience4j.retry.RetryConfig;
import io.github.resilience4j.retry.RetryRegistry;
import io.github.resilience4j.timelimiter.TimeLimiter;
import io.github.resilience4j.timelimiter.TimeLimiterConfig;
import io.github.resilience4j.timelimiter.TimeLimiterRegistry;
import java.net.ConnectException;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeoutException;

/** What guards ChargeCard of payment. One for all calls of a process: it remembers how they went. */
public record PaymentChargeCardPolicy(
        TimeLimiter deadline,
        TimeLimiter timeout,
        Bulkhead bulkhead,
        RateLimiter limit,
        CircuitBreaker breaker,
        RetryBudget budget,
        Retry retry) {
    private static final String NAME = "payment-charge-card";
    // Retries as a share of the calls: with all of them failing, the dependency gets 25 % more, no multiple.
    private static final double RETRIES_PER_CALL = 0.25;

    /** Of the figures in application.yml, as Spring Boot has put them into its registries. */
    public static PaymentChargeCardPolicy of(
            TimeLimiterRegistry timeLimiters,
            RetryRegistry retries,
            CircuitBreakerRegistry breakers,
            RateLimiterRegistry rateLimiters,
            BulkheadRegistry bulkheads) {
        RetryBudget budget = new RetryBudget(RETRIES_PER_CALL);
        Retry retry = Retry.of(NAME, sparing(retries.retry(NAME).getRetryConfig(), budget));
        // So that its metrics are those of the one in use.
        retries.replace(NAME, retry);
        return new PaymentChargeCardPolicy(
                timeLimiters.timeLimiter(NAME + "-deadline"),
                timeLimiters.timeLimiter(NAME),
                bulkheads.bulkhead(NAME),
                rateLimiters.rateLimiter(NAME),
                breakers.circuitBreaker(NAME),
                budget,
                retry);
    }

    /** Of the same figures, where there is no Spring. */
    @SuppressWarnings("unchecked") // The builders take classes of exceptions as a varargs of a generic type.
    public static PaymentChargeCardPolicy standalone() {
        TimeLimiterConfig deadline = TimeLimiterConfig.custom()
                .timeoutDuration(Duration.ofMillis(2000))
                .cancelRunningFuture(true)
                .build();
        TimeLimiterConfig timeout = TimeLimiterConfig.custom()
                .timeoutDuration(Duration.ofMillis(900))
                .cancelRunningFuture(true)
                .build();
        BulkheadConfig bulkhead = BulkheadConfig.custom()
                .maxConcurrentCalls(13)
                .maxWaitDuration(Duration.ZERO)
                .build();
        RateLimiterConfig limit = RateLimiterConfig.custom()
                .limitForPeriod(50)
                .limitRefreshPeriod(Duration.ofSeconds(1))
                .timeoutDuration(Duration.ZERO)
                .build();
        CircuitBreakerConfig breaker = CircuitBreakerConfig.custom()
                .slidingWindowType(SlidingWindowType.TIME_BASED)
                .slidingWindowSize(10)
                .minimumNumberOfCalls(20)
                .failureRateThreshold(50f)
                .slowCallRateThreshold(80f)
                .slowCallDurationThreshold(Duration.ofMillis(700))
                .waitDurationInOpenState(Duration.ofMillis(5000))
                .permittedNumberOfCallsInHalfOpenState(3)
                .recordExceptions(
                        ConnectException.class,
                        UnavailableException.class,
                        TimeoutException.class)
                .ignoreExceptions(
                        BulkheadFullException.class,
                        RequestNotPermitted.class,
                        InterruptedException.class)
                .build();
        RetryConfig retry = RetryConfig.custom()
                .maxAttempts(4)
                .intervalFunction(IntervalFunction.ofExponentialBackoff(
                        Duration.ofMillis(100), 1.5, Duration.ofMillis(200)))
                .retryExceptions(
                        ConnectException.class,
                        UnavailableException.class,
                        TimeoutException.class)
                // A rejection is an answer: to ask again at once is the load that the rejection sheds.
                .ignoreExceptions(
                        CallNotPermittedException.class,
                        BulkheadFullException.class,
                        RequestNotPermitted.class)
                .build();
        RetryBudget budget = new RetryBudget(RETRIES_PER_CALL);
        return new PaymentChargeCardPolicy(
                TimeLimiter.of(NAME + "-deadline", deadline),
                TimeLimiter.of(NAME, timeout),
                Bulkhead.of(NAME, bulkhead),
                RateLimiter.of(NAME, limit),
                CircuitBreaker.of(NAME, breaker),
                budget,
                Retry.of(NAME, sparing(retry, budget)));
    }

    /** Draws each wait between nothing and what the config says, as long as the budget lasts. */
    private static RetryConfig sparing(RetryConfig config, RetryBudget budget) {
        IntervalBiFunction<Object> longest = config.getIntervalBiFunction();
        // A negative wait ends the tries with the last failure.
        return RetryConfig.from(config)
                .intervalBiFunction((attempt, outcome) -> budget.spend()
                        ? ThreadLocalRandom.current().nextLong(longest.apply(attempt, outcome) + 1)
                        : -1L)
                .build();
    }
}
