package controller_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/harness"
	"lightd/observed/status"
)

// saver is a program that needs two seconds to save when it is signalled to end.
const saver = `#!/bin/sh
trap 'sleep 2; echo saved > saved; exit 0' TERM
touch up
while :; do sleep 1; done
`

// TestEngineNothingIsCutOff: at a stop, what still saves is let, however the startup command
// runs it, and the stop does not take longer than that.
func TestEngineNothingIsCutOff(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	debian := harness.Debian()
	commands := map[string]string{
		"program":          "./save",
		"script":           "./run.sh",
		"shell":            "sh run.sh",
		"exec":             "exec ./run.sh",
		"background":       "./save & wait",
		"beside":           "./save & sleep 1000",
		"and":              "true && ./save && echo done",
		"pipeline":         "./save | cat",
		"function":         "serve() { ./save; }; serve",
		"strict":           "set -euf; ./save & wait",
		"subshell":         "(./save &); sleep 1000",
		"own-trap":         "trap 'echo bye' TERM; ./save & wait",
		"other-session":    "setsid ./save & sleep 1000",
		"script-that-wait": "./wait.sh",
	}
	files := map[string]string{"save": saver, "run.sh": "#!/bin/sh\n./save\n", "wait.sh": "#!/bin/sh\n./save &\nwait\n"}
	volumes := map[string]string{}
	for name, command := range commands {
		for _, image := range []string{harness.Busybox(), debian} {
			for _, init := range []bool{true, false} {
				if image == debian && (!init || name == "program" || name == "exec" || name == "and" || name == "function") {
					continue // the shells are what differs
				}
				id := fmt.Sprintf("%s-%s-%t", name, strings.TrimSuffix(filepath.Base(image), ":latest"), init)
				c := n.create(id, func(s *desired.Spec) {
					s.Image, s.Init, s.StartupCommand = image, init, command
				})
				volumes[id] = n.volumes.Path(c.VolumeID)
				for file, text := range files {
					if err := os.WriteFile(filepath.Join(volumes[id], file), []byte(text), 0o755); err != nil {
						t.Fatal(err)
					}
				}
				n.change(id, requestStart)
			}
		}
	}
	for id, volume := range volumes {
		n.wait(id, "up", func(status.Status) bool {
			_, err := os.Stat(filepath.Join(volume, "up"))
			return err == nil
		})
	}
	for id := range volumes {
		n.change(id, func(c *desired.Container) {
			requestStop(c)
			c.Stop.Timeout = desired.Duration(time.Minute) // the machine may be busy
		})
	}
	for id, volume := range volumes {
		st := n.waitState(id, status.StateOffline)
		_, err := os.Stat(filepath.Join(volume, "saved"))
		if messages := n.messages(id, "Stopping"); err != nil || len(messages) != 1 {
			t.Errorf("%s: %v; exit code %d; %q", id, err, st.LastExit.Code, messages)
		}
	}
}
