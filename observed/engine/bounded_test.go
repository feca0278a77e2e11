package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"lightd/observed/engine"
)

// endless writes a text again and again, until nobody reads it or limit bytes are written.
func endless(w io.Writer, text string, limit int) {
	chunk := []byte(strings.Repeat(text, 1+(64<<10)/len(text)))
	for sent := 0; sent < limit; sent += len(chunk) {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// TestEndlessAnswers: an engine that does not end an answer, or a message of a stream, costs a bound of memory,
// and gets an error.
func TestEndlessAnswers(t *testing.T) {
	const limit = 256 << 20
	starts := map[string][2]string{
		"text":      {`{"Type":"container","status":"x","Id":"`, "a"},
		"escapes":   {`{"Id":"`, `\"}`},
		"depth":     {`{"Id":`, `[{"a":`},
		"members":   {`{"Id":{"a":1`, `,"b":{"c":2}`},
		"blanks":    {"", " "},
		"lines":     {`{"Id":[1`, "\n,1"},
		"a number":  {"", "1"},
		"many keys": {`{"Labels":{"a":"b"`, ",\n\"c\":\"d\""},
	}
	for name, start := range starts {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Api-Version", "1.41")
			if strings.HasSuffix(r.URL.Path, "/_ping") {
				return
			}
			first := start[0]
			if strings.HasSuffix(r.URL.Path, "/changes") || strings.HasSuffix(r.URL.Path, "/containers/json") {
				first = "[" + first
			}
			_, _ = io.WriteString(w, first)
			endless(w, start[1], limit)
		}))
		t.Cleanup(server.Close)
		e := newEngine(t, engine.Config{Host: "tcp://" + server.Listener.Addr().String(), Timeouts: engine.Timeouts{Query: time.Minute, Commit: time.Minute}})
		for call, fn := range map[string]func(context.Context) error{
			"events": func(ctx context.Context) error {
				return e.ContainerEvents(ctx, time.Time{}, func(time.Time) {}, func(engine.Event) {})
			},
			"image events": func(ctx context.Context) error { return e.ImageEvents(ctx, func() {}, func(engine.Event) {}) },
			"stats":        func(ctx context.Context) error { return e.Stats(ctx, "x", func(engine.Stats) {}) },
			"pull":         func(ctx context.Context) error { return e.Pull(ctx, "x", func(engine.Progress) {}) },
			"changes":      func(ctx context.Context) error { return e.Changes(ctx, "x", func(engine.Change) bool { return true }) },
			"inspect":      func(ctx context.Context) error { _, _, err := e.Inspect(ctx, "x"); return err },
			"list":         func(ctx context.Context) error { _, err := e.ListAll(ctx); return err },
		} {
			entire := call == "inspect" || call == "list"
			if entire && (call == "inspect") != (name == "text") || entire && name != "text" && name != "members" {
				continue // 64 MiB of each take their time: a text for one call, members for the other
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := fn(t.Context())
			runtime.ReadMemStats(&after)
			most := uint64(32 << 20)
			if entire {
				most = 512 << 20 // a buffer of 64 MiB that grows by doubling, and what is decoded of it
			}
			if err == nil || after.TotalAlloc-before.TotalAlloc > most {
				t.Errorf("%s of %s: %v, %d MiB", call, name, err, (after.TotalAlloc-before.TotalAlloc)>>20)
			}
			if (call == "events" || call == "stats") && name == "text" && !errors.Is(err, engine.ErrTooLarge) {
				t.Errorf("%s of %s: %v", call, name, err)
			}
		}
	}
}

// TestManyObjects: the least bytes of an answer that become the most memory.
func TestManyObjects(t *testing.T) {
	for name, c := range map[string]struct {
		first, again string
		times        int
		refused      bool
	}{
		"elements":                         {"[{}", ",{}", 21 << 20, true},
		"ports":                            {`[{"Ports":[{}`, ",{}", 21 << 20, true},
		"names":                            {`[{"Names":[""`, `,""`, 21 << 20, true},
		"as many elements as there may be": {"[{}", ",{}", 60_000, false},
		"as many ports as there may be":    {`[{"Ports":[{}`, ",{}", 500_000, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Api-Version", "1.41")
				if strings.HasSuffix(r.URL.Path, "/_ping") {
					return
				}
				_, _ = io.WriteString(w, c.first)
				for left := c.times; left > 0; left -= 10_000 {
					if _, err := io.WriteString(w, strings.Repeat(c.again, 10_000)); err != nil {
						return
					}
				}
				_, _ = io.WriteString(w, strings.Repeat("]}", strings.Count(c.first, "[")-1)+"]")
			}))
			t.Cleanup(server.Close)
			e := newEngine(t, engine.Config{Host: "tcp://" + server.Listener.Addr().String(), Timeouts: engine.Timeouts{Query: time.Minute}})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := e.ListAll(t.Context())
			runtime.ReadMemStats(&after)
			if used := (after.TotalAlloc - before.TotalAlloc) >> 20; errors.Is(err, engine.ErrTooLarge) != c.refused || used > 256 {
				t.Errorf("%v, %d MiB", err, used)
			}
		})
	}
}

// TestLongStreams: a stream may be as long as it will, of messages that end.
func TestLongStreams(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		switch {
		case strings.HasSuffix(r.URL.Path, "/events"):
			endless(w, `{"Type":"container","Action":"die","Actor":{"ID":"x","Attributes":{"a":"}{\"\\"}}}`+"\n", 4<<20)
		case strings.HasSuffix(r.URL.Path, "/changes"):
			fmt.Fprint(w, `[{"Path":"/a","Kind":1}`)
			endless(w, `,{"Path":"/[{\"","Kind":1}`, 4<<20)
			fmt.Fprint(w, "]\n")
		}
	}))
	t.Cleanup(server.Close)
	e := newEngine(t, engine.Config{Host: "tcp://" + server.Listener.Addr().String()})
	n := 0
	err := e.ContainerEvents(t.Context(), time.Time{}, func(time.Time) {}, func(engine.Event) { n++ })
	if n < 10_000 || errors.Is(err, engine.ErrTooLarge) {
		t.Errorf("%d events: %v", n, err)
	}
	n = 0
	if err := e.Changes(t.Context(), "x", func(engine.Change) bool { n++; return true }); err != nil || n < 10_000 {
		t.Errorf("%d changes: %v", n, err)
	}
}
