package harness

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"
)

// Daemon is a process of "lightd serve".
type Daemon struct {
	Cmd *exec.Cmd
	// Exited is closed when the process has ended.
	Exited chan struct{}
	// URL is the first address at which it accepts requests.
	URL string
}

// NewDaemon returns the daemon that a command will be.
func NewDaemon(cmd *exec.Cmd) *Daemon { return &Daemon{Cmd: cmd, Exited: make(chan struct{})} }

var accepts = regexp.MustCompile(`^lightd \S+ accepts requests on (http://[^ ,]+)(, https://.*)?$`)

// Start returns when the daemon accepts requests. After an error it may run, unless Exited is closed.
func (d *Daemon) Start() error {
	stdout, err := d.Cmd.StdoutPipe()
	if err == nil {
		err = d.Cmd.Start()
	}
	if err != nil {
		close(d.Exited)
		return fmt.Errorf("start the daemon: %w", err)
	}
	first := make(chan string, 1)
	go func() {
		lines := bufio.NewReader(stdout)
		line, _ := lines.ReadString('\n')
		first <- strings.TrimSpace(line)
		_, _ = io.Copy(io.Discard, lines)
		_ = d.Cmd.Wait()
		close(d.Exited)
	}()
	select {
	case line := <-first:
		match := accepts.FindStringSubmatch(line)
		if match == nil {
			return fmt.Errorf("the daemon printed %q on its standard output", line)
		}
		d.URL = match[1]
		return nil
	case <-time.After(Patience):
		return errors.New("the daemon accepts no requests")
	}
}

// End sends a signal to the daemon and waits until it has ended. An exit code is no error after SIGKILL alone.
func (d *Daemon) End(sig os.Signal) error {
	if d.Cmd.Process == nil {
		return nil // it was never started
	}
	if err := d.Cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send a signal to the daemon: %w", err)
	}
	select {
	case <-d.Exited:
	case <-time.After(Patience):
		return fmt.Errorf("the daemon did not end after %s", sig)
	}
	if code := d.Cmd.ProcessState.ExitCode(); code != 0 && sig != os.Kill {
		return fmt.Errorf("the daemon ended with exit code %d after %s", code, sig)
	}
	return nil
}
