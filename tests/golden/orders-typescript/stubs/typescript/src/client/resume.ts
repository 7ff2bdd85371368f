import { setTimeout as delay } from "node:timers/promises";
import { ClientError, Status } from "nice-grpc-common";

/** How often a stream is opened in a row without a message, and how many milliseconds are waited before. */
export interface Again {
  readonly attempts: number;
  readonly first: number;
  readonly longest: number;
  readonly factor: number;
}

/**
 * Reads a stream and opens it anew where it broke: for as long as the caller reads when the designed deadline ended it,
 * and a bounded number of times when the server was unavailable. `seen` is told of each message before the reader is.
 */
export async function* resumed<Answer>(
  again: Again,
  signal: AbortSignal | undefined,
  open: () => AsyncIterable<Answer>,
  seen: (answer: Answer) => void,
): AsyncGenerator<Answer, void, undefined> {
  let failed = 0;
  for (;;) {
    try {
      for await (const answer of open()) {
        failed = 0;
        seen(answer);
        yield answer;
      }
      return;
    } catch (error) {
      const code = error instanceof ClientError ? error.code : undefined;
      const late = code === Status.DEADLINE_EXCEEDED;
      if (!late && (code !== Status.UNAVAILABLE || failed + 1 >= again.attempts)) {
        throw error;
      }
      failed += late ? 0 : 1;
      await delay(pause(again, Math.max(failed, 1)), undefined, signal ? { signal } : {});
    }
  }
}

/** At random up to the backoff, so that clients that failed together don't come back together. */
function pause(again: Again, failed: number): number {
  return Math.random() * Math.min(again.first * again.factor ** (failed - 1), again.longest);
}
