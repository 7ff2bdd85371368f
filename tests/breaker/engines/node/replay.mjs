// Replays recordings on opossum or cockatiel under a fake clock: node replay.mjs NAME < recordings.json
import { readFileSync } from 'node:fs';
import FakeTimers from '@sinonjs/fake-timers';
import {
  BrokenCircuitError, CircuitState, ConsecutiveBreaker, CountBreaker, SamplingBreaker, circuitBreaker, handleAll,
} from 'cockatiel';
import CircuitBreaker from 'opossum';

const settled = () => new Promise((resolve) => setImmediate(resolve));
const ms = (seconds) => Math.round(seconds * 1000);

// Each gives a function that runs an action, and calls `changed` with every new state.
function opossum(asked, changed) {
  const breaker = new CircuitBreaker((action) => action(), {
    timeout: false,
    errorThresholdPercentage: Math.round(asked.failure_ratio * 1e11) / 1e9,
    volumeThreshold: asked.minimum_calls,
    rollingCountTimeout: ms(asked.size),
    resetTimeout: ms(asked.open_for),
    rollingPercentilesEnabled: false,
    enableSnapshots: false,
  });
  breaker.on('open', () => changed('open'));
  breaker.on('halfOpen', () => changed('half_open'));
  breaker.on('close', () => changed('closed'));
  return { run: (action) => breaker.fire(action), refused: (error) => error.code === 'EOPENBREAKER', end: () => breaker.shutdown() };
}

function cockatiel(asked, changed) {
  const breaker = {
    time: () => new SamplingBreaker({
      threshold: asked.failure_ratio, duration: ms(asked.size), minimumRps: asked.minimum_calls / asked.size,
    }),
    count: () => new CountBreaker({
      threshold: asked.failure_ratio, size: asked.size, minimumNumberOfCalls: asked.minimum_calls,
    }),
    consecutive: () => new ConsecutiveBreaker(asked.size),
  }[asked.window]();
  const policy = circuitBreaker(handleAll, {
    halfOpenAfter: ms(asked.open_for), breaker, halfOpenSampling: { calls: asked.probes, threshold: 0 },
  });
  policy.onStateChange((state) => changed(
    { [CircuitState.Open]: 'open', [CircuitState.HalfOpen]: 'half_open', [CircuitState.Closed]: 'closed' }[state],
  ));
  return { run: (action) => policy.execute(action), refused: (error) => error instanceof BrokenCircuitError, end: () => {} };
}

const libraries = { opossum, cockatiel };

// Ends come before beginnings of the same moment, and the earlier call's first.
const order = (one, other) => one.at - other.at || one.begins - other.begins || one.call - other.call;

async function replay(library, { settings, calls }, base) {
  const clock = FakeTimers.install({
    now: base, toFake: ['Date', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'],
  });
  try {
    const changes = [];
    const outcomes = calls.map(() => ({ admitted: false, at: null }));
    const breaker = library(settings, (to) => changes.push({ at: (Date.now() - base) / 1000, to }));
    const events = calls.map((call, index) => ({ at: ms(call.at), begins: 1, call: index }));
    while (events.length) {
      events.sort(order);
      const event = events.shift();
      clock.tick(base + event.at - Date.now());
      const { takes, fails } = calls[event.call];
      if (event.begins) {
        breaker.run(() => new Promise((resolve, reject) => {
          const at = Date.now() - base;
          outcomes[event.call] = { admitted: true, at: at / 1000 };
          const ends = () => (fails ? reject(new Error('it failed')) : resolve());
          events.push({ at: at + ms(takes), begins: 0, call: event.call, ends });
        })).catch((error) => {
          if (breaker.refused(error) === outcomes[event.call].admitted) throw error;
        });
      } else {
        event.ends();
      }
      await settled();
    }
    breaker.end();
    return { calls: outcomes, changes };
  } finally {
    clock.uninstall();
  }
}

const { base, recordings } = JSON.parse(readFileSync(0, 'utf8'));
const told = [];
for (const recording of recordings) told.push(await replay(libraries[process.argv[2]], recording, ms(base)));
console.log(JSON.stringify(told));
