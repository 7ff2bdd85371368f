// Takes an object from standard input, as JSON, and tells what is wrong with it by the rules of Istio's own webhook; of
// the Gateway API's, by its own types.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	networking "istio.io/api/networking/v1alpha3"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/validation"
	"istio.io/istio/pkg/util/protomarshal"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
)

type object struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     json.RawMessage
}

func check(found object) error {
	of := config.Config{Meta: config.Meta{Name: found.Metadata.Name, Namespace: "default"}}
	var warning error
	var err error
	switch found.Kind {
	case "VirtualService":
		spec := &networking.VirtualService{}
		if err := protomarshal.ApplyJSONStrict(string(found.Spec), spec); err != nil {
			return err
		}
		of.Spec = spec
		warning, err = validation.ValidateVirtualService(of)
	case "DestinationRule":
		spec := &networking.DestinationRule{}
		if err := protomarshal.ApplyJSONStrict(string(found.Spec), spec); err != nil {
			return err
		}
		of.Spec = spec
		warning, err = validation.ValidateDestinationRule(of)
	case "HTTPRoute":
		decoder := json.NewDecoder(bytes.NewReader(found.Spec))
		decoder.DisallowUnknownFields()
		err = decoder.Decode(&gateway.HTTPRouteSpec{})
	default:
		return fmt.Errorf("no kind %q is known here", found.Kind)
	}
	if err != nil {
		return err
	}
	return warning
}

func main() {
	found := object{}
	err := json.NewDecoder(os.Stdin).Decode(&found)
	if err == nil {
		err = check(found)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
