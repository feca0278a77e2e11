package client_test

import (
	"context"
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
	"lightd/observed/status"
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
	x := &exercise{t: t, ctx: within(t), url: address()}
	base := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(base.CloseIdleConnections)
	r := &recorder{base: base}
	checked, err := conform.Transport(r, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	x.c = clientOf(t, x.url, func(cfg *client.Config) { cfg.HTTP = &http.Client{Transport: checked} })
	x.must(errors.Join(x.c.Ping(x.ctx), x.c.Healthy(x.ctx), x.c.Ready(x.ctx)))
	x.process()
	x.ports()
	x.volumes()
	x.files()
	x.documentAndTokens()
	spec, etag := x.create()
	x.write(&spec, etag)
	x.start()
	x.logs()
	x.planAndDrift()
	x.stopAndReinstall()
	x.lists(spec)
	x.events()
	x.delete()
	everyOperation(t, r)
}

// exercise uses the operations of the interface one after another.
type exercise struct {
	t   *testing.T
	ctx context.Context
	url string
	c   *client.Client
}

func (x *exercise) must(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
	}
}

// ports adds, uses and deletes ports of the pool.
func (x *exercise) ports() {
	x.t.Helper()
	e := desired.Endpoint{IP: "0.0.0.0", Port: 25001, Protocol: desired.TCP}
	x.must(errors.Join(x.c.AddPort(x.ctx, e), x.c.AddPorts(x.ctx, "0.0.0.0", 25002, 25005, desired.TCP)))
	if err := x.c.AddPort(x.ctx, e); !errors.Is(err, client.ErrConflict) {
		x.t.Errorf("a port twice: %v", err)
	}
	used, err := x.c.UsePort(x.ctx, e, true)
	x.must(err)
	one, err := x.c.Port(x.ctx, e)
	x.must(err)
	if !used.InUse || one != used {
		x.t.Errorf("%+v, then %+v", used, one)
	}
	free, err := x.c.RandomPort(x.ctx, desired.TCP)
	x.must(err)
	if free.InUse || free.Endpoint == e {
		x.t.Errorf("%+v is not free", free)
	}
	if err := x.c.DeletePort(x.ctx, e); !errors.Is(err, client.ErrConflict) {
		x.t.Errorf("a port in use was deleted: %v", err)
	}
	_, err = x.c.UsePort(x.ctx, e, false)
	x.must(errors.Join(err, x.c.DeletePort(x.ctx, e)))
	x.must(x.c.DeletePorts(x.ctx, []desired.Endpoint{{IP: "0.0.0.0", Port: 25002}, {IP: "0.0.0.0", Port: 25003}}))
	all, err := x.c.Ports(x.ctx)
	x.must(err)
	if n := len(all); n < 2 {
		x.t.Errorf("%d ports are left", n)
	}
}

// volumes creates a volume, finds it in the list and deletes it.
// process reads the metrics, a backup and profiles.
func (x *exercise) process() {
	x.t.Helper()
	for _, open := range []func() (io.ReadCloser, error){
		func() (io.ReadCloser, error) { return x.c.Metrics(x.ctx) },
		func() (io.ReadCloser, error) { return x.c.Backup(x.ctx, true) },
		func() (io.ReadCloser, error) { return x.c.Profile(x.ctx, "goroutine", 0) },
		func() (io.ReadCloser, error) { return x.c.Profile(x.ctx, "profile", 1) },
	} {
		text, err := open()
		x.must(err)
		b, err := io.ReadAll(text)
		x.must(errors.Join(err, text.Close()))
		if len(b) == 0 {
			x.t.Error("nothing was read")
		}
	}
	if _, err := x.c.Profile(x.ctx, "cmdline", 0); !errors.Is(err, client.ErrNotFound) {
		x.t.Errorf("the command line: %v", err)
	}
}

