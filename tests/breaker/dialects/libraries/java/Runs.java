package com.example.calls;

import io.github.resilience4j.bulkhead.Bulkhead;
import io.github.resilience4j.bulkhead.BulkheadFullException;
import io.github.resilience4j.bulkhead.BulkheadRegistry;
import io.github.resilience4j.circuitbreaker.CallNotPermittedException;
import io.github.resilience4j.circuitbreaker.CircuitBreaker;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig;
import io.github.resilience4j.circuitbreaker.CircuitBreakerRegistry;
import io.github.resilience4j.common.CompositeCustomizer;
import io.github.resilience4j.ratelimiter.RateLimiterConfig;
import io.github.resilience4j.ratelimiter.RateLimiterRegistry;
import io.github.resilience4j.retry.RetryRegistry;
import io.github.resilience4j.springboot3.bulkhead.autoconfigure.BulkheadProperties;
import io.github.resilience4j.springboot3.circuitbreaker.autoconfigure.CircuitBreakerProperties;
import io.github.resilience4j.springboot3.ratelimiter.autoconfigure.RateLimiterProperties;
import io.github.resilience4j.springboot3.retry.autoconfigure.RetryProperties;
import io.github.resilience4j.springboot3.timelimiter.autoconfigure.TimeLimiterProperties;
import io.github.resilience4j.timelimiter.TimeLimiterRegistry;
import java.net.ConnectException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import org.springframework.boot.context.properties.bind.Bindable;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.env.YamlPropertySourceLoader;
import org.springframework.core.env.StandardEnvironment;
import org.springframework.core.io.FileSystemResource;

/** Tells what the real library makes of the policy, and how calls go that it guards: lines of "name value". */
public final class Runs {
    private Runs() {}

    private static final ExecutorService EXECUTOR = Executors.newCachedThreadPool();

    public static void main(String[] arguments) throws Exception {
        tell("java", PaymentChargeCardPolicy.standalone());
        tell("yaml", ofSpring(Path.of(arguments[0])));
        retries();
        opens();
        fillsUp();
        isCutShort();
        answersThatNoRetryMends();
        EXECUTOR.shutdownNow();
        say("threads end", EXECUTOR.awaitTermination(5, java.util.concurrent.TimeUnit.SECONDS));
    }

    private static void say(String name, Object value) {
        System.out.println(name + " = " + value);
    }

    private static void tell(String of, PaymentChargeCardPolicy policy) {
        say(of + " overall", policy.deadline().getTimeLimiterConfig().getTimeoutDuration().toMillis());
        say(of + " per_try", policy.timeout().getTimeLimiterConfig().getTimeoutDuration().toMillis());
        say(of + " cancels", policy.timeout().getTimeLimiterConfig().shouldCancelRunningFuture());
        CircuitBreakerConfig breaker = policy.breaker().getCircuitBreakerConfig();
        say(of + " window", breaker.getSlidingWindowType());
        say(of + " size", breaker.getSlidingWindowSize());
        say(of + " minimum_calls", breaker.getMinimumNumberOfCalls());
        say(of + " failure", breaker.getFailureRateThreshold());
        say(of + " slow", breaker.getSlowCallRateThreshold());
        say(of + " slow_after", breaker.getSlowCallDurationThreshold().toMillis());
        say(of + " open_for", breaker.getWaitIntervalFunctionInOpenState().apply(1));
        say(of + " probes", breaker.getPermittedNumberOfCallsInHalfOpenState());
        say(of + " records a refusal", breaker.getRecordExceptionPredicate().test(new IllegalStateException()));
        say(of + " records a failure", breaker.getRecordExceptionPredicate().test(new ConnectException()));
        say(of + " ignores its own", breaker.getIgnoreExceptionPredicate().test(
                BulkheadFullException.createBulkheadFullException(policy.bulkhead())));
        say(of + " concurrent", policy.bulkhead().getBulkheadConfig().getMaxConcurrentCalls());
        say(of + " waits for a place", policy.bulkhead().getBulkheadConfig().getMaxWaitDuration().toMillis());
        RateLimiterConfig limit = policy.limit().getRateLimiterConfig();
        say(of + " rate", limit.getLimitForPeriod() + " in " + limit.getLimitRefreshPeriod().toMillis());
        say(of + " waits for a permit", limit.getTimeoutDuration().toMillis());
        say(of + " attempts", policy.retry().getRetryConfig().getMaxAttempts());
        for (int attempt = 1; attempt < policy.retry().getRetryConfig().getMaxAttempts(); attempt++) {
            say(of + " wait " + attempt, drawn(policy, attempt));
        }
        for (Exception failure : List.of(new ConnectException(), new UnavailableException("503"),
                new TimeoutException(), new IllegalStateException(),
                CallNotPermittedException.createCallNotPermittedException(policy.breaker()))) {
            say(of + " retries " + failure.getClass().getSimpleName(),
                    policy.retry().getRetryConfig().getExceptionPredicate().test(failure));
        }
    }

