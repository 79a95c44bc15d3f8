// The same service as cmd/server, at the root of the module: two of the
// Dockerfiles build "." and one builds "./cmd/server".
package main

import (
	"log"

	"example.com/hello/internal/service"
)

func main() {
	log.Fatal(service.Serve())
}