func (x *exercise) volumes() {
	x.t.Helper()
	v, err := x.c.CreateVolume(x.ctx)
	x.must(err)
	sized, err := x.c.Volume(x.ctx, v.VolumeID)
	x.must(err)
	if sized.Path != v.Path || sized.Size == nil {
		x.t.Errorf("%+v is not %+v", sized, v)
	}
	volumes, err := x.c.Volumes(x.ctx)
	x.must(err)
	if !slices.ContainsFunc(volumes, func(x api.Volume) bool { return x.VolumeID == v.VolumeID }) {
		x.t.Errorf("%s is not among %v", v.VolumeID, volumes)
	}
	if kept, err := x.c.EnsureVolume(x.ctx, v.VolumeID); err != nil || kept.ID != v.VolumeID || kept.CreatedAt != v.CreatedAt {
		x.t.Errorf("kept as %+v, %v", kept, err)
	}
	for _, quota := range []int64{10 << 30, 0} {
		v, err := x.c.SetVolumeQuota(x.ctx, v.VolumeID, quota)
		if err != nil || quota == 0 && v.QuotaBytes != nil || quota > 0 && *v.QuotaBytes != quota {
			x.t.Errorf("a quota of %d: %+v, %v", quota, v, err)
		}
	}
	x.must(x.c.DeleteVolume(x.ctx, v.VolumeID))
	if err := x.c.DeleteVolume(x.ctx, v.VolumeID); !errors.Is(err, client.ErrNotFound) {
		x.t.Errorf("a volume twice: %v", err)
	}
}

// documentAndTokens reads the OpenAPI document and makes a token.
func (x *exercise) documentAndTokens() {
	x.t.Helper()
	document, err := x.c.OpenAPI(x.ctx)
	x.must(err)
	if !strings.Contains(string(document), `"openapi"`) {
		x.t.Errorf("%.80s", document)
	}
	short, err := x.c.CreateToken(x.ctx, api.TokenSpec{Name: "short", TTL: "1h", Scopes: []string{"read"}, Selector: "of=whole"})
	x.must(err)
	if left := time.Until(short.ExpiresAt); left > time.Hour || left < 50*time.Minute {
		x.t.Errorf("it holds for %s", left)
	}
	other := clientOf(x.t, x.url, func(cfg *client.Config) { cfg.Token = short.Text })
	if _, err := other.CreateToken(x.ctx, api.TokenSpec{TTL: "1h"}); !errors.Is(err, client.ErrForbidden) {
		x.t.Errorf("a token of a token: %v", err)
	}
	all, err := x.c.Tokens(x.ctx)
	x.must(err)
	if former, err := x.c.FormerMaster(x.ctx); former != nil || err != nil {
		x.t.Errorf("nothing was reset: %v, %v", former, err)
	}
	one, err := x.c.Token(x.ctx, short.ID)
	x.must(err)
	if !slices.ContainsFunc(all, func(t api.Token) bool { return reflect.DeepEqual(t, one) }) || one.Name != "short" || one.Creator != "master" {
		x.t.Errorf("%+v is not among %+v", one, all)
	}
	x.must(x.c.RevokeToken(x.ctx, short.ID))
	if _, err := other.List(x.ctx, ""); !errors.Is(err, client.ErrUnauthorized) {
		x.t.Errorf("after its end: %v", err)
	}
	if _, err := x.c.Token(x.ctx, short.ID); !errors.Is(err, client.ErrNotFound) {
		x.t.Errorf("after its end: %v", err)
	}
}

// create creates the container "whole" and returns its spec and its entity tag.
func (x *exercise) create() (desired.Spec, string) {
	x.t.Helper()
	v, err := x.c.CreateVolume(x.ctx)
	x.must(err)
	x.must(x.c.AddPorts(x.ctx, "127.0.0.1", 25101, 25102, desired.TCP))
	spec := desired.DefaultSpec()
	spec.InternalID, spec.Image, spec.VolumeID, spec.StartupCommand = "whole", "alpine:3", v.VolumeID, "./server"
	spec.StartPattern, spec.InstallScript, spec.Labels = "Hello", "#!/bin/sh\ntrue", map[string]string{"of": "whole"}
	would, err := x.c.Create(x.ctx, spec, client.Write{DryRun: true})
	x.must(err)
	if would.Plan == nil || len(would.Steps) == 0 || would.Action != desired.Created {
		x.t.Errorf("a dry run says %+v", would)
	}
	receipt, err := x.c.Create(x.ctx, spec, client.Write{Wait: api.UntilInstalled})
	x.must(err)
	x.must(receipt.Unmet())
	if receipt.Status != 201 || receipt.ETag == "" || receipt.Pending() {
		x.t.Errorf("%+v", receipt)
	}
	_, err = x.c.Create(x.ctx, spec, client.Write{})
	if !errors.Is(err, client.ErrConflict) {
		x.t.Errorf("made twice: %v", err)
	}
	log, err := x.c.InstallLog(x.ctx, "whole")
	x.must(err)
	_, err = io.ReadAll(log)
	x.must(errors.Join(err, log.Close()))
	return spec, receipt.ETag
}

