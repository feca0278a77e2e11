package health

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"syscall"
	"time"

	"lightd/desired"
	"lightd/observed"
)

// class are the probes that share a bound.
type class int

const (
	connections class = iota
	commands
)

// rooms are how many probes of each class are under way at most.
var rooms = map[class]int{connections: 64, commands: 8}

// verdict is what a probe has found.
type verdict int

const (
	// inconclusive: the process could not be asked.
	inconclusive verdict = iota
	passed
	failed
)

// found is what a probe has found, and why it failed.
type found struct {
	verdict verdict
	message string
}

// Executor runs commands in containers; the engine does.
type Executor interface {
	// Exec returns the exit code of a command that has ended. One that outlives ctx is killed. An error says
	// nothing of the command.
	Exec(ctx context.Context, containerID string, command ...string) (exitCode int, ended bool, err error)
}

// probe is one check of one container.
type probe struct {
	containerID string
	address     netip.Addr
	// One of these says what is done.
	tcp     int
	http    *desired.HTTPCheck
	command []string
}

// probeOf returns how a container is probed; false where that is not known, or there is nothing to do.
func probeOf(check desired.Health, c *observed.Container, image observed.Image) (probe, bool) {
	p := probe{containerID: c.ContainerID}
	switch {
	case check.Command != "":
		p.command = []string{"/bin/sh", "-c", check.Command}
		return p, true
	case check.Image:
		p.command = imageCommand(image.Healthcheck)
		return p, p.command != nil
	}
	var err error
	p.address, err = netip.ParseAddr(c.Address)
	p.tcp, p.http = check.TCP, check.HTTP
	return p, err == nil
}

// imageCommand is the command of a HEALTHCHECK as Docker words it.
func imageCommand(test []string) []string {
	switch {
	case len(test) == 2 && test[0] == "CMD-SHELL":
		return []string{"/bin/sh", "-c", test[1]}
	case len(test) > 1 && test[0] == "CMD":
		return test[1:]
	}
	return nil
}

func (p probe) class() class {
	if p.command != nil {
		return commands
	}
	return connections
}

// same reports whether p and other, of the same run and check, do the same.
func (p probe) same(other probe) bool {
	return p.address == other.address && slices.Equal(p.command, other.command)
}

// run probes once within timeout.
func (p probe) run(ctx context.Context, timeout time.Duration, exec Executor) found {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var err error
	switch {
	case p.command != nil:
		return p.execute(ctx, timeout, exec)
	case p.http != nil:
		err = p.request(ctx)
	default:
		err = p.connect(ctx)
	}
	switch {
	case err == nil:
		return found{verdict: passed}
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return found{failed, fmt.Sprintf("%s: no answer within %s", p.target(), timeout)}
	case ctx.Err() != nil:
		return found{}
	}
	return found{failed, p.target() + ": " + reason(err)}
}

// target names what a connection goes to.
func (p probe) target() string {
	if p.http != nil {
		return fmt.Sprintf("GET :%d%s", p.http.Port, p.http.Path)
	}
	return fmt.Sprintf("port %d", p.tcp)
}

// reason is an error of a connection without the addresses, which change with each run.
func reason(err error) string {
	var refused syscall.Errno
	if errors.As(err, &refused) {
		return refused.Error()
	}
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err
	}
	return err.Error()
}

func (p probe) execute(ctx context.Context, timeout time.Duration, exec Executor) found {
	code, ended, err := exec.Exec(ctx, p.containerID, p.command...)
	switch {
	case err != nil, !ended && !errors.Is(ctx.Err(), context.DeadlineExceeded):
		return found{}
	case !ended:
		return found{failed, fmt.Sprintf("the command did not end within %s", timeout)}
	case code != 0:
		return found{failed, fmt.Sprintf("the command ended with exit code %d", code)}
	}
	return found{verdict: passed}
}

func (p probe) connect(ctx context.Context) error {
	conn, err := dialer.DialContext(ctx, "tcp", netip.AddrPortFrom(p.address, uint16(p.tcp)).String())
	if err != nil {
		return err
	}
	return conn.Close()
}

// dialer opens the connections of probes: none lasts long enough for keep-alives, whose settings cost as much as all else.
var dialer = &net.Dialer{KeepAlive: -1}

// client asks containers. It keeps no connection, and speaks HTTP/1.1 alone.
var client = newClient()

func newClient() *http.Client {
	transport := &http.Transport{
		DialContext: dialer.DialContext, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxHead,
		Protocols: new(http.Protocols),
	}
	transport.Protocols.SetHTTP1(true)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// maxHead bounds the head of an answer, in bytes. Nothing of its body is read.
const maxHead = 16 << 10

func (p probe) request(ctx context.Context) error {
	host := net.JoinHostPort(p.address.String(), strconv.Itoa(p.http.Port))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+p.http.Path, http.NoBody)
	if err != nil {
		return err
	}
	request.Header.Set("User-Agent", "lightd-health")
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	_ = answer.Body.Close() // the status is all that counts
	switch status := answer.StatusCode; {
	case p.http.Expect != 0 && status != p.http.Expect:
		return fmt.Errorf("status %d instead of %d", status, p.http.Expect)
	case p.http.Expect == 0 && (status < 200 || status > 399):
		return fmt.Errorf("status %d", status)
	}
	return nil
}
