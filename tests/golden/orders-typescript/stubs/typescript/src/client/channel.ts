import type { Channel, ChannelCredentials } from "@grpc/grpc-js";
import { createChannel, createClientFactory } from "nice-grpc";
import type { CallOptions } from "nice-grpc-common";
import { sendTrace } from "../trace.js";
import type { Traced } from "../trace.js";
import { SERVICE_CONFIG } from "./service-config.js";

/** What a call may be given: metadata, a signal that ends it, and the trace that it belongs to. */
export type Options = CallOptions & Partial<Traced>;

/** Makes a channel, such as to `dns:///orders.internal:50051`. It retries and gives up by the designed service config. */
export function dial(target: string, credentials: ChannelCredentials): Channel {
  return createChannel(target, credentials, { "grpc.service_config": SERVICE_CONFIG });
}

/** Makes clients whose calls hand the trace on. */
export const clients = createClientFactory().use(sendTrace);
