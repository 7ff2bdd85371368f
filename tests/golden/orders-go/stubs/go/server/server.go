// Package server puts the services on a listener, with health, reflection and an orderly end.
package server

import (
	"context"
	"net"
	"time"

	pb "example.com/orders-api/gen/ordersv1"
	"example.com/orders-api/service"
	"example.com/orders-api/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
)

const (
	// Between NOT_SERVING and refusing new calls: clients that watch health go elsewhere in it.
	notice = time.Second
	// As long as the calls that were taken may last, within what a supervisor allows.
	grace = 25 * time.Second
)

// Serve answers calls until the context ends. It then says NOT_SERVING, takes no new calls, and lets those that it
// has end; what still runs after the grace is cut off.
func Serve(ctx context.Context, listener net.Listener) error {
	server, state := newServer()
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	state.Shutdown()
	time.Sleep(notice)
	late := time.AfterFunc(grace, server.Stop)
	defer late.Stop()
	server.GracefulStop()
	return <-ended
}

func newServer() (*grpc.Server, *health.Server) {
	remembered := newMemory()
	server := grpc.NewServer(
		grpc.ChainUnaryInterceptor(trace.UnaryServer, limitUnary, remembered.unary),
		grpc.ChainStreamInterceptor(trace.StreamServer, limitStream),
	)
	state := health.NewServer()
	healthpb.RegisterHealthServer(server, state)
	pb.RegisterOrderServiceServer(server, &service.OrderService{})
	state.SetServingStatus("acme.orders.v1.OrderService", healthpb.HealthCheckResponse_SERVING)
	reflection.Register(server)
	return server, state
}
