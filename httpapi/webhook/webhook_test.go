package webhook

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/observed/journal"
)

func numbers(first, last uint64) (list []uint64) {
	for n := first; n <= last; n++ {
		list = append(list, n)
	}
	return list
}

func event(id string, kind journal.Type) journal.Event {
	return journal.Event{InternalID: id, Type: kind}
}

// TestDelivery: everything is delivered in order, signed, and once where nothing goes wrong; over a
// restart too. A new webhook begins with what is new.
func TestDelivery(t *testing.T) {
	n, panel := newNode(t), newReceiver(t, nil)
	n.append(event("old", journal.Ready))
	d, stop := n.run(panel.config("panel"))
	for i := range 250 {
		n.append(event(fmt.Sprintf("c%d", i%3), journal.Running))
	}
	until(t, "250 events", func() bool { return len(panel.seqs()) >= 250 })
	until(t, "idle", func() bool {
		w := d.Webhooks()[0]
		return w.State == api.WebhookIdle && w.Lag == 0 && w.Position == 251
	})
	stop()
	n.append(event("c", journal.Exited), event("c", journal.Starting)) // nobody is there to deliver them
	_, stop = n.run(panel.config("panel"))
	until(t, "two more events", func() bool { return len(panel.seqs()) >= 252 })
	stop()
	if seqs := panel.seqs(); !slices.Equal(seqs, numbers(2, 253)) {
		t.Errorf("delivered %v", seqs)
	}
	ids := map[string]bool{}
	for _, g := range panel.all() {
		mac := hmac.New(sha256.New, []byte("0123456789abcdef"))
		mac.Write(g.body)
		if want := "sha256=" + hex.EncodeToString(mac.Sum(nil)); g.header.Get("X-Lightd-Signature") != want {
			t.Errorf("signature %q, not %q", g.header.Get("X-Lightd-Signature"), want)
		}
		if g.header.Get("X-Lightd-Delivery") != g.ID || ids[g.ID] || g.Webhook != "panel" || g.Node != "node" || len(g.Events) > 100 || g.Missed != nil {
			t.Errorf("delivery %+v with the headers %v", g.Delivery, g.header)
		}
		ids[g.ID] = true
	}
}

// TestReceiverFails: whatever a receiver does, the delivery is repeated as it was, and nothing of its answer
// is shown.
func TestReceiverFails(t *testing.T) {
	other := newReceiver(t, nil)
	const marker = "MARKER"
	tests := map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request)
		want   string
	}{
		"dies": {func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }, "ends the connection without an answer"},
		"500":  {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, marker, 500) }, "answers 500 Internal Server Error"},
		"429": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "2")
			w.WriteHeader(429)
		}, "answers 429 Too Many Requests"},
		"redirects": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		},
			"answers 307 Temporary Redirect, and redirects are not followed"},
		"hangs":    {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "does not answer within"},
		"no HTTP":  {func(w http.ResponseWriter, _ *http.Request) { raw(w, "HTTP/1.1 200 OK\r\n"+marker+" \x1b[31m\r\n\r\n") }, "no answer of HTTP"},
		"no code":  {func(w http.ResponseWriter, _ *http.Request) { raw(w, "HTTP/1.1 "+marker+"\r\n\r\n") }, "no answer of HTTP"},
		"unknown":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(799) }, "answers 799"},
		"not done": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, "answers 404 Not Found"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			panel := newReceiver(t, func(n int, w http.ResponseWriter, r *http.Request) {
				if n == 1 {
					test.answer(w, r)
				}
			})
			d := n.deliverer(panel.config("panel"))
			d.senders[0].client.Timeout = 300 * time.Millisecond
			stop := n.start(d)
			n.append(event("c", journal.Running))
			var failing api.Webhook
			until(t, "a failure", func() bool { failing = d.Webhooks()[0]; return failing.Failures == 1 })
			n.append(event("c", journal.Exited))
			if failing.State != api.WebhookFailing || !strings.Contains(failing.LastError, test.want) || failing.Lag == 0 || failing.NextAttempt.IsZero() {
				t.Errorf("while it fails: %+v", failing)
			}
			if text := failing.LastError + failing.URL; strings.Contains(text, marker) || strings.Contains(text, "hidden") || strings.Contains(text, "/hook") || strings.Contains(text, other.URL) {
				t.Errorf("shown: %s", text)
			}
			until(t, "both events", func() bool { return slices.Contains(panel.seqs(), 2) })
			until(t, "idle", func() bool { return d.Webhooks()[0].State == api.WebhookIdle })
			stop()
			all := panel.all()
			if len(all) != 3 || all[0].ID != all[1].ID || !bytes.Equal(all[0].body, all[1].body) || all[2].ID == all[1].ID {
				t.Errorf("%d requests: %+v", len(all), all)
			}
		})
	}
	t.Cleanup(func() {
		if len(other.all()) > 0 {
			t.Error("a redirect was followed")
		}
	})
}

// raw answers with bytes that the server did not make.
func raw(w http.ResponseWriter, text string) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = conn.Write([]byte(text))
	_ = conn.Close()
}

