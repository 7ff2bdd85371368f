package com.example.ordersapi.server;

import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.Message;
import acme.orders.v1.Orders;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/**
 * Keeps the answers of idempotent calls and gives them again to a second try. An error is not kept, so a method that
 * fails has to leave nothing behind.
 *
 * <p>It is this process's own. Where several servers run, or a restart must not forget, keep the ids in the database, in
 * the transaction that has the effect; and where callers don't trust each other, make the caller part of the key.
 */
final class RememberInterceptor implements ServerInterceptor {
  /** Longer than any client goes on trying. */
  private static final Duration KEPT_FOR = Duration.ofMinutes(10);

  /** Answers kept at once; the oldest goes first. */
  private static final int MOST_KEPT = 10_000;

  private final Map<String, Kept> kept = new LinkedHashMap<>();
  private final int most;
  private final long keptFor;

  RememberInterceptor() {
    this(MOST_KEPT, KEPT_FOR);
  }

  RememberInterceptor(int most, Duration keptFor) {
    this.most = most;
    this.keptFor = keptFor.toNanos();
  }

  /** What tells one call of an idempotent rpc from another; empty where nothing is remembered. */
  private static String requestId(String method, Object request) {
    return switch (method) {
      case "acme.orders.v1.OrderService/PlaceOrder" -> ((Orders.PlaceOrderRequest) request).getRequestId();
      default -> "";
    };
  }

  @Override
  public <Q, A> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
    Recorded<Q, A> recorded = new Recorded<>(call);
    return new SimpleForwardingServerCallListener<>(next.startCall(recorded, headers)) {
      private boolean answered;

      @Override
      public void onMessage(Q request) {
        String method = call.getMethodDescriptor().getFullMethodName();
        String id = requestId(method, request);
        if (id.isEmpty()) {
          super.onMessage(request);
          return;
        }
        Kept own = new Kept(method + " " + id, digest((Message) request));
        Kept before = begin(own);
        if (before == own) {
          recorded.own = own;
          super.onMessage(request);
          return;
        }
        answered = true;
        if (before == null) {
          call.close(
              Status.RESOURCE_EXHAUSTED.withDescription("too many calls with a request id are under way"),
              new Metadata());
        } else if (!before.body.equals(own.body)) {
          call.close(
              Status.INVALID_ARGUMENT.withDescription("the request id was used before, for another request"),
              new Metadata());
        } else {
          before.answer.thenAccept(answer -> answerAgain(call, answer));
        }
      }

      @Override
      public void onHalfClose() {
        if (!answered) {
          super.onHalfClose();
        }
      }
    };
  }

  private static <Q, A> void answerAgain(ServerCall<Q, A> call, Object answer) {
    if (call.isCancelled()) {
      return;
    }
    if (answer == null) {
      call.close(Status.UNAVAILABLE.withDescription("the first try failed"), new Metadata());
      return;
    }
    @SuppressWarnings("unchecked") // It is what the same rpc has answered before.
    A known = (A) answer;
    call.sendHeaders(new Metadata());
    call.sendMessage(known);
    call.close(Status.OK, new Metadata());
  }

  /** The call that is known by that key, or this one; null if there is no room. */
  private synchronized Kept begin(Kept own) {
    long now = System.nanoTime();
    kept.values().removeIf(each -> now - each.since > keptFor);
    Kept before = kept.get(own.key);
    if (before != null) {
      return before;
    }
    if (kept.size() >= most && !dropOldest()) {
      return null;
    }
    kept.put(own.key, own);
    return own;
  }

  private synchronized void end(Kept own, Object answer) {
    kept.remove(own.key, own);
    if (answer != null) {
      // By the time of its answer, so that what ends first stands first.
      own.since = System.nanoTime();
      kept.put(own.key, own);
    }
    own.answer.complete(answer);
  }

  /** Makes room at the cost of an answer, never of a call that is under way. */
  private boolean dropOldest() {
    for (Iterator<Kept> each = kept.values().iterator(); each.hasNext(); ) {
      if (each.next().answer.isDone()) {
        each.remove();
        return true;
      }
    }
    return false;
  }

  /** Equal for requests that say the same, in whatever order their maps came. */
  private static String digest(Message request) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    CodedOutputStream output = CodedOutputStream.newInstance(bytes);
    output.useDeterministicSerialization();
    try {
      request.writeTo(output);
      output.flush();
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes.toByteArray()));
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    } catch (NoSuchAlgorithmException failure) {
      throw new IllegalStateException(failure);
    }
  }

  /** A call that is under way, or its answer: null if it failed. Its time is guarded by the interceptor's lock. */
  private static final class Kept {
    private final String key;
    private final String body;
    private final CompletableFuture<Object> answer = new CompletableFuture<>();
    private long since = System.nanoTime();

    Kept(String key, String body) {
      this.key = key;
      this.body = body;
    }
  }

  /** Takes note of what a call answers. */
  private final class Recorded<Q, A> extends SimpleForwardingServerCall<Q, A> {
    private Kept own;
    private A answer;

    Recorded(ServerCall<Q, A> call) {
      super(call);
    }

    @Override
    public void sendMessage(A message) {
      answer = message;
      super.sendMessage(message);
    }

    @Override
    public void close(Status status, Metadata trailers) {
      if (own != null) {
        end(own, status.isOk() ? answer : null);
      }
      super.close(status, trailers);
    }
  }
}
