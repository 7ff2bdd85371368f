// Package calls guards the remote calls of this service, each by its policy.
package calls

import (
	"errors"
	"math"
	"math/rand/v2"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/ratelimiter"
)

var (
	// ErrUnreached says that the request never got there: connection refused, no such host.
	ErrUnreached = errors.New("not reached")
	// ErrUnavailable says that it was reached and can't now: HTTP 503, gRPC UNAVAILABLE.
	ErrUnavailable = errors.New("unavailable")
)

// grown gives the longest that each wait can be: it grows by a factor up to a limit.
func grown[A any](first time.Duration, factor float64, longest time.Duration) failsafe.DelayFunc[A] {
	return func(exec failsafe.ExecutionAttempt[A]) time.Duration {
		wanted := float64(first) * math.Pow(factor, float64(exec.Retries()))
		return time.Duration(min(wanted, float64(longest)))
	}
}

// drawn waits for anything between nothing and that, so that no two callers come back together.
func drawn[A any](first time.Duration, factor float64, longest time.Duration) failsafe.DelayFunc[A] {
	limit := grown[A](first, factor, longest)
	return func(exec failsafe.ExecutionAttempt[A]) time.Duration {
		return time.Duration(rand.Float64() * float64(limit(exec)))
	}
}

// settled ends a hedge: whatever comes first, but for a refusal, which says nothing of the other try.
func settled[A any](_ A, err error) bool {
	return !errors.Is(err, bulkhead.ErrFull) && !errors.Is(err, ratelimiter.ErrExceeded)
}