// write replaces and patches the container, under preconditions too.
func (x *exercise) write(spec *desired.Spec, etag string) {
	x.t.Helper()
	spec.Ports = []desired.Port{{IP: "127.0.0.1", Port: 25101}}
	receipt, err := x.c.Put(x.ctx, *spec, client.Write{IfMatch: etag})
	x.must(err)
	same, err := x.c.Put(x.ctx, *spec, client.Write{})
	x.must(err)
	if same.Generation != receipt.Generation {
		x.t.Errorf("the same spec raised generation %d to %d", receipt.Generation, same.Generation)
	}
	_, err = x.c.Patch(x.ctx, "whole", map[string]any{"user": "1000"}, client.Write{IfMatch: `"not-1"`})
	if !errors.Is(err, client.ErrPrecondition) {
		x.t.Errorf("a stale write: %v", err)
	}
	_, err = x.c.Patch(x.ctx, "whole", map[string]any{"env": map[string]string{"A": "b"}}, client.Write{})
	x.must(err)
}

// start starts, restarts and rebinds.
func (x *exercise) start() {
	x.t.Helper()
	receipt, err := x.c.Power(x.ctx, "whole", client.Start, client.Write{Wait: api.UntilRunning})
	x.must(errors.Join(err, receipt.Unmet()))
	x.must(x.c.SendCommand(x.ctx, "whole", "hello"))
	receipt, err = x.c.Power(x.ctx, "whole", client.Restart, client.Write{Wait: api.UntilRunning})
	x.must(errors.Join(err, receipt.Unmet()))
	receipt, err = x.c.Rebind(x.ctx, "whole", []desired.Port{{IP: "127.0.0.1", Port: 25102}}, "", client.Write{Wait: api.UntilSynced})
	x.must(errors.Join(err, receipt.Unmet()))
}

// logs reads what the container prints, and what came after that.
func (x *exercise) logs() {
	x.t.Helper()
	output, err := x.c.Logs(x.ctx, "whole", client.Logs{Tail: 10})
	x.must(err)
	text, err := io.ReadAll(output)
	x.must(errors.Join(err, output.Close()))
	if len(text) == 0 || output.Position() == "" || output.End() != "" {
		x.t.Errorf("its output is %q, up to %q, with the end %q", text, output.Position(), output.End())
	}
	output, err = x.c.Logs(x.ctx, "whole", client.Logs{Since: output.Position()})
	x.must(err)
	text, err = io.ReadAll(output)
	x.must(errors.Join(err, output.Close()))
	if len(text) > 0 {
		x.t.Errorf("after that there is %q", text)
	}
}

// planAndDrift finds nothing to do and no difference.
func (x *exercise) planAndDrift() {
	x.t.Helper()
	plan, err := x.c.Plan(x.ctx, "whole")
	x.must(err)
	drift, err := x.c.Drift(x.ctx, "whole")
	x.must(err)
	history, err := x.c.History(x.ctx, "whole")
	x.must(err)
	last := history.Versions[0]
	version, hidden, err := x.c.SpecOf(x.ctx, "whole", last.Generation)
	if x.must(err); hidden || version.Spec.InternalID != "whole" || len(history.Versions) < 2 || len(last.Changed) == 0 {
		x.t.Errorf("history %+v, %+v", history, version)
	}
	if n, err := x.c.Node(x.ctx); err != nil || n.Containers < 1 || !n.Engine.Up {
		x.t.Errorf("node %+v, %v", n, err)
	}
	if c, err := x.c.Cordon(x.ctx, desired.Cordon{Reason: "a test", Parallel: 2}); err != nil || c.Reason != "a test" || c.Drain || c.Parallel != 2 {
		x.t.Errorf("cordon %+v, %v", c, err)
	}
	if n, err := x.c.Node(x.ctx); err != nil || n.Cordon == nil || n.Cordon.Since.IsZero() || n.Cordon.Running != 1 || !slices.Contains(n.Cordon.Remaining.Containers, status.DrainHolder{InternalID: "whole", Reason: status.DrainRunning}) {
		x.t.Errorf("cordoned node %+v, %v", n.Cordon, err)
	}
	x.must(x.c.Uncordon(x.ctx))
	all, err := x.c.AllStats(x.ctx, "of=whole")
	x.must(err)
	one, err := x.c.Stats(x.ctx, all[0].InternalID)
	x.must(err)
	if one.Usage == nil || one.StartedAt.IsZero() || one.InternalID != all[0].InternalID {
		x.t.Errorf("stats %+v", one)
	}
	if webhooks, err := x.c.Webhooks(x.ctx); err != nil || len(webhooks) > 0 {
		x.t.Errorf("webhooks %v, %v", webhooks, err)
	}
	if _, err := x.c.RetryWebhook(x.ctx, "none"); !errors.Is(err, client.ErrNotFound) {
		x.t.Errorf("retry of no webhook: %v", err)
	}
	node, err := x.c.NodeDrift(x.ctx, "of=whole")
	x.must(err)
	if len(plan.Steps) > 0 || !drift.InSync || node.InSync != 1 {
		x.t.Errorf("plan %+v, drift %+v of %+v", plan, drift, node)
	}
}

