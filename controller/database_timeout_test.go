package controller

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"lightd/controller/datadir"
	"lightd/controller/plan"
	"lightd/desired"
	"lightd/desired/store"
	"lightd/observed/journal"
	"lightd/observed/records"
	"lightd/observed/status"
)

// recording is a controller that has nothing but a database and files.
func recording(t *testing.T, dir string) *Controller {
	t.Helper()
	s, err := store.Open(filepath.Join(dir, "db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	statuses, err := records.OpenStatuses(s.DB)
	if err != nil {
		t.Fatal(err)
	}
	events, err := records.OpenJournal(s.DB)
	if err != nil {
		t.Fatal(err)
	}
	data, err := datadir.Open(filepath.Join(dir, "containers"))
	if err != nil {
		t.Fatal(err)
	}
	c := New(Config{
		Stores: Stores{Store: s, Statuses: statuses, Journal: events}, Docker: Docker{EngineHealth: &fakeEngineHealth{}},
		Host: Host{Data: data}, Log: slog.New(slog.DiscardHandler),
	})
	t.Cleanup(c.Close)
	return c
}

// TestEventsAreRecordedThoughTheStatusStays as it was.
func TestEventsAreRecordedThoughTheStatusStays(t *testing.T) {
	c := recording(t, t.TempDir())
	st := status.Status{InternalID: "a"}
	d := plan.Decision{Status: st, Events: []journal.Event{{InternalID: "a", Type: journal.LimitsUpdated}}}
	if err := c.record(t.Context(), st, d, keyState{}); err != nil {
		t.Fatal(err)
	}
	if page, _, err := c.cfg.Journal.Page("a", 0, 10); err != nil || types(page) != "LimitsUpdated" {
		t.Errorf("recorded %q, %v", types(page), err)
	}
}

// TestDatabaseThatDoesNotAnswer blocks no call for longer than DatabaseTimeout.
func TestDatabaseThatDoesNotAnswer(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := recording(t, dir)
		for name, write := range map[string]func() error{
			"a status":   func() error { return c.commit(t.Context(), status.Status{InternalID: "a"}, nil) },
			"a sighting": func() error { return c.recordEngineHealth(t.Context()) },
			"an end": func() error {
				a := &execution{executor: c.executor, log: slog.New(slog.DiscardHandler), spec: desired.Container{Spec: desired.Spec{InternalID: "a"}}}
				return a.finalize(t.Context())
			},
		} {
			blocked, answers := make(chan struct{}), make(chan struct{})
			go c.cfg.Store.Update(context.Background(), func(*store.Tx) error { close(blocked); <-answers; return nil })
			<-blocked
			late := time.AfterFunc(time.Hour, func() { close(answers) })
			began := time.Now()
			if err := write(); !errors.Is(err, desired.ErrUnavailable) || time.Since(began) != c.cfg.DatabaseTimeout {
				t.Errorf("%s: %v after %s", name, err, time.Since(began))
			}
			if late.Stop() {
				close(answers)
			}
		}
	})
}
