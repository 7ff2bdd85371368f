// Package replay replays recordings on gobreaker or failsafe-go. Go's fake clock is there for tests alone, so it is one:
// it reads the file that RECORDINGS names and writes the one that REPLAYED names.
package replay

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/sony/gobreaker/v2"
)

type settings struct {
	Window       string  `json:"window"`
	Size         float64 `json:"size"`
	MinimumCalls int     `json:"minimum_calls"`
	FailureRatio float64 `json:"failure_ratio"`
	OpenFor      float64 `json:"open_for"`
	Probes       uint    `json:"probes"`
}

type recording struct {
	Settings settings `json:"settings"`
	Calls    []struct {
		At    float64 `json:"at"`
		Takes float64 `json:"takes"`
		Fails bool    `json:"fails"`
	} `json:"calls"`
}

type outcome struct {
	Admitted bool     `json:"admitted"`
	At       *float64 `json:"at"`
}

type change struct {
	At float64 `json:"at"`
	To string  `json:"to"`
}

type replayed struct {
	Calls   []outcome `json:"calls"`
	Changes []change  `json:"changes"`
}

// A breaker is asked for one call, and gives what has to be told when that has ended, or nothing.
type breaker func() (done func(failed bool))

func seconds(of float64) time.Duration {
	return time.Duration(math.Round(of*1000)) * time.Millisecond
}

var errFailed = errors.New("it failed")

// As its README counts: Requests are all that were let through. "ended" counts those that have ended.
func gobreakers(ended bool) func(settings, func(string)) breaker {
	return func(asked settings, changed func(string)) breaker {
		options := gobreaker.Settings{
			MaxRequests: uint32(asked.Probes),
			Timeout:     seconds(asked.OpenFor),
			ReadyToTrip: func(counts gobreaker.Counts) bool {
				if asked.Window == "consecutive" {
					return counts.ConsecutiveFailures >= uint32(asked.Size)
				}
				calls := counts.Requests
				if ended {
					calls = counts.TotalSuccesses + counts.TotalFailures
				}
				return calls >= uint32(asked.MinimumCalls) &&
					float64(counts.TotalFailures)/float64(calls) >= asked.FailureRatio
			},
			OnStateChange: func(_ string, _ gobreaker.State, to gobreaker.State) {
				changed(map[gobreaker.State]string{
					gobreaker.StateOpen: "open", gobreaker.StateHalfOpen: "half_open", gobreaker.StateClosed: "closed",
				}[to])
			},
		}
		switch asked.Window {
		case "time":
			options.Interval = seconds(asked.Size)
			options.BucketPeriod = options.Interval / 10
		case "fixed":
			options.Interval = seconds(asked.Size)
		}
		made := gobreaker.NewTwoStepCircuitBreaker[any](options)
		return func() func(bool) {
			done, err := made.Allow()
			if err != nil {
				return nil
			}
			return func(failed bool) {
				if failed {
					done(errFailed)
				} else {
					done(nil)
				}
			}
		}
	}
}

func failsafe(asked settings, changed func(string)) breaker {
	builder := circuitbreaker.NewBuilder[any]().
		WithDelay(seconds(asked.OpenFor)).
		WithSuccessThreshold(asked.Probes).
		OnStateChanged(func(event circuitbreaker.StateChangedEvent) {
			changed(map[circuitbreaker.State]string{
				circuitbreaker.OpenState: "open", circuitbreaker.HalfOpenState: "half_open",
				circuitbreaker.ClosedState: "closed",
			}[event.NewState])
		})
	switch asked.Window {
	case "time":
		builder.WithFailureRateThreshold(asked.FailureRatio, uint(asked.MinimumCalls), seconds(asked.Size))
	case "count":
		failures := math.Ceil(math.Round(asked.FailureRatio*asked.Size*1e9) / 1e9)
		builder.WithFailureThresholdRatio(uint(failures), uint(asked.Size))
	default:
		builder.WithFailureThreshold(uint(asked.Size))
	}
	made := builder.Build()
	return func() func(bool) {
		if !made.TryAcquirePermit() {
			return nil
		}
		return func(failed bool) {
			if failed {
				made.RecordFailure()
			} else {
				made.RecordSuccess()
			}
		}
	}
}

var libraries = map[string]func(settings, func(string)) breaker{
	"gobreaker": gobreakers(false), "gobreaker-ended": gobreakers(true), "failsafe-go": failsafe,
}

type event struct {
	at   time.Duration
	call int
	done func(bool)
}

// Ends come before beginnings of the same moment, and the earlier call's first.
func first(events []event) int {
	least := 0
	for index, other := range events {
		one := events[least]
		switch {
		case other.at != one.at:
			if other.at < one.at {
				least = index
			}
		case (other.done == nil) != (one.done == nil):
			if other.done != nil {
				least = index
			}
		case other.call < one.call:
			least = index
		}
	}
	return least
}

func replay(library func(settings, func(string)) breaker, from recording) replayed {
	began := time.Now()
	told := replayed{Calls: make([]outcome, len(from.Calls)), Changes: []change{}}
	ask := library(from.Settings, func(to string) {
		told.Changes = append(told.Changes, change{time.Since(began).Seconds(), to})
	})
	events := []event{}
	for index, call := range from.Calls {
		events = append(events, event{at: seconds(call.At), call: index})
	}
	for len(events) > 0 {
		index := first(events)
		next := events[index]
		events = slices.Delete(events, index, index+1)
		time.Sleep(next.at - time.Since(began))
		call := from.Calls[next.call]
		if next.done != nil {
			next.done(call.Fails)
		} else if done := ask(); done != nil {
			at := time.Since(began).Seconds()
			told.Calls[next.call] = outcome{true, &at}
			events = append(events, event{next.at + seconds(call.Takes), next.call, done})
		}
	}
	return told
}

func TestReplay(t *testing.T) {
	given, err := os.ReadFile(os.Getenv("RECORDINGS"))
	if err != nil {
		t.Fatal(err)
	}
	var asked struct {
		Base       float64     `json:"base"`
		Recordings []recording `json:"recordings"`
	}
	if err := json.Unmarshal(given, &asked); err != nil {
		t.Fatal(err)
	}
	told := make([]replayed, len(asked.Recordings))
	for index, from := range asked.Recordings {
		synctest.Test(t, func(t *testing.T) {
			if float64(time.Now().Unix()) != asked.Base {
				t.Fatalf("the fake clock begins at %d", time.Now().Unix())
			}
			told[index] = replay(libraries[os.Getenv("LIBRARY")], from)
		})
	}
	answer, err := json.Marshal(told)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(os.Getenv("REPLAYED"), answer, 0o600); err != nil {
		t.Fatal(err)
	}
}
