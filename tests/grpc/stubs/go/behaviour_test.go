// What the stubs of the orders example promise, over a real channel. Goes into the folder server/ of the project.
package server

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/orders-api/client"
	pb "example.com/orders-api/gen/ordersv1"
	"example.com/orders-api/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

type orders struct {
	pb.UnimplementedOrderServiceServer
	mu       sync.Mutex
	ids      []string
	resumes  []string
	gets     int
	traces   []trace.Context
	deadline time.Duration
}

func (o *orders) GetOrder(ctx context.Context, request *pb.GetOrderRequest) (*pb.GetOrderResponse, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.gets++
	found, _ := trace.From(ctx)
	o.traces = append(o.traces, found)
	if at, ok := ctx.Deadline(); ok {
		o.deadline = time.Until(at)
	}
	if request.GetOrderId() == "retried" && o.gets < 3 {
		return nil, status.Error(codes.Unavailable, "not yet")
	}
	return &pb.GetOrderResponse{}, nil
}

func (o *orders) PlaceOrder(ctx context.Context, request *pb.PlaceOrderRequest) (*pb.PlaceOrderResponse, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ids = append(o.ids, request.GetRequestId())
	if request.GetRequestId() == "fails" && len(o.ids) == 1 {
		return nil, status.Error(codes.Internal, "it failed")
	}
	return &pb.PlaceOrderResponse{Order: &pb.Order{OrderId: fmt.Sprint(len(o.ids))}}, nil
}

func (o *orders) ListOrders(ctx context.Context, request *pb.ListOrdersRequest) (*pb.ListOrdersResponse, error) {
	next := map[string]string{"": "a", "a": "b", "b": ""}
	return &pb.ListOrdersResponse{
		Orders:        []*pb.Order{{OrderId: "of " + request.GetPageToken()}},
		NextPageToken: next[request.GetPageToken()],
	}, nil
}

// WatchOrder has five events, and breaks behind the second and the fourth.
func (o *orders) WatchOrder(request *pb.WatchOrderRequest, stream grpc.ServerStreamingServer[pb.WatchOrderResponse]) error {
	o.mu.Lock()
	o.resumes = append(o.resumes, request.GetResumeToken())
	o.mu.Unlock()
	if request.GetOrderId() == "gone" {
		return status.Error(codes.Unavailable, "it is gone")
	}
	last := len(request.GetResumeToken())
	for number := last + 1; number <= 5; number++ {
		event := &pb.OrderEvent{ResumeToken: strings.Repeat("x", number)}
		if err := stream.Send(&pb.WatchOrderResponse{Event: event}); err != nil {
			return err
		}
		if number == last+2 {
			return status.Error(codes.Unavailable, "it breaks")
		}
	}
	return nil
}

func serving(t *testing.T, own *orders) *client.OrderService {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	remembered := newMemory()
	server := grpc.NewServer(
		grpc.ChainUnaryInterceptor(trace.UnaryServer, limitUnary, remembered.unary),
		grpc.ChainStreamInterceptor(trace.StreamServer, limitStream),
	)
	pb.RegisterOrderServiceServer(server, own)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	channel, err := client.Dial(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { channel.Close() })
	return client.NewOrderService(channel)
}

func placed(t *testing.T, calls *client.OrderService, id string, customer string) (string, codes.Code) {
	t.Helper()
	request := &pb.PlaceOrderRequest{RequestId: id, Order: &pb.Order{CustomerId: customer}}
	answer, err := calls.PlaceOrder(t.Context(), request)
	return answer.GetOrder().GetOrderId(), status.Code(err)
}

func TestTheSameRequestIdHasOneEffect(t *testing.T) {
	own := &orders{}
	calls := serving(t, own)
	first, _ := placed(t, calls, "one", "c")
	second, _ := placed(t, calls, "one", "c")
	if first != "1" || second != "1" || len(own.ids) != 1 {
		t.Fatalf("got %q, then %q, from %d calls", first, second, len(own.ids))
	}
	if _, code := placed(t, calls, "one", "another"); code != codes.InvalidArgument {
		t.Fatalf("another body under the same id: %v", code)
	}
	if other, _ := placed(t, calls, "two", "c"); other != "2" {
		t.Fatalf("another id: %q", other)
	}
}

func TestAFailureIsNotRemembered(t *testing.T) {
	own := &orders{}
	calls := serving(t, own)
	if _, code := placed(t, calls, "fails", "c"); code != codes.Internal {
		t.Fatal(code)
	}
	if second, code := placed(t, calls, "fails", "c"); second != "2" || code != codes.OK {
		t.Fatal(second, code)
	}
}

