// A small HTTP service.
package main

import (
	"log"

	"example.com/greeting/internal/greeting"
)

func main() {
	log.Fatal(greeting.Serve())
}
