package com.example.ordersapi.service;

import acme.orders.v1.OrderServiceGrpc;
import acme.orders.v1.Orders;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;

/**
 * Answers acme.orders.v1.OrderService: this is where your code goes. An rpc that the package gains later is
 * UNIMPLEMENTED until it has a method here.
 *
 * Order service.
 */
public final class OrderService extends OrderServiceGrpc.OrderServiceImplBase {
  /**
   * Get order.
   *
   * Deadline: 300ms.
   * Changes nothing; may be repeated.
   * Errors: INVALID_ARGUMENT, NOT_FOUND.
   */
  @Override
  public void getOrder(Orders.GetOrderRequest request, StreamObserver<Orders.GetOrderResponse> answers) {
    ServerCalls.asyncUnimplementedUnaryCall(OrderServiceGrpc.getGetOrderMethod(), answers);
  }

  /**
   * Place order.
   *
   * Deadline: 2s.
   * A second call changes nothing more; may be repeated.
   * Errors: INVALID_ARGUMENT, FAILED_PRECONDITION.
   */
  @Override
  public void placeOrder(Orders.PlaceOrderRequest request, StreamObserver<Orders.PlaceOrderResponse> answers) {
    ServerCalls.asyncUnimplementedUnaryCall(OrderServiceGrpc.getPlaceOrderMethod(), answers);
  }

  /**
   * List orders.
   *
   * Deadline: 1s.
   * Changes nothing; may be repeated.
   * Errors: INVALID_ARGUMENT.
   */
  @Override
  public void listOrders(Orders.ListOrdersRequest request, StreamObserver<Orders.ListOrdersResponse> answers) {
    ServerCalls.asyncUnimplementedUnaryCall(OrderServiceGrpc.getListOrdersMethod(), answers);
  }

  /**
   * Watch order.
   *
   * Deadline: 30s.
   * Changes nothing; may be repeated.
   * Errors: INVALID_ARGUMENT.
   * Flow: a slow receiver holds the sender back. Resume a broken stream with the last token seen.
   */
  @Override
  public void watchOrder(Orders.WatchOrderRequest request, StreamObserver<Orders.WatchOrderResponse> answers) {
    ServerCalls.asyncUnimplementedUnaryCall(OrderServiceGrpc.getWatchOrderMethod(), answers);
  }
}
