// A small HTTP service.
package main

import (
	"log"

	"example.com/hello/internal/service"
)

func main() {
	log.Fatal(service.Serve())
}
