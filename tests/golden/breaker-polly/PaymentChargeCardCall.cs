using Polly;
using Polly.CircuitBreaker;
using Polly.Hedging;
using Polly.RateLimiting;
using Polly.Retry;
using Polly.Timeout;
using System;
using System.Threading;
using System.Threading.RateLimiting;
using System.Threading.Tasks;

namespace Example.Calls;

/// <summary>
/// Calls ChargeCard of payment, guarded by its policy. One for all calls of this process: it remembers how they
/// went.
/// </summary>
public sealed class PaymentChargeCardCall<TRequest, TAnswer>
{
    // Retries as a share of the calls: with all of them failing, the dependency gets 25 % more, no multiple.
    private const double RetriesPerCall = 0.25;

    private readonly RetryBudget _budget = new(RetriesPerCall);
    private readonly ResiliencePipeline<TAnswer> _pipeline;
    private readonly Func<TRequest, string, CancellationToken, Task<TAnswer>> _remote;
    private readonly Func<TRequest, Exception, CancellationToken, Task<TAnswer>> _fallback;

    /// <param name="remote">
    /// One try, which ends when its token says so. What never reached payment throws UnreachedException, what it can't
    /// answer now UnavailableException; any other exception is an answer that no other try would change.
    /// By the key it knows a call that it has seen before: order_id.
    /// </param>
    /// <param name="fallback">What is served where the call fails (cache); it must not call payment.</param>
    public PaymentChargeCardCall(
        Func<TRequest, string, CancellationToken, Task<TAnswer>> remote,
        Func<TRequest, Exception, CancellationToken, Task<TAnswer>> fallback)
    {
        _remote = remote;
        _fallback = fallback;
        // Outermost first: each is around those below it.
        _pipeline = new ResiliencePipelineBuilder<TAnswer>()
            // Around all tries and the waits between them: after it the answer is of no use.
            .AddTimeout(TimeSpan.FromMilliseconds(2000))
            .AddRetry(new RetryStrategyOptions<TAnswer>
            {
                // Besides the first try.
                MaxRetryAttempts = 3,
                // The last failure is asked for too, and must not be paid for.
                ShouldHandle = args => new ValueTask<bool>(
                    args.AttemptNumber < 3 && IsRetried(args.Outcome.Exception) && _budget.Spend()),
                DelayGenerator = args => new ValueTask<TimeSpan?>(Waits.Drawn(
                    TimeSpan.FromMilliseconds(100), 1.5, TimeSpan.FromMilliseconds(200), args.AttemptNumber)),
            })
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions<TAnswer>
            {
                SamplingDuration = TimeSpan.FromMilliseconds(10000),
                // Fewer calls say nothing: 33.3 a second come from one instance at the busiest hour.
                MinimumThroughput = 20,
                FailureRatio = 0.5,
                BreakDuration = TimeSpan.FromMilliseconds(5000),
                // What the dependency is to blame for; a refused card, say, is an answer like any other.
                ShouldHandle = new PredicateBuilder<TAnswer>()
                    .Handle<UnreachedException>()
                    .Handle<UnavailableException>()
                    .Handle<TimeoutRejectedException>(),
            })
            .AddHedging(new HedgingStrategyOptions<TAnswer>
            {
                // A try that takes longer is joined by a second one. Whatever comes first ends both, but for a refusal,
                // which says nothing of the other try.
                MaxHedgedAttempts = 1,
                Delay = TimeSpan.FromMilliseconds(300),
                ShouldHandle = new PredicateBuilder<TAnswer>().Handle<RateLimiterRejectedException>(),
                ActionGenerator = args => _budget.Spend() ? () => args.Callback(args.ActionContext) : null,
            })
            // One more is refused; nothing waits.
            .AddRateLimiter(new FixedWindowRateLimiter(new FixedWindowRateLimiterOptions
            {
                PermitLimit = 50,
                Window = TimeSpan.FromSeconds(1),
                QueueLimit = 0,
            }))
            // One more is refused: a queue only adds to the wait.
            .AddConcurrencyLimiter(13, 0)
            // Around each try: 99 % of the answers are there after 250 ms when all is well.
            .AddTimeout(TimeSpan.FromMilliseconds(900))
            .Build();
    }

    /// <summary>The answer, within 2000 ms.</summary>
    /// <param name="request">What is asked.</param>
    /// <param name="idempotencyKey">order_id: the same for every try of this call, and for no other.</param>
    /// <param name="cancellationToken">Ends it earlier.</param>
    public async Task<TAnswer> CallAsync(
        TRequest request,
        string idempotencyKey,
        CancellationToken cancellationToken = default)
    {
        _budget.Earn();
        try
        {
            return await _pipeline.ExecuteAsync(
                async token => await _remote(request, idempotencyKey, token).ConfigureAwait(false),
                cancellationToken).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is UnreachedException or UnavailableException or ExecutionRejectedException)
        {
            // Failed, or refused: each refusal of Polly is an ExecutionRejectedException, its time-outs too.
            return await _fallback(request, failure, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Only what another try may mend. A rejection is an answer: to ask again at once is the load that it sheds.
    /// </summary>
    private static bool IsRetried(Exception? failure)
    {
        return failure is UnreachedException or UnavailableException or TimeoutRejectedException;
    }
}
