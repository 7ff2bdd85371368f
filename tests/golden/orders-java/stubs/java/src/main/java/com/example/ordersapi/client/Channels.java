package com.example.ordersapi.client;

import com.google.gson.Gson;
import com.google.gson.reflect.TypeToken;
import com.example.ordersapi.trace.Trace;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.ManagedChannel;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** Channels that do by themselves what was designed: deadlines, retries, load balancing and health checking. */
public final class Channels {
  private Channels() {}

  /** Makes a channel, such as to dns:///orders.internal:50051. */
  public static ManagedChannel dial(String target, ChannelCredentials credentials) {
    return Grpc.newChannelBuilder(target, credentials)
        .defaultServiceConfig(serviceConfig())
        .intercept(new Trace.Outgoing())
        .build();
  }

  private static Map<String, ?> serviceConfig() {
    try (Reader text =
        new InputStreamReader(
            Channels.class.getResourceAsStream("/service-config.json"), StandardCharsets.UTF_8)) {
      return new Gson().fromJson(text, new TypeToken<Map<String, Object>>() {}.getType());
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    }
  }
}
