// Takes one of Consul's config entries from standard input and prints what its own types make of it.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/hashicorp/consul/api"
)

func main() {
	text, err := io.ReadAll(os.Stdin)
	if err == nil {
		var entry api.ConfigEntry
		if entry, err = api.DecodeConfigEntryFromJSON(text); err == nil {
			err = json.NewEncoder(os.Stdout).Encode(entry)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
