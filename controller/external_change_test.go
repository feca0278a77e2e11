package controller_test

import (
	"net/http/httptest"
	"strings"

	"lightd/hack/simengine"
)

// byExternal has the engine do something, past the daemon, and returns its answer.
func byExternal(sim *simengine.Sim, method, path, body string) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	sim.ServeHTTP(answer, httptest.NewRequest(method, "http://engine"+path, strings.NewReader(body)))
	return answer
}
