package com.example.ordersapi.server;

import acme.orders.v1.OrderServiceGrpc;
import acme.orders.v1.Orders;
import com.example.ordersapi.client.Channels;
import com.example.ordersapi.client.OrderServiceClient;
import com.example.ordersapi.trace.Trace;
import io.grpc.Context;
import io.grpc.InsecureChannelCredentials;
import io.grpc.InsecureServerCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;

/** What the stubs of the orders example promise, over a real channel. Goes into the package server of the project. */
public final class Behaviour {
  private Behaviour() {}

  /** A server of its own for each promise, and a client that the project has made. */
  private static final class Served implements AutoCloseable {
    private final Fake fake = new Fake();
    private final Server server;
    private final ManagedChannel channel;
    private final OrderServiceClient calls;

    Served(int most, Duration keptFor) throws Exception {
      NettyServerBuilder builder =
          NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", 0), InsecureServerCredentials.create());
      builder.intercept(new RememberInterceptor(most, keptFor));
      builder.intercept(new DeadlineInterceptor());
      builder.intercept(new Trace.Incoming());
      server = builder.addService(fake).build().start();
      channel = Channels.dial("127.0.0.1:" + server.getPort(), InsecureChannelCredentials.create());
      calls = new OrderServiceClient(channel);
    }

    Served() throws Exception {
      this(10, Duration.ofMinutes(1));
    }

    @Override
    public void close() {
      channel.shutdownNow();
      server.shutdownNow();
    }
  }

  private static final class Fake extends OrderServiceGrpc.OrderServiceImplBase {
    private final List<String> ids = Collections.synchronizedList(new ArrayList<>());
    private final List<String> resumes = Collections.synchronizedList(new ArrayList<>());
    private final List<Trace> traces = Collections.synchronizedList(new ArrayList<>());
    private final CountDownLatch goOn = new CountDownLatch(1);
    private final CountDownLatch underWay = new CountDownLatch(1);

    @Override
    public void getOrder(Orders.GetOrderRequest request, StreamObserver<Orders.GetOrderResponse> answers) {
      traces.add(Trace.current());
      if (request.getOrderId().equals("slow")) {
        CountDownLatch over = new CountDownLatch(1);
        Context.current().addListener(context -> over.countDown(), Runnable::run);
        await(over);
      }
      if (request.getOrderId().equals("retried") && traces.size() < 3) {
        answers.onError(Status.UNAVAILABLE.asRuntimeException());
        return;
      }
      answers.onNext(Orders.GetOrderResponse.getDefaultInstance());
      answers.onCompleted();
    }

    @Override
    public void placeOrder(Orders.PlaceOrderRequest request, StreamObserver<Orders.PlaceOrderResponse> answers) {
      ids.add(request.getRequestId());
      int count = ids.size();
      if (request.getRequestId().equals("fails") && count == 1) {
        answers.onError(Status.INTERNAL.asRuntimeException());
        return;
      }
      if (request.getRequestId().equals("waits")) {
        underWay.countDown();
        await(goOn);
      }
      answers.onNext(
          Orders.PlaceOrderResponse.newBuilder()
              .setOrder(Orders.Order.newBuilder().setOrderId(Integer.toString(count)))
              .build());
      answers.onCompleted();
    }

    @Override
    public void listOrders(Orders.ListOrdersRequest request, StreamObserver<Orders.ListOrdersResponse> answers) {
      answers.onNext(
          Orders.ListOrdersResponse.newBuilder()
              .addOrders(Orders.Order.newBuilder().setOrderId("of " + request.getPageToken()))
              .setNextPageToken(Map.of("", "a", "a", "b", "b", "").get(request.getPageToken()))
              .build());
      answers.onCompleted();
    }

    /** Five events; it breaks behind every second one. */
    @Override
    public void watchOrder(Orders.WatchOrderRequest request, StreamObserver<Orders.WatchOrderResponse> answers) {
      resumes.add(request.getResumeToken());
      if (request.getOrderId().equals("gone")) {
        answers.onError(Status.NOT_FOUND.asRuntimeException());
        return;
      }
      int last = request.getResumeToken().length();
      for (int number = last + 1; number <= 5; number++) {
        answers.onNext(
            Orders.WatchOrderResponse.newBuilder()
                .setEvent(Orders.OrderEvent.newBuilder().setResumeToken("x".repeat(number)))
                .build());
        if (number == last + 2) {
          answers.onError(Status.UNAVAILABLE.asRuntimeException());
          return;
        }
      }
      answers.onCompleted();
    }
  }

  public static void main(String[] arguments) throws Exception {
    oneEffect();
    oneEffectWhileUnderWay();
    aFailureIsNotRemembered();
    boundedAndForgotten();
    anIdOfItsOwn();
    allPages();
    aBrokenStreamGoesOn();
    retriesAndDeadlines();
    traces();
    System.out.println("all of it holds");
    System.exit(0);
  }

  private static void oneEffect() throws Exception {
    try (Served served = new Served()) {
      equal(placed(served, "one", Map.of("a", "1", "b", "2")), "1");
      equal(placed(served, "one", Map.of("b", "2", "a", "1")), "1");
      equal(served.fake.ids, List.of("one"));
      equal(code(() -> placed(served, "one", Map.of("c", "3"))), Status.Code.INVALID_ARGUMENT);
      equal(placed(served, "two", Map.of()), "2");
    }
  }

