package desired

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// FailureAction decides what follows where the checks of a container fail.
type FailureAction string

// The two values of FailureAction.
const (
	FailureNone    FailureAction = "none"
	FailureRestart FailureAction = "restart"
)

// Health is how it is found out whether the process of a container does its work, by one of TCP, HTTP, Command
// and Image. None of it is a parameter of Docker's: a change recreates nothing.
type Health struct {
	// TCP is a port of the container that must take a connection.
	TCP int `json:"tcp"`
	// HTTP is a request that must be answered.
	HTTP *HTTPCheck `json:"http"`
	// Command is run in the container by /bin/sh, and must end with exit code 0.
	Command string `json:"command"`
	// Image runs the HEALTHCHECK of the image, by the times of this spec.
	Image bool `json:"image"`
	// Every is from the beginning of one check to that of the next, Timeout what one may take, and After how
	// long after the process is running the first one waits.
	Every   Duration `json:"every"`
	Timeout Duration `json:"timeout"`
	After   Duration `json:"after"`
	// Failures is how many checks in a row must fail.
	Failures  int           `json:"failures"`
	OnFailure FailureAction `json:"on_failure"`
}

// HTTPCheck is a GET request to a container.
type HTTPCheck struct {
	Path string `json:"path"`
	Port int    `json:"port"`
	// Expect is the status that it must be answered with; 0 is any from 200 to 399.
	Expect int `json:"expect"`
}

// The defaults of a Health.
const (
	DefaultHealthEvery    = 10 * time.Second
	DefaultHealthTimeout  = 5 * time.Second
	DefaultHealthFailures = 3
)

// Bounds of a Health.
const (
	minHealthEvery    = time.Second
	maxHealthEvery    = time.Hour
	minHealthTimeout  = 100 * time.Millisecond
	maxHealthTimeout  = time.Minute
	maxHealthFailures = 100
	maxHealthPath     = 2 << 10
	maxHealthCommand  = 4 << 10
)

// Equal reports whether h and other are the same; nil is no check.
func (h *Health) Equal(other *Health) bool {
	if h == nil || other == nil {
		return h == other
	}
	a, b := *h, *other
	if a.HTTP != nil && b.HTTP != nil && *a.HTTP == *b.HTTP {
		a.HTTP, b.HTTP = nil, nil
	}
	return a == b
}

// clone returns a copy that shares no memory with h.
func (h *Health) clone() *Health {
	if h == nil {
		return nil
	}
	copied := *h
	if h.HTTP != nil {
		request := *h.HTTP
		copied.HTTP = &request
	}
	return &copied
}

// normalize puts the defaults in the place of what is left out.
func (h *Health) normalize() {
	if h == nil {
		return
	}
	h.Every = cmp.Or(h.Every, Duration(DefaultHealthEvery))
	h.Timeout = cmp.Or(h.Timeout, Duration(DefaultHealthTimeout))
	h.Failures = cmp.Or(h.Failures, DefaultHealthFailures)
	h.OnFailure = cmp.Or(h.OnFailure, FailureNone)
	if h.HTTP != nil {
		h.HTTP.Path = cmp.Or(h.HTTP.Path, "/")
	}
}

func (f *faults) checkHealth(s Spec) {
	h := s.Health
	if h == nil {
		return
	}
	kinds := 0
	for _, given := range []bool{h.TCP != 0, h.HTTP != nil, h.Command != "", h.Image} {
		if given {
			kinds++
		}
	}
	if kinds != 1 {
		f.add("health", "must have one of tcp, http, command and image")
	}
	if s.Network == NetworkNone && (h.TCP != 0 || h.HTTP != nil) {
		f.add("health", "must be a command with network none: nothing reaches a container that has only loopback")
	}
	f.checkHealthTarget(*h)
	f.checkHealthTime("every", h.Every, minHealthEvery, maxHealthEvery)
	f.checkHealthTime("timeout", h.Timeout, minHealthTimeout, maxHealthTimeout)
	f.checkHealthTime("after", h.After, 0, maxHealthEvery)
	if h.Failures < 1 || h.Failures > maxHealthFailures {
		f.add("health.failures", fmt.Sprintf("must be from 1 to %d", maxHealthFailures))
	}
	oneOf(f, "health.on_failure", h.OnFailure, FailureNone, FailureRestart)
	if h.OnFailure == FailureRestart && s.Restart == RestartNever {
		f.add("health.on_failure", "must not be restart with the restart policy never")
	}
}

func (f *faults) checkHealthTarget(h Health) {
	if h.TCP != 0 && (h.TCP < 1 || h.TCP > maxPort) {
		f.add("health.tcp", fmt.Sprintf("must be a port from 1 to %d", maxPort))
	}
	if f.checkText("health.command", h.Command, maxHealthCommand) && h.Command != "" && strings.TrimSpace(h.Command) == "" {
		f.add("health.command", "must not be blank")
	}
	r := h.HTTP
	if r == nil {
		return
	}
	if r.Port < 1 || r.Port > maxPort {
		f.add("health.http.port", fmt.Sprintf("must be a port from 1 to %d", maxPort))
	}
	if r.Expect != 0 && (r.Expect < 200 || r.Expect > 599) {
		f.add("health.http.expect", "must be a status from 200 to 599, or 0 for any from 200 to 399")
	}
	switch bad := func(c rune) bool { return c <= ' ' || c > '~' || c == '#' }; {
	case len(r.Path) > maxHealthPath:
		f.add("health.http.path", fmt.Sprintf("must be at most %d bytes", maxHealthPath))
	case !strings.HasPrefix(r.Path, "/") || strings.ContainsFunc(r.Path, bad):
		f.add("health.http.path", "must begin with a slash, and have neither blanks nor #: others are written as %20")
	default:
		if _, err := url.ParseRequestURI(r.Path); err != nil {
			f.add("health.http.path", "must have two hexadecimal digits after each %: a percent sign is written as %25")
		}
	}
}

func (f *faults) checkHealthTime(field string, d Duration, least, most time.Duration) {
	if time.Duration(d) < least || time.Duration(d) > most {
		f.add("health."+field, fmt.Sprintf("must be from %s to %s", least, most))
	}
}
