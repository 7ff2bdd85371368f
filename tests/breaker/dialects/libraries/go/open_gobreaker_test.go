package calls

import (
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/sony/gobreaker/v2"
)

func isOpen(made *PaymentChargeCard[string, string]) bool {
	return made.breaker.State() == gobreaker.StateOpen
}

func firstWait() time.Duration {
	spaced := paymentChargeCardRetry.BackOff
	var waits backoff.BackOff = &spaced
	waits.Reset()
	return waits.NextBackOff()
}
