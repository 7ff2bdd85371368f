package com.example.ordersapi.client;

import io.grpc.Context;
import io.grpc.Context.CancellableContext;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.Iterator;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * A stream that is opened anew where it broke: for as long as it is read when the designed deadline ended it, and a
 * bounded number of times when the server was unavailable. To be closed, and read from one thread.
 */
public final class Resumed<A> implements Iterator<A>, AutoCloseable {
  private final CancellableContext context = Context.current().withCancellation();
  private final Again again;
  private final Supplier<Iterator<A>> open;
  private final Consumer<A> seen;
  private Iterator<A> stream;
  private int failed;

  /** How often a stream is opened in a row without a message, and how many milliseconds are waited before. */
  record Again(int attempts, long first, long longest, double factor) {
    /** At random up to the backoff, so that clients that failed together don't come back together. */
    void pause(int failed) {
      double most = Math.min(first * Math.pow(factor, failed - 1), longest);
      try {
        Thread.sleep((long) (ThreadLocalRandom.current().nextDouble() * most));
      } catch (InterruptedException interrupted) {
        Thread.currentThread().interrupt();
        throw Status.CANCELLED.withDescription("interrupted").withCause(interrupted).asRuntimeException();
      }
    }
  }

  /** `seen` is told of each message before the reader is. */
  Resumed(Again again, Supplier<Iterator<A>> open, Consumer<A> seen) {
    this.again = again;
    this.open = open;
    this.seen = seen;
  }

  @Override
  public boolean hasNext() {
    while (true) {
      try {
        if (stream == null) {
          stream = context.call(open::get);
        }
        return stream.hasNext();
      } catch (StatusRuntimeException failure) {
        goOnAfter(failure);
      } catch (RuntimeException failure) {
        throw failure;
      } catch (Exception failure) {
        throw new IllegalStateException(failure);
      }
    }
  }

  @Override
  public A next() {
    if (stream == null) {
      hasNext();
    }
    A answer = stream.next();
    failed = 0;
    seen.accept(answer);
    return answer;
  }

  /** Ends the stream. */
  @Override
  public void close() {
    context.cancel(null);
  }

  private void goOnAfter(StatusRuntimeException failure) {
    boolean late = failure.getStatus().getCode() == Status.Code.DEADLINE_EXCEEDED;
    boolean away = failure.getStatus().getCode() == Status.Code.UNAVAILABLE;
    if (context.isCancelled() || !(late || (away && failed + 1 < again.attempts))) {
      throw failure;
    }
    failed += late ? 0 : 1;
    stream = null;
    again.pause(Math.max(failed, 1));
  }
}
