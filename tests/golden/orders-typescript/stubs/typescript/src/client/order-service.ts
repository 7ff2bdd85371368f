import { randomUUID } from "node:crypto";
import type { Channel } from "@grpc/grpc-js";
import * as pb from "../gen/acme/orders/v1/orders.js";
import { clients } from "./channel.js";
import type { Options } from "./channel.js";
import { resumed } from "./resume.js";

/**
 * Calls acme.orders.v1.OrderService over a channel that `dial` has made.
 *
 * Order service.
 */
export class OrderService {
  readonly #stub;

  constructor(channel: Channel) {
    this.#stub = clients.create(pb.OrderServiceDefinition, channel);
  }

  /**
   * Get order.
   *
   * Deadline: 300ms.
   * Changes nothing; may be repeated.
   * Errors: INVALID_ARGUMENT, NOT_FOUND.
   */
  getOrder(request: pb.DeepPartial<pb.GetOrderRequest>, options?: Options): Promise<pb.GetOrderResponse> {
    return this.#stub.getOrder(request, options);
  }

  /**
   * Place order.
   *
   * Deadline: 2s.
   * A second call changes nothing more; may be repeated.
   * Errors: INVALID_ARGUMENT, FAILED_PRECONDITION.
   *
   * Without a request id it gets one, the same on every try.
   */
  placeOrder(request: pb.DeepPartial<pb.PlaceOrderRequest>, options?: Options): Promise<pb.PlaceOrderResponse> {
    return this.#stub.placeOrder({ ...request, requestId: request.requestId || randomUUID() }, options);
  }

  /**
   * List orders.
   *
   * Deadline: 1s.
   * Changes nothing; may be repeated.
   * Errors: INVALID_ARGUMENT.
   */
  listOrders(request: pb.DeepPartial<pb.ListOrdersRequest>, options?: Options): Promise<pb.ListOrdersResponse> {
    return this.#stub.listOrders(request, options);
  }

  /** All pages from that of the request to the last one. */
  async *listOrdersPages(request: pb.DeepPartial<pb.ListOrdersRequest>, options?: Options): AsyncGenerator<pb.ListOrdersResponse, void, undefined> {
    for (let asked = request; ; ) {
      const page = await this.listOrders(asked, options);
      yield page;
      if (page.nextPageToken === "") {
        return;
      }
      asked = { ...asked, pageToken: page.nextPageToken };
    }
  }

  /**
   * Watch order.
   *
   * Deadline: 30s.
   * Changes nothing; may be repeated.
   * Errors: INVALID_ARGUMENT.
   * Flow: a slow receiver holds the sender back. Resume a broken stream with the last token seen.
   */
  watchOrder(request: pb.DeepPartial<pb.WatchOrderRequest>, options?: Options): AsyncIterable<pb.WatchOrderResponse> {
    return this.#stub.watchOrder(request, options);
  }

  /**
   * Reads the stream, and goes on behind the last message where it broke: after the designed deadline, and up to
   * 3 tries in a row while the server is unavailable.
   */
  watchOrderResumed(request: pb.DeepPartial<pb.WatchOrderRequest>, options?: Options): AsyncGenerator<pb.WatchOrderResponse, void, undefined> {
    let asked = request;
    return resumed(
      { attempts: 3, first: 1000, longest: 8000, factor: 2 },
      options?.signal,
      () => this.#stub.watchOrder(asked, options),
      (answer) => {
        const place = answer.event?.resumeToken;
        if (place) {
          asked = { ...asked, resumeToken: place };
        }
      },
    );
  }
}
