package httpapi

import (
	"context"
	"io"
	"net/http"
	"testing"

	"lightd/httpapi/node"
)

// TestBackups: one at a time, and one that fails has no end.
func TestBackups(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan error)
	n := newNode(t, func(cfg *config) {
		cfg.Backup = func(_ context.Context, to io.Writer, volumes bool) error {
			if _, err := io.WriteString(to, "part"); err != nil {
				return err
			}
			begun <- struct{}{}
			return <-goOn
		}
	})
	type result struct {
		text string
		err  error
	}
	make1 := func() chan result {
		done := make(chan result, 1)
		go func() {
			request, _ := http.NewRequestWithContext(t.Context(), "POST", n.url+"/backup?volumes=true", nil)
			request.Header.Set("Authorization", "Bearer "+masterToken)
			answer, err := n.client.Do(request)
			if err != nil {
				done <- result{err: err}
				return
			}
			defer answer.Body.Close()
			text, err := io.ReadAll(answer.Body)
			if answer.Header.Get("Content-Type") != node.MediaBackup {
				t.Errorf("the type is %s", answer.Header.Get("Content-Type"))
			}
			done <- result{string(text), err}
		}()
		<-begun
		return done
	}
	first := make1()
	n.send("POST", "/backup", "").want(t, 409, "Another backup is being made")
	goOn <- nil
	if got := <-first; got.err != nil || got.text != "part" {
		t.Errorf("a backup: %q, %v", got.text, got.err)
	}
	second := make1()
	goOn <- io.ErrClosedPipe
	if got := <-second; got.err == nil {
		t.Errorf("a backup that failed: %q", got.text)
	}
	n.send("POST", "/backup?volumes=1", "").want(t, 400, "volumes")
}
