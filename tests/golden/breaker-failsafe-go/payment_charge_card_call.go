package calls

import (
	"context"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/budget"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/fallback"
	"github.com/failsafe-go/failsafe-go/hedgepolicy"
	"github.com/failsafe-go/failsafe-go/ratelimiter"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/failsafe-go/failsafe-go/timeout"
)

// PaymentChargeCard calls ChargeCard of payment, guarded by its policy. One for all calls of this process: it
// remembers how they went.
type PaymentChargeCard[Q, A any] struct {
	remote   func(ctx context.Context, request Q, idempotencyKey string) (A, error)
	instead  func(ctx context.Context, request Q, failure error) (A, error)
	deadline timeout.Timeout[A]
	retries  retrypolicy.RetryPolicy[A]
	breaker  circuitbreaker.CircuitBreaker[A]
	hedge    hedgepolicy.HedgePolicy[A]
	limit    ratelimiter.RateLimiter[A]
	places   bulkhead.Bulkhead[A]
	try      timeout.Timeout[A]
}

// NewPaymentChargeCard guards the remote, which is one try and heeds its context. What never reached payment is an
// ErrUnreached, what it can't answer now an ErrUnavailable; any other error is an answer that no other try would change.
// By the key it knows a call that it has seen before: order_id.
// The instead is served where the call fails (cache); it must not call payment.
func NewPaymentChargeCard[Q, A any](
	remote func(ctx context.Context, request Q, idempotencyKey string) (A, error),
	instead func(ctx context.Context, request Q, failure error) (A, error),
) *PaymentChargeCard[Q, A] {
	// Retries as a share of the calls under way: with all of them failing, the dependency gets 25 % more, no
	// multiple. One at a time is always allowed.
	spare := budget.NewBuilder().WithMaxRate(0.25).WithMinConcurrency(1).Build()
	return &PaymentChargeCard[Q, A]{
		remote:  remote,
		instead: instead,
		// Around all tries and the waits between them: after it the answer is of no use.
		deadline: timeout.New[A](2000 * time.Millisecond),
		retries: retrypolicy.NewBuilder[A]().
			// Only what another try may mend. A rejection is an answer: to ask again at once is the load that it sheds.
			HandleErrors(ErrUnreached, ErrUnavailable, timeout.ErrExceeded).
			WithMaxAttempts(4).
			WithDelayFunc(drawn[A](100*time.Millisecond, 1.5, 200*time.Millisecond)).
			WithBudget(spare).
			ReturnLastFailure().
			Build(),
		// A try that takes longer is joined by a second one.
		hedge: hedgepolicy.NewBuilderWithDelay[A](300 * time.Millisecond).
			WithMaxHedges(1).
			WithBudget(spare).
			CancelIf(settled[A]).
			Build(),
		breaker: circuitbreaker.NewBuilder[A]().
			// What the dependency is to blame for; a refused card, say, is an answer like any other.
			HandleErrors(ErrUnreached, ErrUnavailable, timeout.ErrExceeded).
			// Fewer calls say nothing: 33.3 a second come from one instance at the busiest hour.
			WithFailureRateThreshold(0.5, 20, 10000*time.Millisecond).
			WithDelay(5000*time.Millisecond).
			// Of so many probes so many have to go well, which is the same share.
			WithSuccessThresholdRatio(2, 3).
			Build(),
		// One more is refused; nothing waits.
		limit: ratelimiter.NewBursty[A](50, 1*time.Second),
		// One more is refused: a queue only adds to the wait.
		places: bulkhead.New[A](13),
		// Around each try: 99 % of the answers are there after 250 ms when all is well.
		try: timeout.New[A](900 * time.Millisecond),
	}
}

// Call gives the answer, within 2000 ms. The key (order_id) is the same for every try of this call, and for no other.
func (c *PaymentChargeCard[Q, A]) Call(ctx context.Context, request Q, idempotencyKey string) (A, error) {
	// Outermost first: each is around those below it.
	return failsafe.With[A](
		fallback.NewBuilderWithFunc(func(exec failsafe.Execution[A]) (A, error) {
			return c.instead(exec.Context(), request, exec.LastError())
		}).HandleErrors(
			ErrUnreached,
			ErrUnavailable,
			timeout.ErrExceeded,
			budget.ErrExceeded,
			circuitbreaker.ErrOpen,
			ratelimiter.ErrExceeded,
			bulkhead.ErrFull,
		).Build(),
		c.deadline,
		c.retries,
		c.breaker,
		c.hedge,
		c.limit,
		c.places,
		c.try,
	).WithContext(ctx).GetWithExecution(func(exec failsafe.Execution[A]) (A, error) {
		return c.remote(exec.Context(), request, idempotencyKey)
	})
}