  private static void oneEffectWhileUnderWay() throws Exception {
    try (Served served = new Served()) {
      CompletableFuture<String> first = CompletableFuture.supplyAsync(() -> placed(served, "waits", Map.of()));
      await(served.fake.underWay);
      CompletableFuture<String> second = CompletableFuture.supplyAsync(() -> placed(served, "waits", Map.of()));
      served.fake.goOn.countDown();
      equal(first.get(), "1");
      equal(second.get(), "1");
      equal(served.fake.ids, List.of("waits"));
    }
  }

  private static void aFailureIsNotRemembered() throws Exception {
    try (Served served = new Served()) {
      equal(code(() -> placed(served, "fails", Map.of())), Status.Code.INTERNAL);
      equal(placed(served, "fails", Map.of()), "2");
    }
  }

  private static void boundedAndForgotten() throws Exception {
    try (Served served = new Served(2, Duration.ofMinutes(1))) {
      for (String id : List.of("a", "b", "c", "c", "a")) {
        placed(served, id, Map.of());
      }
      equal(served.fake.ids, List.of("a", "b", "c", "a"));
    }
    try (Served served = new Served(2, Duration.ZERO)) {
      placed(served, "a", Map.of());
      placed(served, "a", Map.of());
      equal(served.fake.ids, List.of("a", "a"));
    }
  }

  private static void anIdOfItsOwn() throws Exception {
    try (Served served = new Served()) {
      placed(served, "", Map.of());
      placed(served, "", Map.of());
      equal(new HashSet<>(served.fake.ids).size(), 2);
      equal(served.fake.ids.contains(""), false);
    }
  }

  private static void allPages() throws Exception {
    try (Served served = new Served()) {
      List<String> seen = new ArrayList<>();
      for (Orders.ListOrdersResponse page :
          served.calls.listOrdersPages(Orders.ListOrdersRequest.getDefaultInstance())) {
        seen.add(page.getOrders(0).getOrderId());
      }
      equal(seen, List.of("of ", "of a", "of b"));
    }
  }

  private static void aBrokenStreamGoesOn() throws Exception {
    try (Served served = new Served();
        var events = served.calls.watchOrderResumed(Orders.WatchOrderRequest.getDefaultInstance())) {
      List<Integer> seen = new ArrayList<>();
      while (events.hasNext()) {
        seen.add(events.next().getEvent().getResumeToken().length());
      }
      equal(seen, List.of(1, 2, 3, 4, 5));
      equal(served.fake.resumes, List.of("", "xx", "xxxx"));
    }
    try (Served served = new Served();
        var events =
            served.calls.watchOrderResumed(Orders.WatchOrderRequest.newBuilder().setOrderId("gone").build())) {
      equal(code(events::hasNext), Status.Code.NOT_FOUND);
      equal(served.fake.resumes.size(), 1);
    }
    try (Served served = new Served();
        var events = served.calls.watchOrderResumed(Orders.WatchOrderRequest.getDefaultInstance())) {
      // Nobody listens there any more: opened as often as it may be, and given up.
      served.server.shutdownNow().awaitTermination();
      equal(code(events::hasNext), Status.Code.UNAVAILABLE);
    }
  }

  private static void retriesAndDeadlines() throws Exception {
    try (Served served = new Served()) {
      served.calls.getOrder(Orders.GetOrderRequest.newBuilder().setOrderId("retried").build());
      equal(served.fake.traces.size(), 3);
      Orders.GetOrderRequest slow = Orders.GetOrderRequest.newBuilder().setOrderId("slow").build();
      equal(code(() -> served.calls.getOrder(slow)), Status.Code.DEADLINE_EXCEEDED);
      ManagedChannel bare =
          io.grpc.Grpc.newChannelBuilder(
                  "127.0.0.1:" + served.server.getPort(), InsecureChannelCredentials.create())
              .build();
      equal(code(() -> OrderServiceGrpc.newBlockingStub(bare).getOrder(slow)), Status.Code.DEADLINE_EXCEEDED);
      bare.shutdownNow();
    }
  }

  private static void traces() throws Exception {
    try (Served served = new Served()) {
      served.calls.getOrder(Orders.GetOrderRequest.getDefaultInstance());
      served.calls.getOrder(Orders.GetOrderRequest.getDefaultInstance());
      Trace one = served.fake.traces.get(0);
      equal(one.traceId().length(), 32);
      equal(one.equals(served.fake.traces.get(1)), false);
      Metadata headers = new Metadata();
      headers.put(
          Metadata.Key.of("traceparent", Metadata.ASCII_STRING_MARSHALLER),
          "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
      headers.put(Metadata.Key.of("tracestate", Metadata.ASCII_STRING_MARSHALLER), "a=b");
      OrderServiceGrpc.newBlockingStub(served.channel)
          .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers))
          .getOrder(Orders.GetOrderRequest.getDefaultInstance());
      equal(
          served.fake.traces.get(2),
          new Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "01", "a=b"));
    }
  }

  private static String placed(Served served, String id, Map<String, String> labels) {
    return served
        .calls
        .placeOrder(
            Orders.PlaceOrderRequest.newBuilder()
                .setRequestId(id)
                .setOrder(Orders.Order.newBuilder().putAllLabels(labels))
                .build())
        .getOrder()
        .getOrderId();
  }

  private static Status.Code code(Runnable call) {
    try {
      call.run();
    } catch (StatusRuntimeException failure) {
      return failure.getStatus().getCode();
    }
    return Status.Code.OK;
  }

  private static void equal(Object found, Object wanted) {
    if (!wanted.equals(found)) {
      throw new AssertionError("found " + found + ", wanted " + wanted);
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException interrupted) {
      throw new IllegalStateException(interrupted);
    }
  }
}