// TestLargeEvents: however large events are, no delivery is larger than what receivers take.
func TestLargeEvents(t *testing.T) {
	n, panel := newNode(t), newReceiver(t, nil)
	_, stop := n.run(panel.config("panel"))
	large := map[string]string{}
	for i := range 8 {
		large[fmt.Sprint(i)] = strings.Repeat("x", 4<<10)
	}
	events := make([]journal.Event, 50)
	for i := range events {
		events[i] = journal.Event{InternalID: "c", Type: journal.Deleted, Labels: large, Message: strings.Repeat("y", 4<<10)}
	}
	n.append(events...)
	until(t, "50 events", func() bool { return len(panel.seqs()) >= 50 })
	stop()
	if seqs := panel.seqs(); !slices.Equal(seqs, numbers(1, 50)) {
		t.Errorf("delivered %v", seqs)
	}
	for _, g := range panel.all() {
		if len(g.body) > 512<<10 {
			t.Errorf("a delivery of %d bytes", len(g.body))
		}
	}
}

// TestDeadWebhookDelaysNoOther, nor the journal.
func TestDeadWebhookDelaysNoOther(t *testing.T) {
	n, panel := newNode(t), newReceiver(t, nil)
	hanging := newReceiver(t, func(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	gone := newReceiver(t, nil)
	gone.Close()
	_, stop := n.run(hanging.config("hangs"), gone.config("gone"), panel.config("panel"))
	for range 300 {
		n.append(event("c", journal.Running))
	}
	until(t, "300 events", func() bool { return len(panel.seqs()) == 300 })
	stop()
}

// TestMissed: what the journal dropped before it was delivered is counted.
func TestMissed(t *testing.T) {
	n, panel := newNode(t), newReceiver(t, nil)
	d, stop := n.run(panel.config("panel"))
	n.append(event("a", journal.Running))
	until(t, "the first event", func() bool { return d.Webhooks()[0].Position == 1 }) // else it may come once more
	stop()
	crowd := make([]journal.Event, 1096)
	for i := range crowd {
		crowd[i] = event("b", journal.BackOff)
	}
	n.append(event("a", journal.Exited))
	n.append(crowd...)
	must(t, n.journal.Prune(t.Context(), func(string) bool { return true }))
	d, stop = n.run(panel.config("panel"))
	until(t, "the last event", func() bool { return slices.Contains(panel.seqs(), 1098) })
	until(t, "idle", func() bool { return d.Webhooks()[0].State == api.WebhookIdle })
	stop()
	if seqs, want := panel.seqs(), append([]uint64{1, 2}, numbers(99, 1098)...); !slices.Equal(seqs, want) {
		t.Errorf("delivered %v", seqs)
	}
	if missed := panel.all()[1].Missed; missed == nil || *missed != (api.Missed{Count: 96, First: 3, Last: 98}) {
		t.Errorf("missed %+v", missed)
	}
	if w := d.Webhooks()[0]; w.Missed != 96 {
		t.Errorf("missed %d in all", w.Missed)
	}
}

// TestSelection: types, and the labels that a container has, or had when it was deleted.
func TestSelection(t *testing.T) {
	n := newNode(t)
	acme := map[string]string{"tenant": "acme"}
	created := func(labels map[string]string) desired.Container {
		c := desired.Container{CreatedAt: time.Now()}
		c.Labels = labels
		return c
	}
	n.append(
		event("gone", journal.Running), event("other", journal.Running), event("", journal.DiskLow),
		journal.Event{InternalID: "gone", Type: journal.Deleted, Labels: acme},
		event("again", journal.Running), journal.Event{InternalID: "again", Type: journal.Deleted, Labels: map[string]string{"tenant": "x"}},
		event("lost", journal.Running),
	)
	n.containers["other"], n.containers["again"], n.containers["mine"] = created(nil), created(acme), created(acme)
	n.append(event("again", journal.Exited), event("mine", journal.Exited))
	tests := []struct {
		config Config
		want   []uint64
	}{
		{Config{}, numbers(1, 9)},
		{Config{Selector: "tenant=acme"}, []uint64{1, 4, 8, 9}},
		{Config{Selector: "!tenant"}, nil}, // the container of "other" is younger than its event
		{Config{Types: []journal.Type{journal.Running, journal.Deleted}}, []uint64{1, 2, 4, 5, 6, 7}},
		{Config{Selector: "tenant=acme", Types: []journal.Type{journal.Running}}, []uint64{1}},
	}
	for _, test := range tests {
		test.config.Name, test.config.URL = "panel", "https://127.0.0.1/"
		h := newHook(test.config, 0, Sources{Journal: n.journal, Containers: n.containers}, Options{Log: n.deliverer().log})
		b, end, err := h.reader.next(0)
		must(t, err)
		var got []uint64
		for _, e := range b.events {
			got = append(got, e.Seq)
		}
		if !slices.Equal(got, test.want) || !end || b.last != 9 || b.missed != nil {
			t.Errorf("%+v: selects %v, end %t, last %d, missed %+v; wanted %v", test.config, got, end, b.last, b.missed, test.want)
		}
	}
}

// TestNameThatIsGone: a name that comes back begins with what is new, as any new one does.
func TestNameThatIsGone(t *testing.T) {
	n, panel := newNode(t), newReceiver(t, nil)
	_, stop := n.run(panel.config("panel"))
	stop()
	_, stop = n.run()
	stop()
	n.append(event("c", journal.Running))
	_, stop = n.run(panel.config("panel"))
	n.append(event("c", journal.Exited))
	until(t, "an event", func() bool { return len(panel.seqs()) > 0 })
	stop()
	if seqs := panel.seqs(); !slices.Equal(seqs, []uint64{2}) {
		t.Errorf("delivered %v", seqs)
	}
}
