package client

import (
	"context"
	"crypto/rand"
	"iter"
	"time"

	pb "example.com/orders-api/gen/ordersv1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// OrderService calls acme.orders.v1.OrderService.
//
// Order service.
type OrderService struct {
	stub pb.OrderServiceClient
}

// NewOrderService calls over that channel, which Dial has made.
func NewOrderService(channel grpc.ClientConnInterface) *OrderService {
	return &OrderService{stub: pb.NewOrderServiceClient(channel)}
}

// GetOrder: Get order.
//
// Deadline: 300ms.
// Changes nothing; may be repeated.
// Errors: INVALID_ARGUMENT, NOT_FOUND.
func (c *OrderService) GetOrder(ctx context.Context, request *pb.GetOrderRequest, options ...grpc.CallOption) (*pb.GetOrderResponse, error) {
	return c.stub.GetOrder(ctx, request, options...)
}

// PlaceOrder: Place order.
//
// Deadline: 2s.
// A second call changes nothing more; may be repeated.
// Errors: INVALID_ARGUMENT, FAILED_PRECONDITION.
//
// Without a request id it gets one, the same on every try.
func (c *OrderService) PlaceOrder(ctx context.Context, request *pb.PlaceOrderRequest, options ...grpc.CallOption) (*pb.PlaceOrderResponse, error) {
	if request.GetRequestId() == "" {
		request = proto.CloneOf(request)
		request.RequestId = rand.Text()
	}
	return c.stub.PlaceOrder(ctx, request, options...)
}

// ListOrders: List orders.
//
// Deadline: 1s.
// Changes nothing; may be repeated.
// Errors: INVALID_ARGUMENT.
func (c *OrderService) ListOrders(ctx context.Context, request *pb.ListOrdersRequest, options ...grpc.CallOption) (*pb.ListOrdersResponse, error) {
	return c.stub.ListOrders(ctx, request, options...)
}

// ListOrdersPages are all pages from that of the request to the last one. An error ends them.
func (c *OrderService) ListOrdersPages(ctx context.Context, request *pb.ListOrdersRequest, options ...grpc.CallOption) iter.Seq2[*pb.ListOrdersResponse, error] {
	return func(yield func(*pb.ListOrdersResponse, error) bool) {
		asked := proto.CloneOf(request)
		for {
			page, err := c.ListOrders(ctx, asked, options...)
			if !yield(page, err) || err != nil || page.GetNextPageToken() == "" {
				return
			}
			asked.PageToken = page.GetNextPageToken()
		}
	}
}

// WatchOrder: Watch order.
//
// Deadline: 30s.
// Changes nothing; may be repeated.
// Errors: INVALID_ARGUMENT.
// Flow: a slow receiver holds the sender back. Resume a broken stream with the last token seen.
func (c *OrderService) WatchOrder(ctx context.Context, request *pb.WatchOrderRequest, options ...grpc.CallOption) (grpc.ServerStreamingClient[pb.WatchOrderResponse], error) {
	return c.stub.WatchOrder(ctx, request, options...)
}

// WatchOrderResumed reads the stream, and goes on behind the last message where it broke: after the designed
// deadline, and up to 3 tries in a row while the server is unavailable. It ends with the stream or an error.
func (c *OrderService) WatchOrderResumed(ctx context.Context, request *pb.WatchOrderRequest, options ...grpc.CallOption) iter.Seq2[*pb.WatchOrderResponse, error] {
	asked := proto.CloneOf(request)
	open := func(ctx context.Context) (grpc.ServerStreamingClient[pb.WatchOrderResponse], error) {
		return c.stub.WatchOrder(ctx, asked, options...)
	}
	seen := func(answer *pb.WatchOrderResponse) {
		place := answer.GetEvent().GetResumeToken()
		if place != "" {
			// A copy: the channel may still be sending the one before.
			asked = proto.CloneOf(asked)
			asked.ResumeToken = place
		}
	}
	limit := again{attempts: 3, first: 1 * time.Second, longest: 8 * time.Second, factor: 2}
	return resumed(ctx, limit, open, seen)
}
