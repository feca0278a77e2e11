package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// watch is what arrives over the WebSocket of one container, in order.
type watch struct {
	out      *report
	conn     *websocket.Conn
	messages <-chan message
	stuck    func(context.Context) error
	partial  string   // of a console line
	last     []string // of its lines
}

const (
	// glance is how often a wait looks whether it is in vain.
	glance = time.Second
	// kept is how many lines of the console are kept for the case of a failure.
	kept = 8
)

// meanings says what an event without words of its own tells.
var meanings = map[string]string{
	"Started":              "the installation began",
	"CreatingContainer":    "asked of Docker",
	"RunningInstallScript": "apt-get update, apt-get install -y curl",
	"SettingUpEntrypoint":  "entrypoint.sh with the startup command",
	"Ready":                "installed, ready to start",
	"Starting":             "the process is asked to start",
	"Running":              "the start pattern has matched",
	"RebindStarted":        "the spec names other ports",
	"RemovingOldContainer": "its ports cannot be changed in place",
	"Deleted":              "gone from Docker and from the database",
}

// event prints what arrives until an event of the type does.
func (w *watch) event(ctx context.Context, kind string, limit time.Duration) (message, error) {
	return w.until(ctx, "the event "+kind, limit, func(m message) bool { return m.Event == "lifecycle" && m.Type == kind })
}

// console waits for a line of the program that begins with one of the prefixes.
func (w *watch) console(ctx context.Context, prefixes []string, limit time.Duration) (string, error) {
	var line string
	what := fmt.Sprintf("a console line that begins with %q", prefixes)
	_, err := w.until(ctx, what, limit, func(m message) bool {
		for _, l := range m.lines {
			if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(l, p) }) {
				line = l
			}
		}
		return line != ""
	})
	return line, err
}

// until prints lifecycle events until done says that it is enough.
func (w *watch) until(ctx context.Context, what string, limit time.Duration, done func(message) bool) (message, error) {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	look := time.NewTicker(glance)
	defer look.Stop()
	for {
		select {
		case m, open := <-w.messages:
			if !open {
				return m, errors.New("the WebSocket is closed")
			}
			if m.err != nil {
				return m, fmt.Errorf("waiting for %s: the WebSocket ended: %w", what, m.err)
			}
			m.lines = w.split(m)
			if err := w.show(m); err != nil {
				return m, err
			}
			if done(m) {
				return m, nil
			}
		case <-look.C:
			if err := w.stuck(ctx); err != nil {
				return message{}, fmt.Errorf("waiting for %s: %w", what, err)
			}
		case <-deadline.C:
			return message{}, fmt.Errorf("%s did not come within %s", what, limit)
		case <-ctx.Done():
			return message{}, ctx.Err()
		}
	}
}

// split returns the lines that a console message completes.
func (w *watch) split(m message) []string {
	if m.Event != "console" {
		return nil
	}
	lines := strings.Split(w.partial+m.Data, "\n")
	w.partial = lines[len(lines)-1]
	lines = lines[:len(lines)-1]
	for i, l := range lines {
		lines[i] = strings.TrimSpace(l)
	}
	w.last = append(w.last, lines...)
	w.last = w.last[max(0, len(w.last)-kept):]
	return lines
}

func (w *watch) show(m message) error {
	switch {
	case m.Event == "lifecycle":
		text := m.Message
		if text == "" {
			text = meanings[m.Type]
		}
		w.out.line(m.at, "", m.Type, text)
		if m.Type == "Error" {
			return fmt.Errorf("the daemon reports an error: %s", m.Message)
		}
	case m.Event == "daemon_message" && strings.HasPrefix(m.Data, "Error: "):
		return errors.New("the WebSocket answers: " + m.Data)
	}
	return nil
}
