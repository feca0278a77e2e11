package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/sys/unix"

	"lightd/hack/program"
)

// bearer is the token of daemons that live for one run of the bench.
const bearer = "lightd_benchmark_of_this_machine"

// patience bounds every wait for the daemon.
const patience = 90 * time.Second

// atOnce is how many requests are made at once where nothing else is said.
const atOnce = 50

// daemon is a process of the program under measurement.
type daemon struct {
	*program.Process

	base   string
	http   *http.Client
	events *feed
	began  time.Time
	// answered is how long after its start the API answered first.
	answered time.Duration
}

// start runs the program on the data directory of this run until it is stopped.
func (l *lab) start(ctx context.Context, host string) (*daemon, error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find an address for the daemon: %w", err)
	}
	address := free.Addr().String()
	free.Close()
	began := time.Now()
	p, err := program.Start(l.log, []string{"LIGHTD_TOKEN=" + bearer, "LIGHTD_CONFIG=" + l.config}, l.binary,
		"serve", "--listen", address, "--data-dir", filepath.Join(l.dir, "data"), "--docker-host", host)
	if err != nil {
		return nil, err
	}
	d := &daemon{Process: p, base: "http://" + address, began: began,
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: atOnce}}}
	if err := d.ready(ctx); err != nil {
		return nil, errors.Join(err, d.stop())
	}
	if d.events, err = follow(ctx, d.base); err != nil {
		return nil, errors.Join(err, d.stop())
	}
	return d, nil
}

// ready waits until the API answers, and then until the daemon sees both its database and the engine.
func (d *daemon) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := d.poll(ctx, "/containers?limit=1", time.Millisecond); err != nil {
		return err
	}
	d.answered = time.Since(d.began)
	return d.poll(ctx, "/readyz", 5*time.Millisecond)
}

// poll requests a path until the answer is 200.
func (d *daemon) poll(ctx context.Context, path string, every time.Duration) error {
	for {
		status, err := d.call(ctx, http.MethodGet, path, nil, nil)
		if err == nil && status == http.StatusOK {
			return nil
		}
		if sleep(ctx, every) != nil {
			return fmt.Errorf("wait for the daemon: %w; its log ends:\n%s", errors.Join(context.Cause(ctx), err), d.Tail())
		}
	}
}

// stop ends the daemon the way an operator does. Containers go on running.
func (d *daemon) stop() error {
	if d.events != nil {
		d.events.close()
	}
	d.http.CloseIdleConnections()
	return d.Stop()
}

