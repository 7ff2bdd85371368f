package com.example.ordersapi.trace;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The W3C trace context: handed on from the call that is answered to the calls that it makes.
 * https://www.w3.org/TR/trace-context/
 */
public record Trace(String traceId, String spanId, String flags, String state) {
  private static final Metadata.Key<String> PARENT =
      Metadata.Key.of("traceparent", Metadata.ASCII_STRING_MARSHALLER);
  private static final Metadata.Key<String> STATE =
      Metadata.Key.of("tracestate", Metadata.ASCII_STRING_MARSHALLER);
  private static final Pattern FORM =
      Pattern.compile("([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?");
  private static final Context.Key<Trace> KEY = Context.key("trace");
  private static final SecureRandom RANDOM = new SecureRandom();

  /** Where the call that is being answered stands in its trace; null outside of one. */
  public static Trace current() {
    return KEY.get();
  }

  /** Reads the caller's trace context; without a valid one, a new trace begins. */
  public static final class Incoming implements ServerInterceptor {
    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(
        ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
      Context context = Context.current().withValue(KEY, parsed(headers));
      return Contexts.interceptCall(context, call, headers, next);
    }
  }

  /** Sends the trace context on, with a span of its own for the call. */
  public static final class Outgoing implements ClientInterceptor {
    @Override
    public <Q, A> ClientCall<Q, A> interceptCall(
        MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
      Trace trace = current() == null ? begun() : current();
      return new SimpleForwardingClientCall<>(next.newCall(method, options)) {
        @Override
        public void start(Listener<A> answers, Metadata headers) {
          // What another interceptor has set stands.
          if (!headers.containsKey(PARENT)) {
            headers.put(PARENT, "00-" + trace.traceId + "-" + random(8) + "-" + trace.flags);
            if (!trace.state.isEmpty()) {
              headers.put(STATE, trace.state);
            }
          }
          super.start(answers, headers);
        }
      };
    }
  }

  private static Trace parsed(Metadata headers) {
    String parent = headers.get(PARENT);
    Matcher parts = FORM.matcher(parent == null ? "" : parent);
    if (!parts.matches()
        || parts.group(1).equals("ff")
        || (parts.group(1).equals("00") && parts.group(5) != null)
        || parts.group(2).matches("0*")
        || parts.group(3).matches("0*")) {
      return begun();
    }
    Iterable<String> states = headers.getAll(STATE);
    return new Trace(
        parts.group(2), parts.group(3), parts.group(4), states == null ? "" : String.join(",", states));
  }

  private static Trace begun() {
    return new Trace(random(16), random(8), "00", "");
  }

  private static String random(int size) {
    byte[] id = new byte[size];
    RANDOM.nextBytes(id);
    return HexFormat.of().formatHex(id);
  }
}
