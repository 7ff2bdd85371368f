// Package client calls acme.orders.v1 as it was designed: deadlines, retries, load balancing and health checking are the
// channel's, by the service config that is embedded here.
package client

import (
	_ "embed"

	"example.com/orders-api/trace"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/health" // asks for health, as the service config says
)

//go:embed service-config.json
var serviceConfig string

// Dial makes a channel to the target, such as dns:///orders.internal:50051. Credentials are the caller's to choose:
// grpc.WithTransportCredentials has to be among the options.
func Dial(target string, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	designed := []grpc.DialOption{
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithChainUnaryInterceptor(trace.UnaryClient),
		grpc.WithChainStreamInterceptor(trace.StreamClient),
	}
	return grpc.NewClient(target, append(designed, options...)...)
}
