package com.example.ordersapi.client;

import acme.orders.v1.OrderServiceGrpc;
import acme.orders.v1.Orders;
import io.grpc.Channel;
import java.util.Iterator;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Calls acme.orders.v1.OrderService over a channel that {@link Channels#dial} has made.
 *
 * Order service.
 */
public final class OrderServiceClient {
  private final OrderServiceGrpc.OrderServiceBlockingStub stub;

  public OrderServiceClient(Channel channel) {
    this.stub = OrderServiceGrpc.newBlockingStub(channel);
  }

  /**
   * Get order.
   *
   * Deadline: 300ms.
   * Changes nothing; may be repeated.
   * Errors: INVALID_ARGUMENT, NOT_FOUND.
   */
  public Orders.GetOrderResponse getOrder(Orders.GetOrderRequest request) {
    return stub.getOrder(request);
  }

  /**
   * Place order.
   *
   * Deadline: 2s.
   * A second call changes nothing more; may be repeated.
   * Errors: INVALID_ARGUMENT, FAILED_PRECONDITION.
   *
   * <p>Without a request id it gets one, the same on every try.
   */
  public Orders.PlaceOrderResponse placeOrder(Orders.PlaceOrderRequest request) {
    Orders.PlaceOrderRequest asked =
        request.getRequestId().isEmpty()
            ? request.toBuilder().setRequestId(UUID.randomUUID().toString()).build()
            : request;
    return stub.placeOrder(asked);
  }

  /**
   * List orders.
   *
   * Deadline: 1s.
   * Changes nothing; may be repeated.
   * Errors: INVALID_ARGUMENT.
   */
  public Orders.ListOrdersResponse listOrders(Orders.ListOrdersRequest request) {
    return stub.listOrders(request);
  }

  /** All pages from that of the request to the last one. */
  public Iterable<Orders.ListOrdersResponse> listOrdersPages(Orders.ListOrdersRequest request) {
    return () ->
        new Pages<>(
            request,
            this::listOrders,
            Orders.ListOrdersResponse::getNextPageToken,
            (asked, token) -> asked.toBuilder().setPageToken(token).build());
  }

  /**
   * Watch order.
   *
   * Deadline: 30s.
   * Changes nothing; may be repeated.
   * Errors: INVALID_ARGUMENT.
   * Flow: a slow receiver holds the sender back. Resume a broken stream with the last token seen.
   */
  public Iterator<Orders.WatchOrderResponse> watchOrder(Orders.WatchOrderRequest request) {
    return stub.watchOrder(request);
  }

  /**
   * Reads the stream, and goes on behind the last message where it broke: after the designed deadline, and up to
   * 3 tries in a row while the server is unavailable.
   */
  public Resumed<Orders.WatchOrderResponse> watchOrderResumed(Orders.WatchOrderRequest request) {
    AtomicReference<Orders.WatchOrderRequest> asked = new AtomicReference<>(request);
    return new Resumed<>(
        new Resumed.Again(3, 1000, 8000, 2),
        () -> stub.watchOrder(asked.get()),
        answer -> {
          var place = answer.getEvent().getResumeToken();
          if (!place.isEmpty()) {
            asked.updateAndGet(last -> last.toBuilder().setResumeToken(place).build());
          }
        });
  }
}