    /** The least and the most of many waits, paid for each. */
    private static String drawn(PaymentChargeCardPolicy policy, int attempt) {
        long least = Long.MAX_VALUE;
        long most = Long.MIN_VALUE;
        for (int draw = 0; draw < 20_000; draw++) {
            for (int calls = 0; calls < 4; calls++) {
                policy.budget().earn();
            }
            long wait = policy.retry().getRetryConfig().getIntervalBiFunction().apply(attempt, null);
            least = Math.min(least, wait);
            most = Math.max(most, wait);
        }
        return least + " to " + most;
    }

    /** As Resilience4j's auto-configuration fills its registries. */
    private static PaymentChargeCardPolicy ofSpring(Path file) throws Exception {
        StandardEnvironment environment = new StandardEnvironment();
        new YamlPropertySourceLoader().load("application", new FileSystemResource(file))
                .forEach(environment.getPropertySources()::addLast);
        Binder binder = Binder.get(environment);
        TimeLimiterProperties timeLimiters = bound(binder, "timelimiter", TimeLimiterProperties.class);
        RetryProperties retries = bound(binder, "retry", RetryProperties.class);
        CircuitBreakerProperties breakers = bound(binder, "circuitbreaker", CircuitBreakerProperties.class);
        RateLimiterProperties limits = bound(binder, "ratelimiter", RateLimiterProperties.class);
        BulkheadProperties bulkheads = bound(binder, "bulkhead", BulkheadProperties.class);
        TimeLimiterRegistry timeLimiterRegistry = TimeLimiterRegistry.ofDefaults();
        RetryRegistry retryRegistry = RetryRegistry.ofDefaults();
        CircuitBreakerRegistry breakerRegistry = CircuitBreakerRegistry.ofDefaults();
        RateLimiterRegistry limitRegistry = RateLimiterRegistry.ofDefaults();
        BulkheadRegistry bulkheadRegistry = BulkheadRegistry.ofDefaults();
        timeLimiters.getInstances().forEach((name, said) ->
                timeLimiterRegistry.timeLimiter(name, timeLimiters.createTimeLimiterConfig(name, said, none())));
        retries.getInstances().forEach((name, said) ->
                retryRegistry.retry(name, retries.createRetryConfig(said, none(), name)));
        breakers.getInstances().forEach((name, said) ->
                breakerRegistry.circuitBreaker(name, breakers.createCircuitBreakerConfig(name, said, none())));
        limits.getInstances().forEach((name, said) ->
                limitRegistry.rateLimiter(name, limits.createRateLimiterConfig(said, none(), name)));
        bulkheads.getInstances().forEach((name, said) ->
                bulkheadRegistry.bulkhead(name, bulkheads.createBulkheadConfig(said, none(), name)));
        PaymentChargeCardPolicy policy = PaymentChargeCardPolicy.of(
                timeLimiterRegistry, retryRegistry, breakerRegistry, limitRegistry, bulkheadRegistry);
        say("the registry's retry is the one in use", retryRegistry.retry("payment-charge-card") == policy.retry());
        return policy;
    }

    private static <T> T bound(Binder binder, String name, Class<T> type) {
        return binder.bind("resilience4j." + name, Bindable.of(type)).get();
    }

    private static <T extends io.github.resilience4j.common.CustomizerWithName> CompositeCustomizer<T> none() {
        return new CompositeCustomizer<>(List.of());
    }

