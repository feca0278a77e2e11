package program

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"lightd/hack/eventually"
)

// TestStop: SIGTERM ends a process, which has its variables, and an exit code other than 0 is an error
// with the end of the log.
func TestStop(t *testing.T) {
	for code, script := range map[string]string{
		"":              `trap 'kill $!; exit 0' TERM; echo $WORD; sleep 60 & wait`,
		"exit status 3": `trap 'kill $!; echo last; exit 3' TERM; echo $WORD; sleep 60 & wait`,
	} {
		p, err := Start(filepath.Join(t.TempDir(), "log"), []string{"WORD=ready"}, "sh", "-c", script)
		if err != nil {
			t.Fatal(err)
		}
		eventually.Poll(t, func() error {
			if !strings.Contains(p.Tail(), "ready") {
				return errors.New("the trap is not set")
			}
			return nil
		})
		err = p.Stop()
		if (err == nil) != (code == "") || err != nil && (!strings.Contains(err.Error(), code) || !strings.Contains(err.Error(), "last")) {
			t.Errorf("want %q, got %v", code, err)
		}
	}
}

func TestKill(t *testing.T) {
	p, err := Start(filepath.Join(t.TempDir(), "log"), nil, "sleep", "60")
	if err != nil {
		t.Fatal(err)
	}
	p.Kill()
	if p.cmd.ProcessState == nil {
		t.Error("the process runs on")
	}
}
