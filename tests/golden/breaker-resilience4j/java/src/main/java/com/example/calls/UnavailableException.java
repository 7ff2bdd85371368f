package com.example.calls;

/** The dependency was reached and said that it can't now: HTTP 503, gRPC UNAVAILABLE. */
public class UnavailableException extends Exception {
    private static final long serialVersionUID = 1L;

    public UnavailableException(String message) {
        super(message);
    }

    public UnavailableException(String message, Throwable cause) {
        super(message, cause);
    }
}
