package com.example.ordersapi.client;

import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.function.BiFunction;
import java.util.function.Function;

/** All pages from that of the first request to the last one. */
final class Pages<Q, A> implements Iterator<A> {
  private final Function<Q, A> call;
  private final Function<A, String> token;
  private final BiFunction<Q, String, Q> turned;
  private Q asked;

  Pages(Q first, Function<Q, A> call, Function<A, String> token, BiFunction<Q, String, Q> turned) {
    this.asked = first;
    this.call = call;
    this.token = token;
    this.turned = turned;
  }

  @Override
  public boolean hasNext() {
    return asked != null;
  }

  @Override
  public A next() {
    if (asked == null) {
      throw new NoSuchElementException();
    }
    A page = call.apply(asked);
    String next = token.apply(page);
    asked = next.isEmpty() ? null : turned.apply(asked, next);
    return page;
  }
}