// call makes one request and returns the status; a nil answer is not read. Package client
// would repeat what is refused and check what is sent, and all that would be measured too.
func (d *daemon) call(ctx context.Context, method, path string, body, answer any) (int, error) {
	var content io.Reader
	if body != nil {
		// What is JSON already is sent as it is: to check it once more would be measured too.
		data, encoded := body.(json.RawMessage)
		if !encoded {
			var err error
			if data, err = json.Marshal(body); err != nil {
				return 0, fmt.Errorf("%s %s: %w", method, path, err)
			}
		}
		content = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, method, d.base+path, content)
	if err != nil {
		return 0, fmt.Errorf("%s %s: %w", method, path, err)
	}
	r.Header.Set("Authorization", "Bearer "+bearer)
	r.Header.Set("Accept", "application/json")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := d.http.Do(r)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err == nil && answer != nil && response.StatusCode < 300 {
		err = json.Unmarshal(data, answer)
	}
	if err != nil {
		return 0, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return response.StatusCode, nil
}

// must is call for requests that have to succeed.
func (d *daemon) must(ctx context.Context, method, path string, body, answer any) error {
	status, err := d.call(ctx, method, path, body, answer)
	if err == nil && status >= 300 {
		err = fmt.Errorf("%s %s: status %d; the daemon's log ends:\n%s", method, path, status, d.Tail())
	}
	return err
}

// await waits until each of ids has had an event of a type after a mark, and returns when
// each of them arrived.
func (d *daemon) await(ctx context.Context, mark int, kind string, ids []string) (map[string]time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	missing := map[string]bool{}
	for _, id := range ids {
		missing[id] = true
	}
	seen := map[string]time.Time{}
	for {
		fresh, news := d.events.since(mark)
		mark += len(fresh)
		for _, e := range fresh {
			if e.Type == kind && missing[e.InternalID] {
				delete(missing, e.InternalID)
				seen[e.InternalID] = e.at
			}
		}
		if len(missing) == 0 {
			return seen, nil
		}
		select {
		case <-news:
		case <-d.events.done:
			return nil, fmt.Errorf("wait for %s: event stream ended; the daemon's log ends:\n%s", kind, d.Tail())
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for %s of %d containers: %w; the daemon's log ends:\n%s", kind, len(missing), context.Cause(ctx), d.Tail())
		}
	}
}

// awaitStates waits until all ids are in a state.
func (d *daemon) awaitStates(ctx context.Context, ids []string, state string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, id := range ids {
		for {
			var view struct{ State string }
			if err := d.must(ctx, http.MethodGet, "/containers/"+id, nil, &view); err != nil {
				return err
			}
			if view.State == state {
				break
			}
			if err := sleep(ctx, 10*time.Millisecond); err != nil {
				return fmt.Errorf("wait for %s to be %s, it is %s: %w", id, state, view.State, err)
			}
		}
	}
	return nil
}

// resident is the process's memory in bytes.
func (d *daemon) resident() (int64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.PID()))
	if err != nil {
		return 0, fmt.Errorf("read memory of the daemon: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmRSS:" {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("read memory of the daemon: no VmRSS")
}

// cpu is the CPU time that the process has taken, in nanoseconds: what /proc has is in hundredths of a
// second.
func (d *daemon) cpu() (time.Duration, error) {
	const schedClock = 2 // CPUCLOCK_SCHED of Linux: of all threads, user and system
	var taken unix.Timespec
	if err := unix.ClockGettime(int32(^d.PID()<<3|schedClock), &taken); err != nil {
		return 0, fmt.Errorf("read CPU time of the daemon: %w", err)
	}
	return time.Duration(taken.Nano()), nil
}

// event is a lifecycle event, and when it arrived here.
type event struct {
	Kind       string `json:"event"`
	InternalID string `json:"internal_id"`
	Type       string `json:"type"`
	at         time.Time
}

// feed keeps the events of all containers as they arrive.
type feed struct {
	conn *websocket.Conn
	done chan struct{}

	mu   sync.Mutex
	all  []event
	news chan struct{} // closed and replaced at each event
}

func follow(ctx context.Context, base string) (*feed, error) {
	conn, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(base, "http")+"/ws", &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + bearer}},
	})
	if err != nil {
		return nil, fmt.Errorf("follow events: %w", err)
	}
	conn.SetReadLimit(-1)
	f := &feed{conn: conn, done: make(chan struct{}), news: make(chan struct{})}
	go f.read()
	return f, nil
}

func (f *feed) read() {
	defer close(f.done)
	for {
		_, data, err := f.conn.Read(context.Background())
		if err != nil {
			return
		}
		e := event{at: time.Now()}
		if json.Unmarshal(data, &e) != nil || e.Kind != "lifecycle" {
			continue
		}
		f.mu.Lock()
		f.all = append(f.all, e)
		close(f.news)
		f.news = make(chan struct{})
		f.mu.Unlock()
	}
}

func (f *feed) close() {
	_ = f.conn.CloseNow()
	<-f.done
}

// mark returns how many events have arrived until now.
func (f *feed) mark() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.all)
}

// since returns the events after a mark, and a channel that closes at the next one.
func (f *feed) since(mark int) ([]event, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.all[mark:len(f.all):len(f.all)], f.news
}
