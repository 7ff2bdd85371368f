// Package trace hands the W3C trace context on: from the call that is answered to the calls that it makes.
// https://www.w3.org/TR/trace-context/
package trace

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"regexp"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

const (
	parentKey = "traceparent"
	stateKey  = "tracestate"
)

var form = regexp.MustCompile(`^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$`)

// Context is where a call stands in its trace.
type Context struct {
	TraceID string
	SpanID  string
	Flags   string
	State   string
}

type key struct{}

// From is the trace context of the call that is being answered; false outside of one.
func From(ctx context.Context) (Context, bool) {
	found, ok := ctx.Value(key{}).(Context)
	return found, ok
}

// UnaryServer reads the caller's trace context; without a valid one, a new trace begins.
func UnaryServer(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	return handler(incoming(ctx), request)
}

// StreamServer does the same for streams.
func StreamServer(service any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	return handler(service, &tracedStream{ServerStream: stream, ctx: incoming(stream.Context())})
}

// UnaryClient sends the trace context on, with a span of its own for the call.
func UnaryClient(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	return invoke(outgoing(ctx), method, request, reply, conn, options...)
}

// StreamClient does the same for streams.
func StreamClient(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
	return open(outgoing(ctx), desc, conn, method, options...)
}

func incoming(ctx context.Context) context.Context {
	headers, _ := metadata.FromIncomingContext(ctx)
	found, ok := parse(headers)
	if !ok {
		found = Context{TraceID: random(16), SpanID: random(8), Flags: "00"}
	}
	return context.WithValue(ctx, key{}, found)
}

func outgoing(ctx context.Context) context.Context {
	current, ok := From(ctx)
	if !ok {
		current = Context{TraceID: random(16), Flags: "00"}
	}
	headers, _ := metadata.FromOutgoingContext(ctx)
	// What the caller of the client set by hand stands.
	if len(headers.Get(parentKey)) > 0 {
		return ctx
	}
	ctx = metadata.AppendToOutgoingContext(ctx, parentKey, "00-"+current.TraceID+"-"+random(8)+"-"+current.Flags)
	if current.State != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, stateKey, current.State)
	}
	return ctx
}

func parse(headers metadata.MD) (Context, bool) {
	parents := headers.Get(parentKey)
	if len(parents) != 1 {
		return Context{}, false
	}
	parts := form.FindStringSubmatch(parents[0])
	if parts == nil || parents[0][:2] == "ff" || (parents[0][:2] == "00" && parts[4] != "") || zero(parts[1]) || zero(parts[2]) {
		return Context{}, false
	}
	found := Context{TraceID: parts[1], SpanID: parts[2], Flags: parts[3]}
	for _, state := range headers.Get(stateKey) {
		if found.State != "" {
			found.State += ","
		}
		found.State += state
	}
	return found, true
}

func zero(id string) bool {
	for _, digit := range id {
		if digit != '0' {
			return false
		}
	}
	return true
}

func random(size int) string {
	id := make([]byte, size)
	// It never fails: where the system has no randomness left, the program ends.
	rand.Read(id)
	return hex.EncodeToString(id)
}

type tracedStream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context carries the trace context.
func (s *tracedStream) Context() context.Context { return s.ctx }
