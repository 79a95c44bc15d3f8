// Package greeting answers every request with a numbered greeting.
package greeting

import (
	"fmt"
	"net/http"
	"os"

	"github.com/google/uuid"
)

// Serve listens on port 8080.
func Serve() error {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Hello from Go, request %s, user %d\n", uuid.NewString(), os.Getuid())
	})
	return http.ListenAndServe(":8080", nil)
}
