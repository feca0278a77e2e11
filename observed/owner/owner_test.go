package owner

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lightd/desired/kv"
	"lightd/observed/engine"
)

func TestIdentity(t *testing.T) {
	base := Identity{Host: "h", Inode: 1, Device: 2, Born: 3}
	for name, c := range map[string]struct {
		change func(*Identity)
		is     bool
	}{
		"the same":                     {func(*Identity) {}, true},
		"another device after a boot":  {func(i *Identity) { i.Device = 9 }, true},
		"another host":                 {func(i *Identity) { i.Host = "g" }, false},
		"another inode":                {func(i *Identity) { i.Inode = 9 }, false},
		"made at another time":         {func(i *Identity) { i.Born = 9 }, false},
		"no time of birth":             {func(i *Identity) { i.Born = 0 }, true},
		"nor the same device":          {func(i *Identity) { i.Born, i.Device = 0, 9 }, false},
		"a host that lost its id file": {func(i *Identity) { i.Host = "" }, false},
	} {
		other := base
		c.change(&other)
		if base.Is(other) != c.is || other.Is(base) != c.is {
			t.Errorf("%s: %v", name, !c.is)
		}
	}
}

// TestIdentityOfADirectory survives a rename, and no copy.
func TestIdentityOfADirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	identify := func(dir string) Identity {
		id, err := Identify(dir)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	before := identify(dir)
	if err := errors.Join(os.CopyFS(dir+"-copy", os.DirFS(dir)), os.Rename(dir, dir+"-moved")); err != nil {
		t.Fatal(err)
	}
	if !before.Is(identify(dir + "-moved")) {
		t.Error("a rename makes another one")
	}
	if before.Is(identify(dir + "-copy")) {
		t.Error("a copy passes for it")
	}
}

func TestSettle(t *testing.T) {
	away := errors.New("no engine")
	used := engine.Presence{Containers: 1, Marked: true, Epochs: []string{"first"}}
	taken := engine.Presence{Containers: 1, Epochs: []string{"", "first", "second"}}
	other := Identity{Host: "elsewhere"}
	for name, c := range map[string]struct {
		copied bool
		// requested is that a restore has requested the take-over.
		requested bool
		mode      Mode
		seen      engine.Presence
		err       error
		// refused is a word of the sentence; else what becomes of the record.
		refused         string
		instance, epoch bool // another one
		former          []string
	}{
		"the same directory":                    {seen: used},
		"without an engine":                     {err: away},
		"with a flag that stayed":               {mode: TakeOver, seen: used},
		"with the other flag that stayed":       {mode: NewInstance, seen: used},
		"with a flag, and without an engine":    {mode: TakeOver, err: away},
		"taken over, and taken back":            {mode: TakeOver, seen: taken, epoch: true, former: []string{"first", "second"}},
		"a copy that is restored on a new host": {copied: true, epoch: true},
		"a copy beside the original":            {copied: true, seen: used, refused: "--take-over"},
		"where only a snapshot is left":         {copied: true, seen: engine.Presence{Images: 1}, refused: "--new-instance"},
		"where only the mark is left":           {copied: true, seen: engine.Presence{Marked: true}, refused: "and the mark"},
		"a copy without an engine":              {copied: true, err: away, refused: "does not answer"},
		"a copy without an engine, and a flag":  {copied: true, mode: TakeOver, err: away, refused: "does not answer"},
		"a copy that takes over":                {copied: true, mode: TakeOver, seen: used, epoch: true, former: []string{"first"}},
		"restored to take over":                 {copied: true, requested: true, seen: used, epoch: true, former: []string{"first"}},
		"restored to take over on a new host":   {copied: true, requested: true, epoch: true},
		"restored to take over, and a flag":     {copied: true, requested: true, mode: NewInstance, seen: used, epoch: true, instance: true},
		"restored to take over, no engine":      {copied: true, requested: true, err: away, refused: "does not answer"},
		"requested of the same directory":       {requested: true, seen: used},
		"a copy that is to be one of its own":   {copied: true, mode: NewInstance, seen: used, epoch: true, instance: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "db")
			s, err := kv.Open(dir, kv.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			here, err := Identify(dir)
			if err != nil {
				t.Fatal(err)
			}
			recorded := Record{Identity: here, Epoch: "first"}
			if c.copied {
				recorded.Identity = other
			}
			if err := save(t.Context(), s, recorded); err != nil {
				t.Fatal(err)
			}
			if c.requested {
				if err := RequestTakeOver(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			}
			instance := s.Instance()
			settle := func(mode Mode) (Record, error) {
				return Settle(t.Context(), s, dir, mode, func(context.Context, string) (engine.Presence, error) { return c.seen, c.err })
			}
			r, err := settle(c.mode)
			if c.refused != "" {
				if err == nil || !strings.Contains(err.Error(), c.refused) || s.Instance() != instance {
					t.Fatalf("%+v, %v", r, err)
				}
				if kept, _, err := load(s); err != nil || kept.Epoch != "first" || kept.Identity != other {
					t.Errorf("a refusal has changed the record: %+v, %v", kept, err)
				}
				return
			}
			if err != nil || (s.Instance() != instance) != c.instance || (r.Epoch != "first") != c.epoch || !slices.Equal(r.Former, c.former) || r.Identity != here || r.TakeOver {
				t.Fatalf("%+v, %v", r, err)
			}
			if next, err := settle(Unsaid); err != nil || next.Epoch != r.Epoch {
				t.Errorf("the next start: %+v, %v", next, err)
			}
		})
	}
}

// TestFirstRecord is that of a new database, and of one from before there were any.
func TestFirstRecord(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	s, err := kv.Open(dir, kv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r, err := Settle(t.Context(), s, dir, Unsaid, nil)
	if err != nil || r.Epoch == "" || !r.includes("") || !r.includes(r.Epoch) || r.includes("other") {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestGuard puts the mark back, replaces that of the former daemon, and detects a takeover.
func TestGuard(t *testing.T) {
	m := &marks{}
	first := &Guard{Record: Record{Epoch: "first"}, Instance: "i", Engine: m}
	second := &Guard{Record: Record{Epoch: "second", Former: []string{"first"}}, Instance: "i", Engine: m}
	for _, epoch := range []string{"", "first"} {
		if m.epoch = epoch; first.Claim(t.Context()) != nil || m.epoch != "first" {
			t.Errorf("after %q the mark is %q", epoch, m.epoch)
		}
	}
	if err := second.Claim(t.Context()); err != nil || m.epoch != "second" {
		t.Errorf("%v, the mark is %q", err, m.epoch)
	}
	var taken *TakenOverError
	if err := first.Claim(t.Context()); !errors.As(err, &taken) || m.epoch != "second" || !errors.As(first.Check("second"), &taken) {
		t.Errorf("%v, the mark is %q", err, m.epoch)
	}
	if second.Check("first") != nil || second.Check("") != nil {
		t.Error("what was taken over is refused")
	}
}
