package com.example.calls;

/** Lets retries be a share of the calls: each call earns a part of a retry, each retry spends a whole one. */
public final class RetryBudget {
    // Saved up at most, so that a quiet hour doesn't pay for a storm; enough to mend a few lone failures.
    private static final double MOST_SAVED = 10;

    private final double share;
    private double saved = MOST_SAVED;

    public RetryBudget(double share) {
        this.share = share;
    }

    /** A call begins. */
    public synchronized void earn() {
        saved = Math.min(MOST_SAVED, saved + share);
    }

    /** Whether one more retry may be made; then it is paid for. */
    public synchronized boolean spend() {
        if (saved < 1) {
            return false;
        }
        saved -= 1;
        return true;
    }
}
