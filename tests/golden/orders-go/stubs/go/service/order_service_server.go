// Package service answers the rpcs of acme.orders.v1: this is where your code goes.
package service

import (
	"context"

	pb "example.com/orders-api/gen/ordersv1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// OrderService answers acme.orders.v1.OrderService. An rpc that the package gains later
// is UNIMPLEMENTED until it has a method here.
//
// Order service.
type OrderService struct {
	pb.UnimplementedOrderServiceServer
}

// GetOrder is to be filled in.
//
// Get order.
//
// Deadline: 300ms.
// Changes nothing; may be repeated.
// Errors: INVALID_ARGUMENT, NOT_FOUND.
func (s *OrderService) GetOrder(ctx context.Context, request *pb.GetOrderRequest) (*pb.GetOrderResponse, error) {
	return nil, status.Error(codes.Unimplemented, "GetOrder is not filled in")
}

// PlaceOrder is to be filled in.
//
// Place order.
//
// Deadline: 2s.
// A second call changes nothing more; may be repeated.
// Errors: INVALID_ARGUMENT, FAILED_PRECONDITION.
func (s *OrderService) PlaceOrder(ctx context.Context, request *pb.PlaceOrderRequest) (*pb.PlaceOrderResponse, error) {
	return nil, status.Error(codes.Unimplemented, "PlaceOrder is not filled in")
}

// ListOrders is to be filled in.
//
// List orders.
//
// Deadline: 1s.
// Changes nothing; may be repeated.
// Errors: INVALID_ARGUMENT.
func (s *OrderService) ListOrders(ctx context.Context, request *pb.ListOrdersRequest) (*pb.ListOrdersResponse, error) {
	return nil, status.Error(codes.Unimplemented, "ListOrders is not filled in")
}

// WatchOrder is to be filled in.
//
// Watch order.
//
// Deadline: 30s.
// Changes nothing; may be repeated.
// Errors: INVALID_ARGUMENT.
// Flow: a slow receiver holds the sender back. Resume a broken stream with the last token seen.
func (s *OrderService) WatchOrder(request *pb.WatchOrderRequest, stream grpc.ServerStreamingServer[pb.WatchOrderResponse]) error {
	return status.Error(codes.Unimplemented, "WatchOrder is not filled in")
}
