// Tells how calls go that a policy guards, on the real library: one JSON object. The same for both libraries, whose
// policies are called in the same way.
package calls

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sort"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestRuns(t *testing.T) {
	told := map[string]any{}
	for name, run := range map[string]func() any{
		"mended":         mended,
		"opens":          opens,
		"answer":         answer,
		"eight at once":  eightAtOnce,
		"cut short":      cutShort,
		"slow, hedged":   slow,
		"caller gave up": gaveUp,
		"waits":          waits,
	} {
		told[name] = run()
	}
	text, err := json.Marshal(told)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("told.json", text, 0o600); err != nil {
		t.Fatal(err)
	}
}

type remote = func(ctx context.Context, request string, key string) (string, error)

func guarded(one remote) *PaymentChargeCard[string, string] {
	return NewPaymentChargeCard(one, func(_ context.Context, _ string, failure error) (string, error) {
		return "instead, for " + failure.Error(), nil
	})
}

func call(made *PaymentChargeCard[string, string], key string) string {
	found, err := made.Call(context.Background(), "card", key)
	if err != nil {
		return "error: " + err.Error()
	}
	return found
}

func mended() any {
	var keys []string
	made := guarded(func(_ context.Context, _ string, key string) (string, error) {
		keys = append(keys, key)
		if len(keys) <= 2 {
			return "", fmt.Errorf("HTTP 503: %w", ErrUnavailable)
		}
		return "charged", nil
	})
	return []any{call(made, "order-7"), keys}
}

func opens() any {
	tries := 0
	made := guarded(func(context.Context, string, string) (string, error) {
		tries++
		return "", ErrUnreached
	})
	for number := 0; !isOpen(made) && number < 200; number++ {
		call(made, fmt.Sprint("order-", number))
	}
	before := tries
	return []any{before, call(made, "order-x"), tries - before}
}

func answer() any {
	tries := 0
	made := guarded(func(context.Context, string, string) (string, error) {
		tries++
		return "", errors.New("card refused")
	})
	return []any{call(made, "order-8"), tries}
}

func eightAtOnce() any {
	gone := make(chan struct{})
	made := guarded(func(context.Context, string, string) (string, error) {
		<-gone
		return "charged", nil
	})
	answers := make(chan string, 8)
	var all sync.WaitGroup
	for number := range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			answers <- call(made, fmt.Sprint("order-", number))
		}()
	}
	found := []string{<-answers}
	close(gone)
	all.Wait()
	for range 7 {
		found = append(found, <-answers)
	}
	sort.Strings(found)
	return found
}

func cutShort() any {
	var begun, ended atomic.Int32
	made := guarded(func(ctx context.Context, _ string, _ string) (string, error) {
		begun.Add(1)
		defer ended.Add(1)
		<-ctx.Done()
		return "", ctx.Err()
	})
	found := call(made, "order-9")
	for look := 0; look < 500 && begun.Load() != ended.Load(); look++ {
		time.Sleep(10 * time.Millisecond)
	}
	return []any{found, begun.Load() == ended.Load() && begun.Load() > 1}
}

// slow answers the first try late, and a second at once.
func slow() any {
	var tries atomic.Int32
	made := guarded(func(ctx context.Context, _ string, _ string) (string, error) {
		number := tries.Add(1)
		if number == 1 {
			select {
			case <-time.After(120 * time.Millisecond):
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}
		return fmt.Sprint("of try ", number), nil
	})
	return call(made, "order-10")
}

// gaveUp is a caller that cancels all its calls: the breaker stays closed.
func gaveUp() any {
	made := guarded(func(ctx context.Context, _ string, _ string) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	})
	for number := range 30 {
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Millisecond, cancel)
		_, err := made.Call(ctx, "card", fmt.Sprint("order-", number))
		if !errors.Is(err, context.Canceled) {
			return fmt.Sprint("the caller is told ", err)
		}
	}
	return isOpen(made)
}

// waits draws the first wait many times: the least and the most, as shares of the longest.
func waits() any {
	least, most := 1.0, 0.0
	for range 3000 {
		share := float64(firstWait()) / float64(40*time.Millisecond)
		least, most = min(least, share), max(most, share)
	}
	return least < 0.1 && most > 0.9 && most <= 1
}
