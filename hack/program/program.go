// Package program runs the program that is built, as a process whose log is kept in a file.
package program

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// stopTime bounds what a process may take to end after SIGTERM.
const stopTime = 60 * time.Second

// Process is a process of the program.
type Process struct {
	cmd *exec.Cmd
	log *os.File
}

// Start runs a program with more variables in its environment. What it prints is appended to the file
// log. It ends with the process that started it, at the latest.
func Start(log string, env []string, name string, args ...string) (*Process, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make log: %w", err)
	}
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = file, file
	// Ctrl-C reaches the parent alone, which stops the process itself.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		file.Close()
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return &Process{cmd, file}, nil
}

// PID is the id of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Stop ends the process as an operator does. An exit code other than 0 is an error.
func (p *Process) Stop() error {
	defer p.log.Close()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	hard := time.AfterFunc(stopTime, func() { _ = p.cmd.Process.Kill() })
	defer hard.Stop()
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("stop %s: %w; its log ends:\n%s", p.cmd.Path, err, p.Tail())
	}
	return nil
}

// Kill ends the process by SIGKILL, and returns when it has ended.
func (p *Process) Kill() {
	defer p.log.Close()
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// Tail is the end of the log.
func (p *Process) Tail() string {
	data, err := os.ReadFile(p.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-2000):])
}
