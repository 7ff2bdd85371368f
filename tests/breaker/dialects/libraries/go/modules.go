//go:build modules

// Package calls names what generated Go imports, so that its sums are kept.
package calls

import (
	_ "github.com/cenkalti/backoff/v5"
	_ "github.com/failsafe-go/failsafe-go"
	_ "github.com/failsafe-go/failsafe-go/budget"
	_ "github.com/failsafe-go/failsafe-go/bulkhead"
	_ "github.com/failsafe-go/failsafe-go/circuitbreaker"
	_ "github.com/failsafe-go/failsafe-go/fallback"
	_ "github.com/failsafe-go/failsafe-go/hedgepolicy"
	_ "github.com/failsafe-go/failsafe-go/ratelimiter"
	_ "github.com/failsafe-go/failsafe-go/retrypolicy"
	_ "github.com/failsafe-go/failsafe-go/timeout"
	_ "github.com/sony/gobreaker/v2"
	_ "golang.org/x/time/rate"
)
