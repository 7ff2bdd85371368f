package server

import (
	"container/list"
	"context"
	"crypto/sha256"
	"sync"
	"time"

	pb "example.com/orders-api/gen/ordersv1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const (
	// Longer than any client goes on trying.
	keptFor = 10 * time.Minute
	// Answers kept at once; the oldest goes first.
	mostKept = 10_000
)

// requestID is what tells one call of an idempotent rpc from another; empty where nothing is remembered.
func requestID(method string, request any) string {
	switch method {
	case pb.OrderService_PlaceOrder_FullMethodName:
		if known, ok := request.(*pb.PlaceOrderRequest); ok {
			return known.GetRequestId()
		}
	}
	return ""
}

// memory keeps the answers of idempotent calls and gives them again to a second try. An error is not kept, so a method
// that fails has to leave nothing behind.
//
// It is this process's own. Where several servers run, or a restart must not forget, keep the ids in the database, in
// the transaction that has the effect; and where callers don't trust each other, make the caller part of the key.
type memory struct {
	mu     sync.Mutex
	byKey  map[string]*list.Element
	oldest *list.List
}

// kept is a call that is under way, or its answer. All but done are guarded by the memory's lock.
type kept struct {
	key   string
	body  [sha256.Size]byte
	done  chan struct{}
	reply any
	until time.Time
}

func newMemory() *memory {
	return &memory{byKey: map[string]*list.Element{}, oldest: list.New()}
}

func (m *memory) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	id := requestID(info.FullMethod, request)
	message, ok := request.(proto.Message)
	if id == "" || !ok {
		return handler(ctx, request)
	}
	bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "the request can't be read: %v", err)
	}
	body := sha256.Sum256(bytes)
	for {
		call, first := m.begin(info.FullMethod+" "+id, body, time.Now())
		switch {
		case call == nil:
			return nil, status.Error(codes.ResourceExhausted, "too many calls with a request id are under way")
		case call.body != body:
			return nil, status.Error(codes.InvalidArgument, "the request id was used before, for another request")
		case first:
			return m.run(ctx, request, handler, call)
		}
		select {
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		case <-call.done:
		}
		if call.reply != nil {
			return call.reply, nil
		}
		// The first try failed, so this one is the first now.
	}
}

func (m *memory) run(ctx context.Context, request any, handler grpc.UnaryHandler, call *kept) (reply any, err error) {
	// Also when the method panics: those who wait must not wait for ever.
	defer func() { m.end(call, reply, err) }()
	return handler(ctx, request)
}

// begin finds the call under that key, or makes it: nil if there is no room.
func (m *memory) begin(key string, body [sha256.Size]byte, now time.Time) (call *kept, first bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(now)
	if known := m.byKey[key]; known != nil {
		return known.Value.(*kept), false
	}
	if m.oldest.Len() >= mostKept && !m.dropOldest() {
		return nil, false
	}
	call = &kept{key: key, body: body, done: make(chan struct{})}
	m.byKey[key] = m.oldest.PushBack(call)
	return call, true
}

func (m *memory) end(call *kept, reply any, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	element := m.byKey[call.key]
	if err != nil || reply == nil {
		m.remove(element)
	} else {
		call.reply, call.until = reply, time.Now().Add(keptFor)
		// By the time of its answer, so that what ends first stands first.
		m.oldest.MoveToBack(element)
	}
	close(call.done)
}

// forget drops the answers whose time is over.
func (m *memory) forget(now time.Time) {
	for element := m.oldest.Front(); element != nil; {
		next, call := element.Next(), element.Value.(*kept)
		if call.reply != nil && now.Before(call.until) {
			return
		}
		if call.reply != nil {
			m.remove(element)
		}
		element = next
	}
}

// dropOldest makes room at the cost of an answer, never of a call that is under way.
func (m *memory) dropOldest() bool {
	for element := m.oldest.Front(); element != nil; element = element.Next() {
		if element.Value.(*kept).reply != nil {
			m.remove(element)
			return true
		}
	}
	return false
}

func (m *memory) remove(element *list.Element) {
	delete(m.byKey, element.Value.(*kept).key)
	m.oldest.Remove(element)
}