func TestACallWithoutRequestIdGetsOne(t *testing.T) {
	own := &orders{}
	calls := serving(t, own)
	placed(t, calls, "", "c")
	placed(t, calls, "", "c")
	if len(own.ids) != 2 || own.ids[0] == "" || own.ids[0] == own.ids[1] {
		t.Fatal(own.ids)
	}
}

func TestTheMemoryIsBoundedAndForgets(t *testing.T) {
	remembered, now := newMemory(), time.Now()
	under, first := remembered.begin("under way", [32]byte{}, now)
	if under == nil || !first {
		t.Fatal("no room in an empty memory")
	}
	for number := range mostKept + 5 {
		call, _ := remembered.begin(fmt.Sprint(number), [32]byte{}, now)
		remembered.end(call, &pb.Order{}, nil)
	}
	if remembered.oldest.Len() != mostKept || remembered.byKey["under way"] == nil || remembered.byKey["0"] != nil {
		t.Fatal(remembered.oldest.Len())
	}
	remembered.forget(time.Now().Add(keptFor + time.Minute))
	if remembered.oldest.Len() != 1 || len(remembered.byKey) != 1 {
		t.Fatal(remembered.oldest.Len())
	}
}

func TestAllPagesAreRead(t *testing.T) {
	var seen []string
	for page, err := range serving(t, &orders{}).ListOrdersPages(t.Context(), &pb.ListOrdersRequest{}) {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, page.GetOrders()[0].GetOrderId())
	}
	if strings.Join(seen, ";") != "of ;of a;of b" {
		t.Fatal(seen)
	}
}

func TestABrokenStreamGoesOn(t *testing.T) {
	own := &orders{}
	var seen []int
	for answer, err := range serving(t, own).WatchOrderResumed(t.Context(), &pb.WatchOrderRequest{}) {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, len(answer.GetEvent().GetResumeToken()))
	}
	if fmt.Sprint(seen) != "[1 2 3 4 5]" || strings.Join(own.resumes, ";") != ";xx;xxxx" {
		t.Fatal(seen, own.resumes)
	}
}

func TestAnUnavailableServerIsGivenUp(t *testing.T) {
	own := &orders{}
	var last error
	for answer, err := range serving(t, own).WatchOrderResumed(t.Context(), &pb.WatchOrderRequest{OrderId: "gone"}) {
		if answer != nil {
			t.Fatal(answer)
		}
		last = err
	}
	// Three openings, each of which the channel may try three times.
	if status.Code(last) != codes.Unavailable || len(own.resumes) < 3 || len(own.resumes) > 9 {
		t.Fatal(last, own.resumes)
	}
}

func TestACallerWhoGaveUpIsNotWaitedFor(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var last error
	for _, err := range serving(t, &orders{}).WatchOrderResumed(ctx, &pb.WatchOrderRequest{}) {
		last = err
	}
	if status.Code(last) != codes.Canceled {
		t.Fatal(last)
	}
}

func TestTheChannelRetriesByItself(t *testing.T) {
	own := &orders{}
	if _, err := serving(t, own).GetOrder(t.Context(), &pb.GetOrderRequest{OrderId: "retried"}); err != nil || own.gets != 3 {
		t.Fatal(err, own.gets)
	}
}

func TestTheDesignedDeadlineHolds(t *testing.T) {
	own := &orders{}
	if _, err := serving(t, own).GetOrder(t.Context(), &pb.GetOrderRequest{}); err != nil {
		t.Fatal(err)
	}
	if own.deadline <= 0 || own.deadline > 300*time.Millisecond {
		t.Fatal(own.deadline)
	}
	bounded, cancel, err := within(t.Context(), pb.OrderService_PlaceOrder_FullMethodName)
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	if at, ok := bounded.Deadline(); !ok || time.Until(at) > 2*time.Second {
		t.Fatal("a call without deadline gets none")
	}
}

func TestTheTraceIsHandedOn(t *testing.T) {
	own := &orders{}
	calls := serving(t, own)
	trail := "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	ctx := metadata.AppendToOutgoingContext(t.Context(), "traceparent", trail, "tracestate", "a=b")
	calls.GetOrder(ctx, &pb.GetOrderRequest{})
	calls.GetOrder(metadata.AppendToOutgoingContext(t.Context(), "traceparent", "00-nonsense"), &pb.GetOrderRequest{})
	given := own.traces[0]
	if given.TraceID != "0af7651916cd43dd8448eb211c80319c" || given.SpanID != "b7ad6b7169203331" || given.Flags != "01" || given.State != "a=b" {
		t.Fatal(given)
	}
	if made := own.traces[1]; len(made.TraceID) != 32 || made.TraceID == given.TraceID {
		t.Fatal(made)
	}
}
