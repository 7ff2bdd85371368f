// Replays recordings on Resilience4j under a fake clock: java -cp 'lib/*' Replay.java < recordings.json
import com.google.gson.Gson;
import io.github.resilience4j.circuitbreaker.CircuitBreaker;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig.SlidingWindowType;
import io.github.resilience4j.circuitbreaker.internal.CircuitBreakerStateMachine;
import java.io.InputStreamReader;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;
import java.util.concurrent.TimeUnit;

public final class Replay {
  record Settings(
      String window, double size, int minimum_calls, double failure_ratio, double open_for, int probes,
      Double slow_ratio, Double slow_after) {}

  record Call(double at, double takes, boolean fails) {}

  record Recording(Settings settings, List<Call> calls) {}

  record Asked(double base, List<Recording> recordings) {}

  record Outcome(boolean admitted, Double at) {}

  record Change(double at, String to) {}

  record Replayed(List<Outcome> calls, List<Change> changes) {}

  record Event(long at, boolean begins, int call) {}

  static final class FakeClock extends Clock {
    Instant now;

    @Override
    public ZoneId getZone() {
      return ZoneOffset.UTC;
    }

    @Override
    public Clock withZone(ZoneId zone) {
      return this;
    }

    @Override
    public Instant instant() {
      return now;
    }
  }

  // As somebody would write it.
  static float percent(double ratio) {
    return (float) (Math.round(ratio * 1e11) / 1e9);
  }

  static CircuitBreakerConfig config(Settings asked, Clock clock) {
    // As many failures in a row are the last calls, all of which failed.
    boolean inARow = asked.window.equals("consecutive");
    CircuitBreakerConfig.Builder builder = CircuitBreakerConfig.custom()
        .clock(clock)
        .slidingWindowType(asked.window.equals("time") ? SlidingWindowType.TIME_BASED : SlidingWindowType.COUNT_BASED)
        .slidingWindowSize(Math.max(1, (int) Math.round(asked.size)))
        .minimumNumberOfCalls(inARow ? (int) asked.size : asked.minimum_calls)
        .failureRateThreshold(inARow ? 100 : percent(asked.failure_ratio))
        .waitDurationInOpenState(Duration.ofMillis(Math.round(asked.open_for * 1000)))
        .permittedNumberOfCallsInHalfOpenState(asked.probes);
    if (asked.slow_ratio != null) {
      builder.slowCallRateThreshold(percent(asked.slow_ratio))
          .slowCallDurationThreshold(Duration.ofMillis(Math.round(asked.slow_after * 1000)));
    }
    return builder.build();
  }

  static Replayed replay(Recording recording, long base) {
    FakeClock clock = new FakeClock();
    clock.now = Instant.ofEpochMilli(base);
    CircuitBreaker breaker = new CircuitBreakerStateMachine("it", config(recording.settings, clock));
    List<Change> changes = new ArrayList<>();
    breaker.getEventPublisher().onStateTransition(event -> changes.add(new Change(
        (clock.now.toEpochMilli() - base) / 1000.0, event.getStateTransition().getToState().name().toLowerCase())));
    List<Outcome> outcomes = new ArrayList<>();
    // Ends come before beginnings of the same moment, and the earlier call's first.
    PriorityQueue<Event> events = new PriorityQueue<>(
        Comparator.comparingLong(Event::at).thenComparing(Event::begins).thenComparingInt(Event::call));
    for (Call call : recording.calls) {
      events.add(new Event(Math.round(call.at * 1000), true, outcomes.size()));
      outcomes.add(new Outcome(false, null));
    }
    while (!events.isEmpty()) {
      Event event = events.remove();
      clock.now = Instant.ofEpochMilli(base + event.at);
      Call call = recording.calls.get(event.call);
      long takes = Math.round(call.takes * 1000);
      if (!event.begins && call.fails) {
        breaker.onError(takes, TimeUnit.MILLISECONDS, new RuntimeException("it failed"));
      } else if (!event.begins) {
        breaker.onSuccess(takes, TimeUnit.MILLISECONDS);
      } else if (breaker.tryAcquirePermission()) {
        outcomes.set(event.call, new Outcome(true, event.at / 1000.0));
        events.add(new Event(event.at + takes, false, event.call));
      }
    }
    return new Replayed(outcomes, changes);
  }

  public static void main(String[] arguments) {
    Gson gson = new Gson();
    Asked asked = gson.fromJson(new InputStreamReader(System.in), Asked.class);
    List<Replayed> told = new ArrayList<>();
    for (Recording recording : asked.recordings) {
      told.add(replay(recording, Math.round(asked.base * 1000)));
    }
    System.out.println(gson.toJson(told));
  }
}
