package com.example.ordersapi.server;

import io.grpc.Context;
import io.grpc.Context.CancellableContext;
import io.grpc.Contexts;
import io.grpc.Deadline;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * Refuses a call whose deadline has passed, and gives the designed deadline to one that came without any. What a method
 * starts with {@link Context#current()} ends when nobody waits for it any more.
 */
final class DeadlineInterceptor implements ServerInterceptor {
  private static final ScheduledExecutorService CLOCK =
      Executors.newSingleThreadScheduledExecutor(
          task -> {
            Thread thread = new Thread(task, "deadlines");
            thread.setDaemon(true);
            return thread;
          });

  @Override
  public <Q, A> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
    Deadline given = Context.current().getDeadline();
    if (given != null && given.isExpired()) {
      call.close(late(), new Metadata());
      return new ServerCall.Listener<>() {};
    }
    long limit = milliseconds(call.getMethodDescriptor().getFullMethodName());
    if (given != null || limit == 0) {
      return next.startCall(call, headers);
    }
    CancellableContext context =
        Context.current().withDeadlineAfter(limit, TimeUnit.MILLISECONDS, CLOCK);
    ClosedOnce<Q, A> guarded = new ClosedOnce<>(call, context);
    context.addListener(over -> guarded.endLate(), Runnable::run);
    return new SimpleForwardingServerCallListener<>(
        Contexts.interceptCall(context, guarded, headers, next)) {
      @Override
      public void onCancel() {
        super.onCancel();
        context.cancel(null);
      }
    };
  }

  /** How long a call of the rpc may take by design; 0 for rpcs that are not of acme.orders.v1. */
  private static long milliseconds(String method) {
    return switch (method) {
      case "acme.orders.v1.OrderService/GetOrder" -> 300L;
      case "acme.orders.v1.OrderService/PlaceOrder" -> 2000L;
      case "acme.orders.v1.OrderService/ListOrders" -> 1000L;
      case "acme.orders.v1.OrderService/WatchOrder" -> 30000L;
      default -> 0L;
    };
  }

  private static Status late() {
    return Status.DEADLINE_EXCEEDED.withDescription("the deadline has passed");
  }

  /** Whoever comes first closes the call, its method or its deadline; what the other one says is not sent. */
  private static final class ClosedOnce<Q, A> extends SimpleForwardingServerCall<Q, A> {
    private final CancellableContext context;
    private boolean closed;

    ClosedOnce(ServerCall<Q, A> call, CancellableContext context) {
      super(call);
      this.context = context;
    }

    synchronized void endLate() {
      if (context.getDeadline().isExpired()) {
        close(late(), new Metadata());
      }
    }

    @Override
    public synchronized void sendHeaders(Metadata headers) {
      if (!closed) {
        super.sendHeaders(headers);
      }
    }

    @Override
    public synchronized void sendMessage(A message) {
      if (!closed) {
        super.sendMessage(message);
      }
    }

    @Override
    public synchronized void close(Status status, Metadata trailers) {
      if (!closed) {
        closed = true;
        super.close(status, trailers);
        context.cancel(null);
      }
    }
  }
}
