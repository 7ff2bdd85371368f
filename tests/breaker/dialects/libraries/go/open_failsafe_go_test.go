package calls

import (
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
)

func isOpen(made *PaymentChargeCard[string, string]) bool {
	return made.breaker.IsOpen()
}

// firstWait asks for a delay as the library does, before the first retry.
func firstWait() time.Duration {
	var found time.Duration
	once := retrypolicy.NewBuilder[string]().
		WithMaxRetries(1).
		WithDelayFunc(func(exec failsafe.ExecutionAttempt[string]) time.Duration {
			found = drawn[string](40*time.Millisecond, 1.5, 60*time.Millisecond)(exec)
			return 0
		}).
		Build()
	_, _ = failsafe.With[string](once).Get(func() (string, error) { return "", ErrUnavailable })
	return found
}
