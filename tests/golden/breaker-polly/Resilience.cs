using System;

namespace Example.Calls;

/// <summary>The request never got there: connection refused, no such host.</summary>
public sealed class UnreachedException : Exception
{
    public UnreachedException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}

/// <summary>It was reached and said that it can't now: HTTP 503, gRPC UNAVAILABLE.</summary>
public sealed class UnavailableException : Exception
{
    public UnavailableException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}

/// <summary>
/// Lets retries be a share of the calls: each call earns a part of a retry, each retry spends a whole one. Little is
/// saved up, so that a quiet hour doesn't pay for a storm.
/// </summary>
public sealed class RetryBudget
{
    private const double MostSaved = 10;

    private readonly object _gate = new();
    private readonly double _share;
    private double _saved = MostSaved;

    public RetryBudget(double share)
    {
        _share = share;
    }

    /// <summary>A call begins.</summary>
    public void Earn()
    {
        lock (_gate)
        {
            _saved = Math.Min(MostSaved, _saved + _share);
        }
    }

    /// <summary>Whether one more retry may be made; then it is paid for.</summary>
    public bool Spend()
    {
        lock (_gate)
        {
            if (_saved < 1)
            {
                return false;
            }

            _saved -= 1;
            return true;
        }
    }
}

/// <summary>
/// The waits between tries. Polly's own backoff doubles, whatever is wanted, and its jitter is around the wait.
/// </summary>
public static class Waits
{
    /// <summary>The longest that a wait can be: it grows by a factor up to a limit.</summary>
    /// <param name="retry">0 for the first retry.</param>
    public static TimeSpan Grown(TimeSpan first, double factor, TimeSpan longest, int retry)
    {
        double wanted = first.TotalMilliseconds * Math.Pow(factor, retry);
        return TimeSpan.FromMilliseconds(Math.Min(wanted, longest.TotalMilliseconds));
    }

    /// <summary>Anything between nothing and that, so that no two callers come back together.</summary>
    public static TimeSpan Drawn(TimeSpan first, double factor, TimeSpan longest, int retry)
    {
        return Random.Shared.NextDouble() * Grown(first, factor, longest, retry);
    }
}