// stopAndReinstall kills, stops, waits and installs again.
func (x *exercise) stopAndReinstall() {
	x.t.Helper()
	receipt, err := x.c.Power(x.ctx, "whole", client.Kill, client.Write{Wait: api.UntilStopped})
	x.must(errors.Join(err, receipt.Unmet()))
	grace := time.Second
	_, err = x.c.Power(x.ctx, "whole", client.Stop, client.Write{Grace: &grace})
	x.must(err)
	_, err = x.c.Wait(x.ctx, "whole", api.UntilSynced, 10*time.Second)
	x.must(err)
	receipt, err = x.c.Reinstall(x.ctx, "whole", client.Reinstall{}, client.Write{Wait: api.UntilInstalled})
	x.must(errors.Join(err, receipt.Unmet()))
}

// lists reads the container in lists and applies a list.
func (x *exercise) lists(spec desired.Spec) {
	x.t.Helper()
	list, err := x.c.List(x.ctx, "of=whole")
	x.must(err)
	full, err := x.c.ListFull(x.ctx, "of=whole")
	x.must(err)
	if one, err := x.c.Get(x.ctx, "whole"); err != nil || len(full.Containers) != 1 || !reflect.DeepEqual(full.Containers[0].Spec(), one.Spec()) {
		x.t.Errorf("%+v, %v", full, err)
	}
	applied, err := x.c.Apply(x.ctx, client.List{Specs: []desired.Spec{spec}, Prune: true, Selector: "of=whole"}, client.Write{IfMatch: list.ETag})
	x.must(err)
	if len(list.Containers) != 1 || applied.Updated != 1 || len(applied.Containers) != 1 {
		x.t.Errorf("%+v, then %+v", list, applied)
	}
}

// events reads events and follows changes and output.
func (x *exercise) events() {
	x.t.Helper()
	events, last, err := x.c.EventPage(x.ctx, "whole", 0, 3)
	x.must(err)
	all, _, err := x.c.EventPage(x.ctx, "", last, 0)
	x.must(err)
	if len(events) != 3 || len(all) == 0 || last != events[2].Seq {
		x.t.Errorf("%v, last %d, then %v", events, last, all)
	}
	for e, err := range x.c.Watch(x.ctx, client.Watch{Selector: "of=whole"}) {
		x.must(err)
		if e.Type == api.Bookmark {
			break
		}
	}
	for _, id := range []string{"whole", ""} {
		for m, err := range x.c.Follow(x.ctx, id, client.From{After: client.Now}) {
			x.must(err)
			if m.Kind == api.MessageWord {
				break
			}
		}
	}
}

// delete deletes the container.
func (x *exercise) delete() {
	x.t.Helper()
	receipt, err := x.c.Delete(x.ctx, "whole", client.Write{})
	x.must(err)
	if receipt.Pending() {
		x.t.Error("it is not gone")
	}
	if _, err := x.c.Get(x.ctx, "whole"); !errors.Is(err, client.ErrNotFound) {
		x.t.Errorf("it is still there: %v", err)
	}
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
