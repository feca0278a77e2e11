package engine_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"lightd/observed/blueprint"
	"lightd/observed/engine"
)

// What the engine warns of at a creation is in the log at WARN, and the creation is none the
// less done; without a warning nothing is logged.
func TestWarningsAtCreationAreLogged(t *testing.T) {
	const warning = "Your kernel does not support swap limit capabilities"
	for name, warnings := range map[string]string{"one": `["` + warning + `"]`, "none": `[]`} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Api-Version", "1.41")
				if strings.HasSuffix(r.URL.Path, "/containers/create") {
					w.WriteHeader(http.StatusCreated)
					_, _ = io.WriteString(w, `{"Id":"made","Warnings":`+warnings+`}`)
				}
			}))
			t.Cleanup(server.Close)
			var out bytes.Buffer
			e := newEngine(t, engine.Config{
				Host: "tcp://" + server.Listener.Addr().String(),
				Log:  slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn})),
			})
			id, got, err := e.Create(t.Context(), blueprint.Blueprint{Name: "lightd-a"})
			if err != nil || id != "made" {
				t.Fatalf("created %q, %v", id, err)
			}
			if want := name == "one"; (len(got) == 1 && got[0] == warning) != want || !want && len(got) > 0 {
				t.Errorf("warnings %q", got)
			}
			if logged := strings.Contains(out.String(), warning); logged != (name == "one") {
				t.Errorf("the log is %q", out.String())
			}
		})
	}
}
