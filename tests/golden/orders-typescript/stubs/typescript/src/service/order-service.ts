import type { ServiceImplementation } from "nice-grpc";
import { ServerError, Status } from "nice-grpc-common";
import type { CallContext } from "nice-grpc-common";
import type * as pb from "../gen/acme/orders/v1/orders.js";
import type { Traced } from "../trace.js";

type Context = CallContext & Traced;

/**
 * Answers acme.orders.v1.OrderService: this is where your code goes. What a method starts has to end with
 * `context.signal`.
 *
 * Order service.
 */
export class OrderService implements ServiceImplementation<pb.OrderServiceDefinition, Traced> {
  /**
   * Get order.
   *
   * Deadline: 300ms.
   * Changes nothing; may be repeated.
   * Errors: INVALID_ARGUMENT, NOT_FOUND.
   */
  async getOrder(request: pb.GetOrderRequest, context: Context): Promise<pb.DeepPartial<pb.GetOrderResponse>> {
    throw new ServerError(Status.UNIMPLEMENTED, "GetOrder is not filled in");
  }

  /**
   * Place order.
   *
   * Deadline: 2s.
   * A second call changes nothing more; may be repeated.
   * Errors: INVALID_ARGUMENT, FAILED_PRECONDITION.
   */
  async placeOrder(request: pb.PlaceOrderRequest, context: Context): Promise<pb.DeepPartial<pb.PlaceOrderResponse>> {
    throw new ServerError(Status.UNIMPLEMENTED, "PlaceOrder is not filled in");
  }

  /**
   * List orders.
   *
   * Deadline: 1s.
   * Changes nothing; may be repeated.
   * Errors: INVALID_ARGUMENT.
   */
  async listOrders(request: pb.ListOrdersRequest, context: Context): Promise<pb.DeepPartial<pb.ListOrdersResponse>> {
    throw new ServerError(Status.UNIMPLEMENTED, "ListOrders is not filled in");
  }

  /**
   * Watch order.
   *
   * Deadline: 30s.
   * Changes nothing; may be repeated.
   * Errors: INVALID_ARGUMENT.
   * Flow: a slow receiver holds the sender back. Resume a broken stream with the last token seen.
   */
  async *watchOrder(request: pb.WatchOrderRequest, context: Context): AsyncGenerator<pb.DeepPartial<pb.WatchOrderResponse>> {
    throw new ServerError(Status.UNIMPLEMENTED, "WatchOrder is not filled in");
  }
}
