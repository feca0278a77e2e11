package engine

import (
	"context"
	"errors"
	"io"
	"net"
	"reflect"
	"strings"
	"testing"

	"lightd/desired"
	"lightd/observed"
	"lightd/observed/blueprint"
)

// acts are the calls that change something of our instance; every other method of an Engine is in reads.
var acts = map[string]func(context.Context, *Engine) error{
	"Create": func(ctx context.Context, e *Engine) error {
		_, _, err := e.Create(ctx, blueprint.Blueprint{Name: "a"})
		return err
	},
	"Exec": func(ctx context.Context, e *Engine) error {
		_, _, err := e.Exec(ctx, "a", "true")
		return err
	},
	"Run": func(ctx context.Context, e *Engine) error {
		_, err := e.Run(ctx, "a", Command{Args: []string{"true"}})
		return err
	},
	"Start":   func(ctx context.Context, e *Engine) error { return e.Start(ctx, "a") },
	"Kill":    func(ctx context.Context, e *Engine) error { return e.Kill(ctx, "a", "SIGKILL") },
	"Signal":  func(ctx context.Context, e *Engine) error { return e.Signal(ctx, "a", "SIGTERM") },
	"Unpause": func(ctx context.Context, e *Engine) error { return e.Unpause(ctx, "a") },
	"Resize":  func(ctx context.Context, e *Engine) error { return e.Resize(ctx, "a", 80, 24) },
	"Rename":  func(ctx context.Context, e *Engine) error { return e.Rename(ctx, "a", "b") },
	"Remove":  func(ctx context.Context, e *Engine) error { return e.Remove(ctx, "a") },
	"UpdateLimits": func(ctx context.Context, e *Engine) error {
		_, err := e.UpdateLimits(ctx, "a", desired.Limits{})
		return err
	},
	"Tag":           func(ctx context.Context, e *Engine) error { return e.Tag(ctx, "sha256:a", "b:c") },
	"RemoveImage":   func(ctx context.Context, e *Engine) error { return e.RemoveImage(ctx, "b:c") },
	"RemoveVolume":  func(ctx context.Context, e *Engine) error { return e.RemoveVolume(ctx, "a") },
	"RemoveNetwork": func(ctx context.Context, e *Engine) error { return e.RemoveNetwork(ctx, "a") },
	"Rejoin":        func(ctx context.Context, e *Engine) error { return e.Rejoin(ctx, "a", "b") },
	"CreateNetwork": func(ctx context.Context, e *Engine) error {
		_, err := e.CreateNetwork(ctx, observed.Network{Name: "a"})
		return err
	},
	"Commit": func(ctx context.Context, e *Engine) error {
		_, err := e.Commit(ctx, "a", "b:c", "")
		return err
	},
	"LoadImage": func(ctx context.Context, e *Engine) error {
		return e.LoadImage(ctx, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("")), nil })
	},
}

// reads change nothing of an instance: Pull fetches what is everybody's, Attach reads and hands
// on what a client types, and the mark itself is what the guard goes by.
var reads = strings.Fields(`AllImages Attach Changes ClaimOwner Close ContainerEvents Directories Guard HasFile Image ImageEvents Images
	Inspect Instance Isolation LayerSize List ListAll Logs Network NetworkOn Networks Owner Ping Presence Process Pull ReadFile ReplaceOwner RootIDs SaveImage Stats Version Volumes`)

// TestGuardOfEachAct: what the guard refuses reaches no engine.
func TestGuardOfEachAct(t *testing.T) {
	known := map[string]bool{}
	for _, name := range reads {
		known[name] = true
	}
	for name := range acts {
		known[name] = true
	}
	of := reflect.TypeFor[*Engine]()
	for i := range of.NumMethod() {
		if name := of.Method(i).Name; !known[name] {
			t.Errorf("is %s an act? Name it in acts or in reads", name)
		}
	}
	refused := errors.New("taken over")
	for name, act := range acts {
		t.Run(name, func(t *testing.T) {
			requests := 0
			e, err := New(Config{Instance: "i", Host: "tcp://127.0.0.1:1", Dial: func(context.Context) (net.Conn, error) {
				requests++
				return nil, errors.New("no engine")
			}})
			if err != nil {
				t.Fatal(err)
			}
			c, err := e.newClient()
			if err != nil {
				t.Fatal(err)
			}
			e.current.Store(&session{Client: c})
			guarded := 0
			e.Guard(func(context.Context) error { guarded++; return refused })
			if err := act(t.Context(), e); !errors.Is(err, refused) || guarded != 1 || requests != 0 {
				t.Errorf("%v; the guard was called %d times, the engine %d", err, guarded, requests)
			}
		})
	}
}
