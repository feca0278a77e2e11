package simengine

import (
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/docker/docker/api/types/container"
)

// Program is what runs in a container, in a goroutine of its own. Its context ends when
// the process is killed or its container removed; it should return then. Returning is an
// exit with 0, unless it exited before.
type Program func(ctx context.Context, p *Process)

// programRule is where a program runs.
type programRule struct {
	image, command string
	program        Program
}

// OnImage lets a program run in containers of an image, from their next start on. Without
// any, a container runs without output until it is killed.
func (s *Sim) OnImage(ref string, p Program) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.programs = append(s.programs, programRule{image: ref, program: p})
}

// OnCommand lets a program run in containers whose entrypoint and command, joined by
// blanks, contain a text. The last rule that fits counts.
func (s *Sim) OnCommand(text string, p Program) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.programs = append(s.programs, programRule{command: text, program: p})
}

// programOfLocked returns the program for a command, or nil. The caller holds the lock.
func (s *Sim) programOfLocked(c *box, command []string) Program {
	line := strings.Join(command, " ")
	for _, r := range slices.Backward(s.programs) {
		if r.image == c.image && r.image != "" || r.command != "" && strings.Contains(line, r.command) {
			return r.program
		}
	}
	return nil
}

// Process is a program that runs in a container.
type Process struct {
	sim    *Sim
	box    *box
	ctx    context.Context
	cancel context.CancelFunc
	stdin  *input
	output *output
	tty    bool
	end    func(code int, oom bool) // the caller holds the lock

	once    sync.Once
	signals chan os.Signal // nil until Signals; the lock of the Sim guards it
}

// launchLocked runs the program of a container that was started. The caller holds the lock.
func (s *Sim) launchLocked(c *box) {
	s.outLocked(c).begin()
	if size := c.host.ConsoleSize; c.config.Tty && s.sinceLocked(startsWithSize) {
		c.terminal.rows, c.terminal.cols = int(size[0]), int(size[1])
	}
	program := s.programOfLocked(c, c.command())
	if program == nil {
		return
	}
	p := s.newProcess(c, s.outLocked(c), c.inLocked())
	p.end = func(code int, oom bool) {
		if c.process == p {
			s.exitLocked(c, code, oom)
		}
	}
	c.process = p
	s.work.Go(func() { p.run(program) })
}

func (s *Sim) newProcess(c *box, out *output, in *input) *Process {
	p := &Process{sim: s, box: c, output: out, stdin: in, tty: c.config.Tty}
	p.ctx, p.cancel = context.WithCancel(s.ctx)
	return p
}

func (p *Process) run(program Program) {
	defer p.cancel()
	program(p.ctx, p)
	p.Exit(0)
}

// Name is the name of the container, ID its id.
func (p *Process) Name() string {
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	return p.box.name
}

// ID is the id of the container.
func (p *Process) ID() string { return p.box.id }

// Labels are those of the container.
func (p *Process) Labels() map[string]string { return p.box.config.Labels }

// Command is the entrypoint and the command of the container.
func (p *Process) Command() []string { return p.box.command() }

// Env is the environment of the container, as KEY=value.
func (p *Process) Env() []string { return p.box.config.Env }

// Mounted returns what of the host stands at a path of the container, if anything does.
func (p *Process) Mounted(path string) (source string, ok bool) {
	for _, m := range p.box.mounts() {
		if m.Destination == path {
			return m.Source, true
		}
	}
	return "", false
}

// Stdout returns the standard output. A write waits while an attached client does
// not read, and fails once the process has ended.
func (p *Process) Stdout() io.Writer { return processWriter{p, stdout} }

// Stderr returns the standard error; with a TTY it is the same as Stdout.
func (p *Process) Stderr() io.Writer { return processWriter{p, stderr} }

// Stdin returns the standard input, which ends with the process.
func (p *Process) Stdin() io.Reader { return &processReader{p: p} }

// Signals returns the channel on which signals arrive. Before the first call, signals do
// to the process what they do by default.
func (p *Process) Signals() <-chan os.Signal {
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	if p.signals == nil {
		p.signals = make(chan os.Signal, 16)
	}
	return p.signals
}

// wantsLocked delivers a signal, if the program handles signals. The caller holds the lock.
func (p *Process) wantsLocked(sig syscall.Signal) bool {
	if p.signals == nil {
		return false
	}
	select {
	case p.signals <- sig:
	default: // 16 are pending, as with a real queue that is full
	}
	return true
}

// Exit ends the process with a code. Only the first call counts.
func (p *Process) Exit(code int) { p.finish(code, false) }

// OutOfMemory ends the process as the kernel does when the container is out of memory.
func (p *Process) OutOfMemory() { p.finish(128+sigKill, true) }

func (p *Process) finish(code int, oom bool) {
	p.once.Do(func() {
		p.sim.mu.Lock()
		defer p.sim.mu.Unlock()
		if p.ctx.Err() == nil {
			p.end(code, oom)
		}
	})
}

// Change notes that the process changed a path of the container's file system.
func (p *Process) Change(path string, kind container.ChangeType) {
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	p.box.change(path, kind)
}

type processWriter struct {
	p  *Process
	to streamID
}

// Write implements io.Writer.
func (w processWriter) Write(b []byte) (int, error) {
	to := w.to
	if w.p.tty {
		to, b = stdout, carriage(b)
	}
	if err := w.p.output.write(w.p.ctx, to, b, w.p.sim.now()); err != nil {
		return 0, err
	}
	return len(b), nil
}

// carriage does what a terminal does to line feeds.
func carriage(b []byte) []byte {
	return []byte(strings.ReplaceAll(strings.ReplaceAll(string(b), "\r\n", "\n"), "\n", "\r\n"))
}

type processReader struct {
	p    *Process
	rest []byte
}

// Read implements io.Reader.
func (r *processReader) Read(b []byte) (int, error) {
	if len(r.rest) == 0 {
		select {
		case r.rest = <-r.p.stdin.chunks:
		case <-r.p.stdin.ended:
			select {
			case r.rest = <-r.p.stdin.chunks:
			default:
				return 0, io.EOF
			}
		case <-r.p.ctx.Done():
			return 0, io.EOF
		}
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// input is the standard input of a run.
type input struct {
	chunks chan []byte
	ended  chan struct{}
	once   sync.Once
}

// close ends the input, as the end of an attach does when StdinOnce is set.
func (i *input) close() { i.once.Do(func() { close(i.ended) }) }
