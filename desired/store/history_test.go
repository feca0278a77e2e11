package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"lightd/desired"
)

// kept are the generations of a history, the newest first, with what tells their specs apart.
func kept(t *testing.T, s *Store, id string) string {
	t.Helper()
	versions, err := s.History(id)
	must(t, err)
	var list []string
	for _, v := range versions {
		if v.At.IsZero() {
			t.Errorf("generation %d began at no time", v.Generation)
		}
		list = append(list, fmt.Sprintf("%d=%s", v.Generation, v.Spec.StartupCommand))
	}
	return strings.Join(list, " ")
}

// historyKeys are those in the database.
func historyKeys(t *testing.T, s *Store) (keys []string) {
	t.Helper()
	must(t, s.View(func(tx *Tx) error {
		return tx.ScanKeys([]byte(historyPrefix), nil, func(k []byte) bool { keys = append(keys, string(k)); return true })
	}))
	return keys
}

func command(text string) func(*desired.Container) {
	return func(c *desired.Container) { c.StartupCommand = text }
}

// TestHistory keeps the specs of a container over restarts, the last ten, and nothing of one that is gone. Power, suspensions
// and requests make no version, and a write that fails none either.
func TestHistory(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	addVolume(t, s)
	sp := spec("a")
	sp.StartupCommand = "one"
	_, err := s.Create(t.Context(), sp)
	must(t, err)
	if got := kept(t, s, "a"); got != "1=one" || len(historyKeys(t, s)) != 0 {
		t.Errorf("created: %s, %v", got, historyKeys(t, s))
	}
	change(t, s, "a", func(c *desired.Container) { c.Power = desired.PowerRunning })
	change(t, s, "a", func(c *desired.Container) { c.Requests.Restart++; c.Suspended = true })
	change(t, s, "a", command("two"))
	change(t, s, "a", func(c *desired.Container) { c.Power = desired.PowerStopped })
	_, err = s.Change(t.Context(), "a", func(c *desired.Container) error { c.StartupCommand = ""; return nil })
	if err == nil {
		t.Error("an empty command is taken")
	}
	if got := kept(t, s, "a"); got != "4=two 1=one" {
		t.Errorf("changed: %s", got)
	}
	for i := range 12 {
		change(t, s, "a", command(fmt.Sprint("more ", i)))
	}
	must(t, s.Close())
	s = open(t, dir, Options{})
	const want = "17=more 11 16=more 10 15=more 9 14=more 8 13=more 7 12=more 6 11=more 5 10=more 4 9=more 3 8=more 2"
	if got := kept(t, s, "a"); got != want || len(historyKeys(t, s)) != maxSpecs-1 {
		t.Errorf("after many: %s, %v", got, historyKeys(t, s))
	}
	_, err = s.History("b")
	wantErr(t, err, desired.ErrContainerNotFound)
	change(t, s, "a", func(c *desired.Container) { c.Deleting = true })
	if got := kept(t, s, "a"); got != want {
		t.Errorf("being deleted: %s", got)
	}
	must(t, s.Update(t.Context(), func(tx *Tx) error { return tx.RemoveContainer("a") }))
	if keys := historyKeys(t, s); len(keys) > 0 {
		t.Errorf("left of a container that is gone: %v", keys)
	}
	_, err = s.Create(t.Context(), sp)
	must(t, err)
	if got := kept(t, s, "a"); got != "1=one" {
		t.Errorf("created again: %s", got)
	}
}

// TestHistoryOfAnEarlierDatabase begins with the generation that it finds, which the first change keeps.
func TestHistoryOfAnEarlierDatabase(t *testing.T) {
	s := openWithVolume(t)
	c, err := s.Create(t.Context(), spec("a"))
	must(t, err)
	must(t, s.Update(t.Context(), func(tx *Tx) error {
		c.Generation, c.Specs, c.SpecAt = 7, nil, time.Time{}
		_, err := tx.putContainer(c, false)
		return err
	}))
	if got := kept(t, s, "a"); got != "7=sleep 1" {
		t.Errorf("before a change: %s", got)
	}
	change(t, s, "a", command("two"))
	if got := kept(t, s, "a"); got != "8=two 7=sleep 1" {
		t.Errorf("after it: %s", got)
	}
	must(t, s.Update(t.Context(), func(tx *Tx) error { return tx.Delete(historyKey("a", 7)) }))
	if got := kept(t, s, "a"); got != "8=two" {
		t.Errorf("without a record: %s", got)
	}
	must(t, s.Update(t.Context(), func(tx *Tx) error { return tx.Set(historyKey("a", 7), []byte("no record")) }))
	if _, err := s.History("a"); err == nil || !strings.Contains(err.Error(), `generation 7 of container "a"`) {
		t.Errorf("a record that cannot be read: %v", err)
	}
}

// TestHistoryOnAFullDisk: what only powers off keeps no spec, and so needs no room.
func TestHistoryOnAFullDisk(t *testing.T) {
	s := openWithVolume(t)
	_, err := s.Create(t.Context(), spec("a"))
	must(t, err)
	must(t, s.Update(t.Context(), func(tx *Tx) error {
		_, err := tx.ChangeContainer("a", func(c *desired.Container) error { c.Suspended = true; return nil })
		if written := tx.Written([]byte(historyPrefix)); len(written) > 0 {
			t.Errorf("a suspension keeps %v", written)
		}
		return err
	}))
}

// TestLargestChange: a change of all containers of the largest node fits one transaction, with what it keeps.
func TestLargestChange(t *testing.T) {
	l, pool := large(2000, 10, true, 7000)
	s := openWithVolume(t, pool...)
	apply(t, s, l)
	for i := range l.Specs {
		l.Specs[i].StartupCommand = "other"
	}
	if got := apply(t, s, l); strings.Count(got, "updated 2") != 2000 {
		t.Errorf("got %.200s", got)
	}
	if keys := historyKeys(t, s); len(keys) != 2000 || !slices.IsSorted(keys) {
		t.Errorf("%d are kept", len(keys))
	}
}
