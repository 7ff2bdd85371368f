// Package calls guards the remote calls of this service, each by its policy.
package calls

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/sony/gobreaker/v2"
	"golang.org/x/time/rate"
)

// Call is a remote call, which ends when its context does.
type Call[A any] func(ctx context.Context) (A, error)

var (
	// ErrUnreached says that the request never got there: connection refused, no such host.
	ErrUnreached = errors.New("not reached")
	// ErrUnavailable says that it was reached and can't now: HTTP 503, gRPC UNAVAILABLE.
	ErrUnavailable = errors.New("unavailable")
	// ErrTimedOut says that no answer came in the time of one try.
	ErrTimedOut = errors.New("no answer in the time of one try")
	// ErrDeadline says that no answer came in the time of all tries.
	ErrDeadline = errors.New("no answer in the time of all tries")
	// ErrBulkheadFull says that as many calls are under way as may be.
	ErrBulkheadFull = errors.New("all places are taken")
	// ErrRateExceeded says that as many calls began as may.
	ErrRateExceeded = errors.New("the rate is reached")
)

// isFailure says what a dependency is to blame for; any other error is an answer, or the caller's own doing.
func isFailure(err error) bool {
	return isOneOf(err, ErrUnreached, ErrUnavailable, ErrTimedOut)
}

// isSuccessful is that for gobreaker.
func isSuccessful(err error) bool {
	return !isFailure(err)
}

// isExcluded says what counts neither way: what the caller refused, gave up, or cut short.
func isExcluded(err error) bool {
	return !isFailure(err) &&
		isOneOf(err, ErrBulkheadFull, ErrRateExceeded, ErrDeadline, context.Canceled, context.DeadlineExceeded)
}

func isOneOf(err error, kinds ...error) bool {
	for _, kind := range kinds {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// opensAt opens the breaker when so many calls have ended in its window, and such a share of them failed.
func opensAt(minimumCalls uint32, failureRatio float64) func(gobreaker.Counts) bool {
	return func(counts gobreaker.Counts) bool {
		ended := counts.TotalSuccesses + counts.TotalFailures
		return ended >= minimumCalls && float64(counts.TotalFailures) >= failureRatio*float64(ended)
	}
}

// within gives the call so long. The call has to heed its context, as net/http and grpc do.
func within[A any](limit time.Duration, late error, call Call[A]) Call[A] {
	return func(ctx context.Context) (A, error) {
		ctx, cancel := context.WithTimeoutCause(ctx, limit, late)
		defer cancel()
		answer, err := call(ctx)
		if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
			return answer, fmt.Errorf("%w: %w", cause, err)
		}
		return answer, err
	}
}

// placed makes the call if there is a place. One more is refused: a queue only adds to the wait.
func placed[A any](places chan struct{}, call Call[A]) Call[A] {
	return func(ctx context.Context) (A, error) {
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
			return call(ctx)
		default:
			var none A
			return none, ErrBulkheadFull
		}
	}
}

// allowed makes the call if the rate allows it. One more is refused; nothing waits.
func allowed[A any](limiter *rate.Limiter, call Call[A]) Call[A] {
	return func(ctx context.Context) (A, error) {
		if !limiter.Allow() {
			var none A
			return none, ErrRateExceeded
		}
		return call(ctx)
	}
}

// broken makes the call if the breaker lets it through.
func broken[A any](breaker *gobreaker.CircuitBreaker[A], call Call[A]) Call[A] {
	return func(ctx context.Context) (A, error) {
		return breaker.Execute(func() (A, error) { return call(ctx) })
	}
}

// RetryBudget lets retries be a share of the calls: each call earns a part of a retry, each retry spends a whole one.
type RetryBudget struct {
	mutex sync.Mutex
	share float64
	saved float64
}

// Saved up at most, so that a quiet hour doesn't pay for a storm; enough to mend a few lone failures.
const mostSaved = 10

func newRetryBudget(share float64) *RetryBudget {
	return &RetryBudget{share: share, saved: mostSaved}
}

// Earn is for a call that begins.
func (b *RetryBudget) Earn() {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.saved = min(mostSaved, b.saved+b.share)
}

// Spend says whether one more retry may be made; then it is paid for.
func (b *RetryBudget) Spend() bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.saved < 1 {
		return false
	}
	b.saved--
	return true
}

// RetryPolicy says what is tried again, and when.
type RetryPolicy struct {
	// The first try is one of them.
	Attempts uint
	BackOff  backoff.ExponentialBackOff
	// Only what another try may mend.
	On []error
}

// sparing waits as its BackOff says as long as the budget lasts.
type sparing struct {
	backoff.BackOff
	budget *RetryBudget
}

func (s sparing) NextBackOff() time.Duration {
	if !s.budget.Spend() {
		return backoff.Stop
	}
	return s.BackOff.NextBackOff()
}

// retried makes the call, and again as the policy says and the budget allows; in the end it gives its last failure.
func retried[A any](policy RetryPolicy, budget *RetryBudget, call Call[A]) Call[A] {
	return func(ctx context.Context) (A, error) {
		// It keeps count in itself, so that each call needs one of its own.
		spaced := policy.BackOff
		try := func() (A, error) {
			answer, err := call(ctx)
			if err != nil && !isOneOf(err, policy.On...) {
				err = backoff.Permanent(err)
			}
			return answer, err
		}
		answer, err := backoff.Retry(ctx, try,
			backoff.WithBackOff(sparing{&spaced, budget}),
			backoff.WithMaxTries(policy.Attempts),
			// The deadline bounds them.
			backoff.WithMaxElapsedTime(0))
		if permanent := (*backoff.PermanentError)(nil); errors.As(err, &permanent) {
			err = permanent.Unwrap()
		}
		return answer, err
	}
}

// orElse serves something else where the call fails or was refused; an answer that is an error stays one.
func orElse[A any](fallback func(ctx context.Context, failure error) (A, error), call Call[A]) Call[A] {
	return func(ctx context.Context) (A, error) {
		answer, err := call(ctx)
		refused := isOneOf(err, ErrDeadline, ErrBulkheadFull, ErrRateExceeded,
			gobreaker.ErrOpenState, gobreaker.ErrTooManyRequests)
		if isFailure(err) || refused {
			return fallback(ctx, err)
		}
		return answer, err
	}
}
