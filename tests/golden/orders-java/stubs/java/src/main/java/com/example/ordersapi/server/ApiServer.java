package com.example.ordersapi.server;

import com.example.ordersapi.service.OrderService;
import com.example.ordersapi.trace.Trace;
import acme.orders.v1.OrderServiceGrpc;
import io.grpc.Server;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import java.io.IOException;
import java.net.SocketAddress;
import java.util.concurrent.TimeUnit;

/** The services at an address, with health, reflection and an orderly end. */
public final class ApiServer {
  /** Milliseconds between NOT_SERVING and refusing new calls: clients that watch health go elsewhere in it. */
  private static final long NOTICE = 1_000;

  /** Milliseconds, as long as the calls that were taken may last, within what a supervisor allows. */
  private static final long GRACE = 25000;

  private final Server server;
  private final HealthStatusManager health;

  private ApiServer(Server server, HealthStatusManager health) {
    this.server = server;
    this.health = health;
  }

  /** Answers calls at the address; port 0 is any that is free. */
  public static ApiServer start(SocketAddress address) throws IOException {
    HealthStatusManager health = new HealthStatusManager();
    NettyServerBuilder builder = NettyServerBuilder.forAddress(address);
    // The last one sees a call first.
    builder.intercept(new RememberInterceptor());
    builder.intercept(new DeadlineInterceptor());
    builder.intercept(new Trace.Incoming());
    builder.addService(health.getHealthService());
    builder.addService(ProtoReflectionServiceV1.newInstance());
    builder.addService(new OrderService());
    health.setStatus(OrderServiceGrpc.SERVICE_NAME, ServingStatus.SERVING);
    return new ApiServer(builder.build().start(), health);
  }

  /** The port that it listens on. */
  public int port() {
    return server.getPort();
  }

  /** Returns when it has stopped. */
  public void awaitEnd() throws InterruptedException {
    server.awaitTermination();
  }

  /** Says NOT_SERVING, takes no new calls, and lets those that it has end; what runs after the grace is cut off. */
  public void stop() {
    health.enterTerminalState();
    try {
      Thread.sleep(NOTICE);
      server.shutdown();
      if (!server.awaitTermination(GRACE, TimeUnit.MILLISECONDS)) {
        server.shutdownNow();
      }
    } catch (InterruptedException interrupted) {
      server.shutdownNow();
      Thread.currentThread().interrupt();
    }
  }
}
