package com.example.ordersapi.server;

import java.io.IOException;
import java.net.InetSocketAddress;

/** Answers acme.orders.v1 until it is told to stop. */
public final class Main {
  private Main() {}

  /** Takes the host and port to listen on, such as localhost:50051. */
  public static void main(String[] arguments) throws IOException, InterruptedException {
    String address = arguments.length > 0 ? arguments[0] : "localhost:50051";
    int colon = address.lastIndexOf(':');
    String host = address.substring(0, colon);
    int port = Integer.parseInt(address.substring(colon + 1));
    ApiServer server = ApiServer.start(new InetSocketAddress(host, port));
    Runtime.getRuntime().addShutdownHook(new Thread(server::stop));
    System.out.println("listening on " + host + ":" + server.port());
    server.awaitEnd();
  }
}
