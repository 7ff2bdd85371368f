/** What clients do by themselves, as it was designed. */
export const SERVICE_CONFIG = JSON.stringify({
  "loadBalancingConfig": [
    {
      "round_robin": {}
    }
  ],
  "methodConfig": [
    {
      "name": [
        {
          "service": "acme.orders.v1.OrderService",
          "method": "GetOrder"
        }
      ],
      "timeout": "0.300000000s",
      "retryPolicy": {
        "maxAttempts": 3,
        "initialBackoff": "0.030000000s",
        "maxBackoff": "0.300000000s",
        "backoffMultiplier": 2.0,
        "retryableStatusCodes": [
          "UNAVAILABLE"
        ]
      }
    },
    {
      "name": [
        {
          "service": "acme.orders.v1.OrderService",
          "method": "PlaceOrder"
        }
      ],
      "timeout": "2s",
      "retryPolicy": {
        "maxAttempts": 3,
        "initialBackoff": "0.200000000s",
        "maxBackoff": "2s",
        "backoffMultiplier": 2.0,
        "retryableStatusCodes": [
          "UNAVAILABLE"
        ]
      }
    },
    {
      "name": [
        {
          "service": "acme.orders.v1.OrderService",
          "method": "ListOrders"
        }
      ],
      "timeout": "1s",
      "retryPolicy": {
        "maxAttempts": 3,
        "initialBackoff": "0.100000000s",
        "maxBackoff": "1s",
        "backoffMultiplier": 2.0,
        "retryableStatusCodes": [
          "UNAVAILABLE"
        ]
      }
    },
    {
      "name": [
        {
          "service": "acme.orders.v1.OrderService",
          "method": "WatchOrder"
        }
      ],
      "timeout": "30s",
      "retryPolicy": {
        "maxAttempts": 3,
        "initialBackoff": "1s",
        "maxBackoff": "8s",
        "backoffMultiplier": 2.0,
        "retryableStatusCodes": [
          "UNAVAILABLE"
        ]
      }
    }
  ],
  "retryThrottling": {
    "maxTokens": 10,
    "tokenRatio": 0.1
  },
  "healthCheckConfig": {
    "serviceName": "acme.orders.v1.OrderService"
  }
});
