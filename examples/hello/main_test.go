package main

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestGreeting(t *testing.T) {
	answer := httptest.NewRecorder()
	routes().ServeHTTP(answer, httptest.NewRequest("GET", "/?name=kezuri", nil))
	if answer.Code != 200 || !strings.Contains(answer.Body.String(), "hello, kezuri") {
		t.Fatalf("%d %s", answer.Code, answer.Body)
	}
}
