// Command server answers acme.orders.v1 until it is told to stop.
package main

import (
	"context"
	"flag"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"

	"example.com/orders-api/server"
)

func main() {
	address := flag.String("address", "localhost:50051", "host and port to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("listening on %s", listener.Addr())
	if err := server.Serve(ctx, listener); err != nil {
		log.Fatal(err)
	}
}
