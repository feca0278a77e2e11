package client_test

import (
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lightd/desired"
	"lightd/hack/conform"
	"lightd/httpapi/api"
	"lightd/httpapi/client"
	"lightd/httpapi/openapi"
)

// recorder notes which operations were made.
type recorder struct {
	base http.RoundTripper

	mu   sync.Mutex
	seen []string
}

func (r *recorder) RoundTrip(q *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.seen = append(r.seen, q.Method+" "+q.URL.Path)
	r.mu.Unlock()
	return r.base.RoundTrip(q)
}

// made reports whether an operation of a path template was.
func (r *recorder) made(method, template string) bool {
	want := strings.Split(method+" "+template, "/")
	return slices.ContainsFunc(r.seen, func(s string) bool {
		have := strings.Split(s, "/")
		return slices.EqualFunc(want, have, func(w, h string) bool { return w == h || strings.HasPrefix(w, "{") && h != "" })
	})
}

// TestWholeInterface uses every operation of the OpenAPI document against a daemon, and
// has each exchange checked by that document.
func TestWholeInterface(t *testing.T) {
	url := address()
	ctx := within(t)
	base := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(base.CloseIdleConnections)
	r := &recorder{base: base}
	checked, err := conform.Transport(r, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	c := clientOf(t, url, func(cfg *client.Config) { cfg.HTTP = &http.Client{Transport: checked} })
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(errors.Join(c.Ping(ctx), c.Healthy(ctx), c.Ready(ctx)))

	t.Run("node", func(t *testing.T) {
		e := desired.Endpoint{IP: "0.0.0.0", Port: 25001, Protocol: desired.TCP}
		must(errors.Join(c.AddPort(ctx, e), c.AddPorts(ctx, "0.0.0.0", 25002, 25005, desired.TCP)))
		if err := c.AddPort(ctx, e); !errors.Is(err, client.ErrConflict) {
			t.Errorf("a port twice: %v", err)
		}
		used, err := c.UsePort(ctx, e, true)
		must(err)
		one, err := c.Port(ctx, e)
		must(err)
		if !used.InUse || one != used {
			t.Errorf("%+v, then %+v", used, one)
		}
		free, err := c.RandomPort(ctx, desired.TCP)
		must(err)
		if free.InUse || free.Endpoint == e {
			t.Errorf("%+v is not free", free)
		}
		if err := c.DeletePort(ctx, e); !errors.Is(err, client.ErrConflict) {
			t.Errorf("a port in use was deleted: %v", err)
		}
		_, err = c.UsePort(ctx, e, false)
		must(errors.Join(err, c.DeletePort(ctx, e)))
		must(c.DeletePorts(ctx, []desired.Endpoint{{IP: "0.0.0.0", Port: 25002}, {IP: "0.0.0.0", Port: 25003}}))
		all, err := c.Ports(ctx)
		must(err)
		if n := len(all); n < 2 {
			t.Errorf("%d ports are left", n)
		}
		v, err := c.CreateVolume(ctx)
		must(err)
		sized, err := c.Volume(ctx, v.VolumeID)
		must(err)
		if sized.Path != v.Path || sized.Size == nil {
			t.Errorf("%+v is not %+v", sized, v)
		}
		volumes, err := c.Volumes(ctx)
		must(err)
		if !slices.ContainsFunc(volumes, func(x api.Volume) bool { return x.VolumeID == v.VolumeID }) {
			t.Errorf("%s is not among %v", v.VolumeID, volumes)
		}
		must(c.DeleteVolume(ctx, v.VolumeID))
		if err := c.DeleteVolume(ctx, v.VolumeID); !errors.Is(err, client.ErrNotFound) {
			t.Errorf("a volume twice: %v", err)
		}
		document, err := c.OpenAPI(ctx)
		must(err)
		if !strings.Contains(string(document), `"openapi"`) {
			t.Errorf("%.80s", document)
		}
		short, err := c.CreateToken(ctx, time.Hour, false)
		must(err)
		if left := time.Until(short.ExpiresAt); left > time.Hour || left < 50*time.Minute {
			t.Errorf("it holds for %s", left)
		}
		other := clientOf(t, url, func(cfg *client.Config) { cfg.Token = short.Token })
		if _, err := other.CreateToken(ctx, time.Hour, false); !errors.Is(err, client.ErrForbidden) {
			t.Errorf("a token of a token: %v", err)
		}
	})

	t.Run("container", func(t *testing.T) {
		v, err := c.CreateVolume(ctx)
		must(err)
		must(c.AddPorts(ctx, "127.0.0.1", 25101, 25102, desired.TCP))
		spec := desired.DefaultSpec()
		spec.InternalID, spec.Image, spec.VolumeID, spec.StartupCommand = "whole", "alpine:3", v.VolumeID, "./server"
		spec.StartPattern, spec.InstallScript, spec.Labels = "Hello", "#!/bin/sh\ntrue", map[string]string{"of": "whole"}
		would, err := c.Create(ctx, spec, client.Write{DryRun: true})
		must(err)
		if would.Plan == nil || len(would.Steps) == 0 || would.Action != desired.Created {
			t.Errorf("a dry run says %+v", would)
		}
		receipt, err := c.Create(ctx, spec, client.Write{Wait: api.UntilInstalled})
		must(err)
		must(receipt.Unmet())
		if receipt.Status != 201 || receipt.ETag == "" || receipt.Pending() {
			t.Errorf("%+v", receipt)
		}
		_, err = c.Create(ctx, spec, client.Write{})
		if !errors.Is(err, client.ErrConflict) {
			t.Errorf("made twice: %v", err)
		}
		log, err := c.InstallLog(ctx, "whole")
		must(err)
		_, err = io.ReadAll(log)
		must(errors.Join(err, log.Close()))

		spec.Ports = []desired.Port{{IP: "127.0.0.1", Port: 25101}}
		receipt, err = c.Put(ctx, spec, client.Write{IfMatch: receipt.ETag})
		must(err)
		same, err := c.Put(ctx, spec, client.Write{})
		must(err)
		if same.Generation != receipt.Generation {
			t.Errorf("the same spec raised generation %d to %d", receipt.Generation, same.Generation)
		}
		_, err = c.Patch(ctx, "whole", map[string]any{"user": "1000"}, client.Write{IfMatch: `"not-1"`})
		if !errors.Is(err, client.ErrPrecondition) {
			t.Errorf("a stale write: %v", err)
		}
		_, err = c.Patch(ctx, "whole", map[string]any{"env": map[string]string{"A": "b"}}, client.Write{})
		must(err)
		receipt, err = c.Power(ctx, "whole", client.Start, client.Write{Wait: api.UntilRunning})
		must(errors.Join(err, receipt.Unmet()))
		receipt, err = c.Power(ctx, "whole", client.Restart, client.Write{Wait: api.UntilRunning})
		must(errors.Join(err, receipt.Unmet()))
		receipt, err = c.Rebind(ctx, "whole", []desired.Port{{IP: "127.0.0.1", Port: 25102}}, client.Write{Wait: api.UntilSynced})
		must(errors.Join(err, receipt.Unmet()))
		output, err := c.Logs(ctx, "whole", client.Logs{Tail: 10})
		must(err)
		text, err := io.ReadAll(output)
		must(errors.Join(err, output.Close()))
		if len(text) == 0 || output.Position() == "" || output.End() != "" {
			t.Errorf("its output is %q, up to %q, with the end %q", text, output.Position(), output.End())
		}
		output, err = c.Logs(ctx, "whole", client.Logs{Since: output.Position()})
		must(err)
		text, err = io.ReadAll(output)
		must(errors.Join(err, output.Close()))
		if len(text) > 0 {
			t.Errorf("after that there is %q", text)
		}
		plan, err := c.Plan(ctx, "whole")
		must(err)
		drift, err := c.Drift(ctx, "whole")
		must(err)
		node, err := c.NodeDrift(ctx, "of=whole")
		must(err)
		if len(plan.Steps) > 0 || !drift.InSync || node.InSync != 1 {
			t.Errorf("plan %+v, drift %+v of %+v", plan, drift, node)
		}
		receipt, err = c.Power(ctx, "whole", client.Kill, client.Write{Wait: api.UntilStopped})
		must(errors.Join(err, receipt.Unmet()))
		_, err = c.Power(ctx, "whole", client.Stop, client.Write{})
		must(err)
		_, err = c.Wait(ctx, "whole", api.UntilSynced, 10*time.Second)
		must(err)
		receipt, err = c.Reinstall(ctx, "whole", client.Reinstall{}, client.Write{Wait: api.UntilInstalled})
		must(errors.Join(err, receipt.Unmet()))

		list, err := c.List(ctx, "of=whole")
		must(err)
		full, err := c.ListFull(ctx, "of=whole")
		must(err)
		if one, err := c.Get(ctx, "whole"); err != nil || len(full.Containers) != 1 || !reflect.DeepEqual(full.Containers[0].Spec(), one.Spec()) {
			t.Errorf("%+v, %v", full, err)
		}
		applied, err := c.Apply(ctx, client.List{Specs: []desired.Spec{spec}, Prune: true, Selector: "of=whole"}, client.Write{IfMatch: list.ETag})
		must(err)
		if len(list.Containers) != 1 || applied.Updated != 1 || len(applied.Containers) != 1 {
			t.Errorf("%+v, then %+v", list, applied)
		}
		events, last, err := c.EventPage(ctx, "whole", 0, 3)
		must(err)
		all, _, err := c.EventPage(ctx, "", last, 0)
		must(err)
		if len(events) != 3 || len(all) == 0 || last != events[2].Seq {
			t.Errorf("%v, last %d, then %v", events, last, all)
		}
		for e, err := range c.Watch(ctx, client.Watch{Selector: "of=whole"}) {
			must(err)
			if e.Type == api.Bookmark {
				break
			}
		}
		for _, id := range []string{"whole", ""} {
			for m, err := range c.Follow(ctx, id, client.From{After: client.Now}) {
				must(err)
				if m.Kind == api.MessageWord {
					break
				}
			}
		}
		receipt, err = c.Delete(ctx, "whole", client.Write{})
		must(err)
		if receipt.Pending() {
			t.Error("it is not gone")
		}
		if _, err := c.Get(ctx, "whole"); !errors.Is(err, client.ErrNotFound) {
			t.Errorf("it is still there: %v", err)
		}
	})
	everyOperation(t, r)
}

// everyOperation fails for those of the document that were not made.
func everyOperation(t *testing.T, r *recorder) {
	t.Helper()
	document, err := openapi.Document()
	if err != nil {
		t.Fatal(err)
	}
	for template, item := range document["paths"].(map[string]any) {
		for method := range item.(map[string]any) {
			if method = strings.ToUpper(method); method == "PARAMETERS" {
				continue
			}
			if !r.made(method, template) {
				t.Errorf("the client was not asked for %s %s", method, template)
			}
		}
	}
}
