package server

import (
	"context"
	"time"

	pb "example.com/orders-api/gen/ordersv1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// deadline is how long a call of the rpc may take by design; 0 for rpcs that are not of acme.orders.v1.
func deadline(method string) time.Duration {
	switch method {
	case pb.OrderService_GetOrder_FullMethodName:
		return 300 * time.Millisecond
	case pb.OrderService_PlaceOrder_FullMethodName:
		return 2 * time.Second
	case pb.OrderService_ListOrders_FullMethodName:
		return 1 * time.Second
	case pb.OrderService_WatchOrder_FullMethodName:
		return 30 * time.Second
	}
	return 0
}

// within refuses a call whose time is up, and gives the designed deadline to one that came without any: what a method
// starts with the context ends when nobody waits for it any more.
func within(ctx context.Context, method string) (context.Context, context.CancelFunc, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, status.FromContextError(err).Err()
	}
	limit := deadline(method)
	if _, given := ctx.Deadline(); given || limit == 0 {
		bounded, cancel := context.WithCancel(ctx)
		return bounded, cancel, nil
	}
	bounded, cancel := context.WithTimeout(ctx, limit)
	return bounded, cancel, nil
}

func limitUnary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	bounded, cancel, err := within(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	defer cancel()
	return handler(bounded, request)
}

func limitStream(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	bounded, cancel, err := within(stream.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	defer cancel()
	return handler(service, &boundedStream{ServerStream: stream, ctx: bounded})
}

type boundedStream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context ends by the deadline.
func (s *boundedStream) Context() context.Context { return s.ctx }
