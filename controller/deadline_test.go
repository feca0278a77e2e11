package controller

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"lightd/controller/datadir"
	"lightd/desired"
	"lightd/desired/store"
	"lightd/observed/records"
	"lightd/observed/status"
)

// TestDatabaseThatDoesNotAnswer holds nobody for longer than DatabaseTimeout.
func TestDatabaseThatDoesNotAnswer(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, err := store.Open(dir+"/db", store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		statuses, err := records.OpenStatuses(s)
		if err != nil {
			t.Fatal(err)
		}
		journal, err := records.OpenJournal(s)
		if err != nil {
			t.Fatal(err)
		}
		data, err := datadir.Open(dir + "/containers")
		if err != nil {
			t.Fatal(err)
		}
		c := New(Config{Store: s, Statuses: statuses, Journal: journal, Data: data, Sightings: &toldSightings{}, Log: slog.New(slog.DiscardHandler)})
		defer c.Close()
		for name, write := range map[string]func() error{
			"a status":   func() error { return c.record(t.Context(), status.Status{InternalID: "a"}, nil, nil) },
			"a sighting": func() error { return c.recordSight(t.Context()) },
			"an end": func() error {
				a := &act{Controller: c, spec: desired.Container{Spec: desired.Spec{InternalID: "a"}}}
				return a.finalize(t.Context())
			},
		} {
			asked, answers := make(chan struct{}), make(chan struct{})
			go s.Update(context.Background(), func(*store.Tx) error { close(asked); <-answers; return nil })
			<-asked
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
