// Package service answers the example's requests.
package service

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/go-chi/chi/v5"
)

// Handler is the whole service: a greeting, the time in a zone, and what the
// image holds that a program on an empty file system easily misses.
func Handler() http.Handler {
	router := chi.NewRouter()
	router.Get("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "Hello from Go")
	})
	router.Get("/time/{area}/{city}", func(w http.ResponseWriter, r *http.Request) {
		zone, err := time.LoadLocation(chi.URLParam(r, "area") + "/" + chi.URLParam(r, "city"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		fmt.Fprintln(w, time.Now().In(zone).Format(time.RFC3339))
	})
	router.Get("/health", func(w http.ResponseWriter, r *http.Request) {
		certificates := 0
		if pool, err := x509.SystemCertPool(); err == nil {
			certificates = len(pool.Subjects()) //nolint:staticcheck // a count is all we want
		}
		json.NewEncoder(w).Encode(map[string]int{"uid": os.Getuid(), "certificates": certificates})
	})
	return router
}

// Serve listens on the port that the environment names, or 8080.
func Serve() error {
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	fmt.Println("listening on", port)
	return http.ListenAndServe(":"+port, Handler())
}
