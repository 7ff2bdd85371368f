package client

import (
	"context"
	"errors"
	"io"
	"iter"
	"math"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// again says how often a stream is opened in a row without a message, and how long is waited before.
type again struct {
	attempts int
	first    time.Duration
	longest  time.Duration
	factor   float64
}

// resumed reads a stream and opens it anew where it broke: at once up to the caller's patience when the designed
// deadline ended it, and a bounded number of times when the server was unavailable. `seen` is told of each message
// before the reader is.
func resumed[A any](ctx context.Context, limit again, open func(context.Context) (grpc.ServerStreamingClient[A], error), seen func(*A)) iter.Seq2[*A, error] {
	return func(yield func(*A, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		failed := 0
		for {
			stream, err := open(ctx)
			for err == nil {
				var answer *A
				if answer, err = stream.Recv(); err != nil {
					break
				}
				failed = 0
				seen(answer)
				if !yield(answer, nil) {
					return
				}
			}
			code := status.Code(err)
			switch {
			case errors.Is(err, io.EOF):
				return
			case ctx.Err() == nil && code == codes.DeadlineExceeded:
				limit.pause(ctx, 1)
			case ctx.Err() == nil && code == codes.Unavailable && failed+1 < limit.attempts:
				failed++
				limit.pause(ctx, failed)
			default:
				yield(nil, err)
				return
			}
		}
	}
}

// pause waits at random up to the backoff, so that clients that failed together don't come back together.
func (a again) pause(ctx context.Context, failed int) {
	longest := min(float64(a.first)*math.Pow(a.factor, float64(failed-1)), float64(a.longest))
	timer := time.NewTimer(time.Duration(rand.Float64() * longest))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
