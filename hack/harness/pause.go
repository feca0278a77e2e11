package harness

import "strings"

// Pause makes a call that pauses a container, and repeats it where runc has given up: on the freezer of
// cgroup v1 it fails with "unable to freeze" on a busy machine.
func Pause(call func() error) error {
	for range 20 {
		if err := call(); err == nil || !strings.Contains(err.Error(), "unable to freeze") {
			return err
		}
	}
	return call()
}