    private static PaymentChargeCardCall<String, String> guarded(
            PaymentChargeCardPolicy policy, PaymentChargeCardCall.Remote<String, String> remote) {
        return new PaymentChargeCardCall<>(
                policy, remote, (request, failure) -> "instead, for " + failure.getClass().getSimpleName(), EXECUTOR);
    }

    /** A failure that another try mends, and the key that both of them send. */
    private static void retries() throws Exception {
        List<String> keys = Collections.synchronizedList(new ArrayList<>());
        PaymentChargeCardCall<String, String> call = guarded(PaymentChargeCardPolicy.standalone(), (request, key) -> {
            keys.add(key);
            if (keys.size() == 1) {
                throw new UnavailableException("not now");
            }
            return "charged";
        });
        say("mended", call.call("card", "order-7"));
        say("keys", keys);
    }

    /** All calls fail: it opens, rejects, and nothing repeats the rejection; the budget bounds the tries before. */
    private static void opens() throws Exception {
        AtomicInteger tries = new AtomicInteger();
        PaymentChargeCardPolicy policy = PaymentChargeCardPolicy.standalone();
        PaymentChargeCardCall<String, String> call = guarded(policy, (request, key) -> {
            tries.incrementAndGet();
            throw new ConnectException("refused");
        });
        int calls = 0;
        while (policy.breaker().getState() == CircuitBreaker.State.CLOSED && calls < 100) {
            call.call("card", "order-" + calls++);
        }
        say("opened after tries", tries.get());
        long waited = policy.retry().getMetrics().getNumberOfFailedCallsWithRetryAttempt();
        int before = tries.get();
        say("while open", call.call("card", "order-x"));
        say("tries while open", tries.get() - before);
        say("rejected", policy.breaker().getMetrics().getNumberOfNotPermittedCalls() > 0);
        say("retries of a rejection", policy.retry().getMetrics().getNumberOfFailedCallsWithRetryAttempt() - waited);
        PaymentChargeCardPolicy poor = PaymentChargeCardPolicy.standalone();
        while (poor.budget().spend()) {
            tries.set(0);
        }
        guarded(poor, (request, key) -> {
            tries.incrementAndGet();
            throw new ConnectException("refused");
        }).call("card", "order-y");
        say("tries without a budget", tries.get());
    }

    /** All places taken: the next is refused at once, and the breaker doesn't count it. */
    private static void fillsUp() throws Exception {
        PaymentChargeCardPolicy policy = PaymentChargeCardPolicy.standalone();
        Bulkhead bulkhead = policy.bulkhead();
        while (bulkhead.tryAcquirePermission()) {
            bulkhead.getName();
        }
        say("full", guarded(policy, (request, key) -> "charged").call("card", "order-8"));
        say("counted when full", policy.breaker().getMetrics().getNumberOfBufferedCalls());
    }

    /** A dependency that never answers: each try is interrupted, and after the deadline nothing goes on. */
    private static void isCutShort() throws Exception {
        AtomicInteger interrupted = new AtomicInteger();
        AtomicInteger tries = new AtomicInteger();
        PaymentChargeCardPolicy policy = PaymentChargeCardPolicy.standalone();
        String answer = guarded(policy, (request, key) -> {
            tries.incrementAndGet();
            try {
                Thread.sleep(60_000);
            } catch (InterruptedException stopped) {
                interrupted.incrementAndGet();
                throw stopped;
            }
            return "too late";
        }).call("card", "order-9");
        say("cut short", answer);
        for (int look = 0; look < 500 && interrupted.get() < tries.get(); look++) {
            Thread.sleep(10);
        }
        say("all tries interrupted", interrupted.get() == tries.get() && tries.get() > 1);
    }

    /** An answer that says no is an answer: no retry, no failure, no fallback. */
    private static void answersThatNoRetryMends() throws Exception {
        AtomicInteger tries = new AtomicInteger();
        PaymentChargeCardPolicy policy = PaymentChargeCardPolicy.standalone();
        try {
            guarded(policy, (request, key) -> {
                tries.incrementAndGet();
                throw new IllegalStateException("card refused");
            }).call("card", "order-10");
        } catch (IllegalStateException refused) {
            say("refused", refused.getMessage() + " after " + tries.get());
        }
        say("failures counted", policy.breaker().getMetrics().getNumberOfFailedCalls());
    }
}
