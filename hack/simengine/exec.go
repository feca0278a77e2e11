package simengine

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
)

// execution is a command that runs in a container beside its program.
type execution struct {
	id      string
	box     *box
	command []string
	options container.ExecOptions
	started bool
	running bool
	code    *int
	in      *input
}

func (s *Sim) createExec(c *call) (answer, error) {
	var options container.ExecOptions
	if err := c.decode(&options); err != nil {
		return answer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	target, err := s.findLocked(c.id)
	switch {
	case err != nil:
		return answer{}, err
	case len(options.Cmd) == 0:
		return answer{}, refuse(http.StatusBadRequest, "No exec command specified")
	case !target.running:
		return answer{}, refuse(http.StatusConflict, "Container %s is not running", target.id)
	case target.paused:
		return answer{}, refuse(http.StatusConflict, "Container %s is paused, unpause the container before exec", target.name)
	}
	e := &execution{
		id: s.newIDLocked(), box: target, command: options.Cmd, options: options,
		in: &input{chunks: make(chan []byte), ended: make(chan struct{})},
	}
	s.execs[e.id] = e
	s.emitExec(e, "exec_create: "+strings.Join(e.command, " "), nil)
	return answer{http.StatusCreated, map[string]string{"Id": e.id}}, nil
}

func (s *Sim) emitExec(e *execution, action string, more map[string]string) {
	attributes := map[string]string{"execID": e.id}
	for k, v := range more {
		attributes[k] = v
	}
	s.emitLocked(e.box, action, attributes)
}

func (s *Sim) startExec(c *call) (answer, error) {
	var options container.ExecStartOptions
	if err := c.decode(&options); err != nil {
		return answer{}, err
	}
	s.mu.Lock()
	e := s.execs[c.id]
	if err := s.beginExecLocked(e, c.id); err != nil {
		s.mu.Unlock()
		return answer{}, err
	}
	out := &output{limit: s.options.LogBytes, readers: map[*reader]struct{}{}}
	out.begin()
	_, follow, leave := out.follow(false, false)
	defer leave()
	if options.Detach {
		leave()
	}
	s.runExecLocked(e, out)
	tty := e.options.Tty
	s.mu.Unlock()
	if options.Detach {
		return answer{status: http.StatusOK}, nil
	}
	st, input, release, err := s.hijack(c)
	if err != nil {
		return streamed, nil
	}
	defer release()
	s.work.Go(func() {
		if e.options.AttachStdin {
			e.feed(st.ctx, input)
		}
		st.untilClosed(input)
	})
	follow.each(st.ctx, func(ch chunk) error { return frame(st.conn, tty, ch.stream, ch.data) })
	return streamed, nil
}

// beginExecLocked marks an exec as started, if it may be. The caller holds the lock.
func (s *Sim) beginExecLocked(e *execution, id string) error {
	switch {
	case e == nil:
		return refuse(http.StatusNotFound, "No such exec instance: %s", id)
	case !e.box.running:
		return refuse(http.StatusConflict, "Container %s is not running", e.box.id)
	case e.started:
		return refuse(http.StatusConflict, "Error: Exec command %s has already run", e.id)
	}
	e.started, e.running = true, true
	s.emitExec(e, "exec_start: "+strings.Join(e.command, " "), nil)
	return nil
}

// feed passes on what the client writes, and its end. No line discipline is between, not of a terminal either.
func (e *execution) feed(ctx context.Context, from io.Reader) {
	defer e.in.close()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if n > 0 {
			select {
			case e.in.chunks <- bytes.Clone(b[:n]):
			case <-ctx.Done():
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// resizeExec takes the size of the terminal of an exec, which nothing here has.
func (s *Sim) resizeExec(c *call) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e := s.execs[c.id]; {
	case e == nil:
		return answer{}, refuse(http.StatusNotFound, "No such exec instance: %s", c.id)
	case !e.running:
		return answer{}, refuse(http.StatusInternalServerError, "cannot resize a stopped container: unknown")
	}
	return answer{status: http.StatusOK}, nil
}

// signalsAll is a command that signals every process but the first one and itself.
var signalsAll = regexp.MustCompile(`kill -s "?(\$0|[A-Z0-9]+)"? -1`)

// runExecLocked runs the program for an exec. One without a program ends at once, and delivers its
// signal if it is a "kill" of all processes. The caller holds the lock.
func (s *Sim) runExecLocked(e *execution, out *output) {
	if program := s.programOfLocked(e.box, e.command); program != nil && s.ownExec(e) {
		p := s.newProcess(e.box, out, e.in)
		p.tty = e.options.Tty
		p.end = func(code int, _ bool) { s.endExecLocked(e, out, code) }
		s.work.Go(func() { p.run(program) })
		return
	}
	s.endExecLocked(e, out, 0)
	line := strings.Join(e.command, " ")
	if m := signalsAll.FindStringSubmatch(line); m != nil {
		name := m[1]
		if name == "$0" {
			name = e.command[len(e.command)-1]
		}
		if sig := signalNumber(name); sig > 0 {
			s.deliverLocked(e.box, sig, true)
		}
	}
}

// ownExec reports whether a rule names the command of an exec, rather than the image of
// its container.
func (s *Sim) ownExec(e *execution) bool {
	line := strings.Join(e.command, " ")
	for _, r := range s.programs {
		if r.command != "" && strings.Contains(line, r.command) {
			return true
		}
	}
	return false
}

// endExecLocked ends an exec. The caller holds the lock.
func (s *Sim) endExecLocked(e *execution, out *output, code int) {
	e.running, e.code = false, &code
	out.end(s.now())
	if e.box.running {
		s.emitExec(e, "exec_die", map[string]string{"exitCode": strconv.Itoa(code)})
	}
}

func (s *Sim) inspectExec(c *call) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.execs[c.id]
	if e == nil {
		return answer{}, refuse(http.StatusNotFound, "No such exec instance: %s", c.id)
	}
	return answer{http.StatusOK, map[string]any{
		"ID": e.id, "Running": e.running, "ExitCode": e.code, "ContainerID": e.box.id, "Pid": 0,
		"OpenStdin": e.options.AttachStdin, "OpenStdout": e.options.AttachStdout, "OpenStderr": e.options.AttachStderr,
		"ProcessConfig": map[string]any{
			"tty": e.options.Tty, "entrypoint": e.command[0], "arguments": e.command[1:], "privileged": false,
		},
	}}, nil
}
