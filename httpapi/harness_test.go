package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"lightd/desired"
	"lightd/desired/kv"
	"lightd/desired/store"
	"lightd/desired/token"
	"lightd/hack/conform"
	"lightd/hack/eventually"
	"lightd/hack/harness"
	"lightd/httpapi/api"
	"lightd/httpapi/containers"
	"lightd/httpapi/rest"
	"lightd/observed"
	"lightd/observed/console"
	"lightd/observed/files"
	"lightd/observed/journal"
	"lightd/observed/records"
	"lightd/observed/status"
)

func TestMain(m *testing.M) {
	eventually.Main(m,
		goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

const masterToken = "lightd_master_0123456789"

// config is what a test may tune of a testServer.
type config struct {
	State
	Node
	Options
	log *slog.Logger
}

// testServer is a Server over a real database.
type testServer struct {
	*Server
	t        testing.TB
	store    *store.Store
	records  *records.Statuses
	journal  *records.Journal
	engine   *engineSwitch
	console  *fakeConsole
	drifts   *fakeDrifts
	drains   *fakeDrain
	tokens   *agedTokens
	free     atomic.Uint64
	volume   string
	logs     *harness.Buffer
	database *switchedDatabase
	url      string
	client   *http.Client
}

func newNode(t *testing.T, tune ...func(*config)) *testServer {
	t.Helper()
	return newNodeFor(t, tune...)
}

func newNodeFor(t testing.TB, tune ...func(*config)) *testServer {
	t.Helper()
	n := &testServer{t: t, engine: &engineSwitch{}, logs: &harness.Buffer{}, drifts: &fakeDrifts{}, drains: &fakeDrain{},
		console: &fakeConsole{outputs: map[string]chan console.Chunk{}, figures: map[string]chan observed.Stats{}}}
	n.free.Store(1 << 40)
	dir := t.TempDir()
	n.store = harness.Value[*store.Store](t)(store.Open(filepath.Join(dir, "db"), store.Options{
		Rules:    desired.Rules{AllowedMounts: []string{"/srv"}},
		Database: kv.Options{FreeSpace: func(string) (uint64, error) { return n.free.Load(), nil }},
	}))
	t.Cleanup(func() { _ = n.store.Close() })
	volumes := harness.Value[*store.Volumes](t)(n.store.Volumes(t.Context(), filepath.Join(dir, "volumes")))
	t.Cleanup(func() { _ = volumes.Close() })
	n.records = harness.Value[*records.Statuses](t)(records.OpenStatuses(n.store.DB))
	n.journal = harness.Value[*records.Journal](t)(records.OpenJournal(n.store.DB))
	master := harness.Value[*token.Master](t)(token.Given(masterToken))
	n.tokens = &agedTokens{Keeper: harness.Value[*token.Keeper](t)(token.Open(n.store.DB, master))}
	n.database = &switchedDatabase{Store: n.store}
	cfg := config{
		State: State{Store: n.database, Volumes: volumes, Files: &files.Trees{Volumes: volumes}, Tokens: n.tokens, Statuses: n.records, Journal: n.journal},
		Node: Node{
			Engine: n.engine, PingEngine: n.engine.Ping, Controller: controller{planner{n.records, n.engine}, n.drifts, n.drains},
			OtherInstances: n.drifts, Console: n.console, Metrics: metricsOfNobody, Backup: backupOfNothing,
			Measurer: figures{}, Host: func(context.Context) api.Node { return api.Node{Version: "test", Disks: []api.Disk{}} },
			InstallLog: func(id string) (io.ReadCloser, error) {
				if id == "web" {
					return io.NopCloser(strings.NewReader("installed\n")), nil
				}
				return nil, fs.ErrNotExist
			},
		},
		Options: Options{Options: containers.Options{DeleteWait: 20 * time.Millisecond, Cores: 4}, DatabaseTimeout: 5 * eventually.Bound},
		log:     slog.New(slog.NewTextHandler(n.logs, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	for _, fn := range tune {
		fn(&cfg)
	}
	n.Server = harness.Value[*Server](t)(New(cfg.State, cfg.Node, cfg.Options, cfg.log))
	t.Cleanup(n.Close)
	server := httptest.NewUnstartedServer(nil)
	server.Config = NewHTTPServer(n.Handler(), cfg.log)
	server.Start()
	t.Cleanup(server.Close)
	n.url, n.client = server.URL, server.Client()
	n.client.Transport = harness.Value[http.RoundTripper](t)(conform.Transport(n.client.Transport, func(err error) { t.Error(err) }))
	n.volume = harness.Value[store.Volume](t)(volumes.Create(t.Context(), store.Creator{})).ID
	if err := n.store.AddPorts(t.Context(), []desired.Endpoint{
		{IP: "0.0.0.0", Port: 25565, Protocol: desired.TCP}, {IP: "0.0.0.0", Port: 25566, Protocol: desired.TCP},
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	text   string
	json   map[string]any
}

// send makes a request with the master token; header holds "Name: value" lines, of
// which an empty value removes a header.
func (n *testServer) send(method, path, body string, header ...string) (a answer) {
	n.t.Helper()
	if len(body) <= rest.MaxBody {
		a, err := n.try(method, path, body, header...)
		if err != nil {
			n.t.Fatal(err)
		}
		return a
	}
	// What is too large can be cut off before the client reads why: it asks again.
	eventually.Poll(n.t, func() (err error) {
		a, err = n.try(method, path, body, header...)
		return err
	})
	return a
}

// try is send, which may fail.
func (n *testServer) try(method, path, body string, header ...string) (answer, error) {
	r, err := http.NewRequest(method, n.url+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Authorization", "Bearer "+masterToken)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		if value == "" {
			r.Header.Del(name)
			continue
		}
		r.Header.Set(name, value)
	}
	return n.exchange(r)
}

func (n *testServer) do(r *http.Request) answer {
	n.t.Helper()
	return harness.Value[answer](n.t)(n.exchange(r))
}

func (n *testServer) exchange(r *http.Request) (answer, error) {
	response, err := n.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: response.StatusCode, header: response.Header, text: string(text)}
	if strings.Contains(response.Header.Get("Content-Type"), "json") && r.Method != http.MethodHead && response.Header.Get("Content-Encoding") == "" {
		if err := json.Unmarshal(text, &a.json); err != nil {
			return a, fmt.Errorf("%s %s: %q is not JSON: %w", r.Method, r.URL.Path, text, err)
		}
	}
	return a, nil
}

// temporary makes a token.
func (n *testServer) temporary(ttl string, once bool) string {
	n.t.Helper()
	return n.send("POST", "/auth/tokens", fmt.Sprintf(`{"ttl":%q,"remove_on_use":%v}`, ttl, once)).want(n.t, 201, "").json["token"].(string)
}

// want fails the test unless a has the status, and the text in its body.
func (a answer) want(t testing.TB, status int, text string) answer {
	t.Helper()
	if a.status != status || !strings.Contains(a.text, text) {
		t.Fatalf("got %d %s, want %d with %q", a.status, a.text, status, text)
	}
	return a
}

func (n *testServer) spec(id string) string {
	return fmt.Sprintf(`{"internal_id":%q,"image":"alpine:3","volume_id":%q,"startup_command":"sleep 1"}`, id, n.volume)
}

func (n *testServer) create(id string) {
	n.t.Helper()
	n.send("POST", "/containers", n.spec(id)).want(n.t, 201, "Container creation started")
}

// record writes a status and events, as the controller does.
func (n *testServer) record(id string, fn func(*status.Status), types ...journal.Type) {
	n.t.Helper()
	err := n.store.Update(context.Background(), func(tx *store.Tx) error {
		st, _ := n.records.Get(id)
		st = st.Clone()
		st.InternalID = id
		if fn != nil {
			fn(&st)
		}
		errs := []error{n.records.Put(tx.Tx, st)}
		for _, kind := range types {
			_, err := n.journal.Append(tx.Tx, journal.Event{InternalID: id, Type: kind})
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
	if err != nil {
		n.t.Fatal(err)
	}
}

// installed records that the installation in hand has ended well.
func (n *testServer) installed(id string) {
	n.t.Helper()
	c, _ := n.store.Container(id)
	n.record(id, func(st *status.Status) {
		st.InstallState, st.State = status.Ready, status.StateOffline
		st.Install = status.Install{Request: c.Requests.Install, Phase: status.InstallDone}
	})
}

// remove is the finalizer's part of a deletion.
func (n *testServer) remove(id string) {
	n.t.Helper()
	err := n.store.Update(context.Background(), func(tx *store.Tx) error {
		if err := tx.RemoveContainer(id); err != nil {
			return err
		}
		_, err := n.journal.Append(tx.Tx, journal.Event{InternalID: id, Type: journal.Deleted})
		return errors.Join(err, n.records.Delete(tx.Tx, id))
	})
	if err != nil {
		n.t.Fatal(err)
	}
}

// dump is everything that the database holds but its counters.
func (n *testServer) dump() string {
	n.t.Helper()
	var b strings.Builder
	err := n.store.View(func(tx *store.Tx) error {
		return tx.Scan(nil, nil, func(k, v []byte) bool {
			if string(k) != "m/counters" {
				fmt.Fprintf(&b, "%q=%q\n", k, v)
			}
			return true
		})
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return b.String()
}

func newRecorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }

var parameters = regexp.MustCompile(`:(\w+)`)

// templateOf is the path of a route as the OpenAPI document writes it.
func templateOf(path string) string { return parameters.ReplaceAllString(path, "{$1}") }
