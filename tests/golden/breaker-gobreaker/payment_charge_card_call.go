package calls

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/sony/gobreaker/v2"
	"golang.org/x/time/rate"
)

const (
	// Around all tries and the waits between them: after it the answer is of no use.
	paymentChargeCardOverall = 2000 * time.Millisecond
	// Around each try: 99 % of the answers are there after 250 ms when all is well.
	paymentChargeCardTry = 900 * time.Millisecond
	// Retries as a share of the calls: with all of them failing, the dependency gets 25 % more, no multiple.
	paymentChargeCardRetriesPerCall = 0.25
)

var paymentChargeCardRetry = RetryPolicy{
	Attempts: 4,
	// Drawn between nothing and twice the interval, so that no two callers come back together.
	BackOff: backoff.ExponentialBackOff{
		InitialInterval:     100 * time.Millisecond / 2,
		RandomizationFactor: 1,
		Multiplier:          1.5,
		MaxInterval:         200 * time.Millisecond / 2,
	},
	// A rejection is an answer: to ask again at once is the load that it sheds.
	On: []error{ErrUnreached, ErrUnavailable, ErrTimedOut},
}

// PaymentChargeCard calls ChargeCard of payment, guarded by its policy. One for all calls of this process: it
// remembers how they went.
type PaymentChargeCard[Q, A any] struct {
	remote   func(ctx context.Context, request Q, idempotencyKey string) (A, error)
	fallback func(ctx context.Context, request Q, failure error) (A, error)
	breaker  *gobreaker.CircuitBreaker[A]
	places   chan struct{}
	budget   *RetryBudget
	limiter  *rate.Limiter
}

// NewPaymentChargeCard guards the remote, which is one try. What never reached payment is an ErrUnreached, what it
// can't answer now an ErrUnavailable; any other error is an answer that no other try would change.
// By the key it knows a call that it has seen before: order_id.
// The fallback is served where the call fails (cache); it must not call payment.
func NewPaymentChargeCard[Q, A any](
	remote func(ctx context.Context, request Q, idempotencyKey string) (A, error),
	fallback func(ctx context.Context, request Q, failure error) (A, error),
) *PaymentChargeCard[Q, A] {
	return &PaymentChargeCard[Q, A]{
		remote:   remote,
		fallback: fallback,
		breaker: gobreaker.NewCircuitBreaker[A](gobreaker.Settings{
			Name: "payment-charge-card",
			// It slides by a tenth.
			Interval:     10000 * time.Millisecond,
			BucketPeriod: 10000 * time.Millisecond / 10,
			// Fewer calls say nothing: 33.3 a second come from one instance at the busiest hour.
			ReadyToTrip:  opensAt(20, 0.5),
			Timeout:      5000 * time.Millisecond,
			MaxRequests:  3,
			IsSuccessful: isSuccessful,
			IsExcluded:   isExcluded,
		}),
		places: make(chan struct{}, 13),
		budget: newRetryBudget(paymentChargeCardRetriesPerCall),
		// A second's worth may begin at once.
		limiter: rate.NewLimiter(50, 50),
	}
}

// Call gives the answer, within 2000 ms. The key (order_id) is the same for every try of this call, and for no other.
func (c *PaymentChargeCard[Q, A]) Call(ctx context.Context, request Q, idempotencyKey string) (A, error) {
	c.budget.Earn()
	// From the inside out: what stands below is around what stands above.
	var call Call[A] = func(ctx context.Context) (A, error) {
		return c.remote(ctx, request, idempotencyKey)
	}
	call = within(paymentChargeCardTry, ErrTimedOut, call)
	call = placed(c.places, call)
	call = allowed(c.limiter, call)
	call = broken(c.breaker, call)
	call = retried(paymentChargeCardRetry, c.budget, call)
	call = within(paymentChargeCardOverall, ErrDeadline, call)
	call = orElse(func(ctx context.Context, failure error) (A, error) {
		return c.fallback(ctx, request, failure)
	}, call)
	return call(ctx)
}
