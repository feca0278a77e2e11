package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"lightd/hack/simengine"
)

const (
	toldTarget    = 15 * time.Millisecond
	watcherTarget = 12 << 10 // bytes
)

// measureWatches measures a daemon that many clients watch, and what a report of drift and a
// dry run cost.
func (l *lab) measureWatches(ctx context.Context) error {
	return l.simulated(func(_ *simengine.Sim, p *proxy) error {
		if err := l.populate(ctx, p); err != nil {
			return err
		}
		mark := p.mark()
		return l.with(ctx, p.host(), func(d *daemon) error {
			if err := l.awaitAll(ctx, d, p, mark, 0); err != nil {
				return err
			}
			if err := l.measureUnfollowed(ctx, d, p, mark); err != nil {
				return err
			}
			if err := l.measureReports(ctx, d, p); err != nil {
				return err
			}
			say("%d watchers", l.size.watchers)
			return l.measureTold(ctx, d)
		})
	})
}

// measureUnfollowed counts the streams that a daemon has opened since mark for containers that
// nobody follows, and what they cost.
func (l *lab) measureUnfollowed(ctx context.Context, d *daemon, p *proxy, mark int) error {
	if err := l.measureQuiet(ctx, d, p, l.size.known); err != nil {
		return err
	}
	calls, _ := p.since(mark)
	streams := slices.DeleteFunc(slices.Clone(calls), func(c call) bool {
		kind := c.kind()
		return !strings.HasSuffix(kind, "/attach") && !strings.HasSuffix(kind, "/stats") && !strings.HasSuffix(kind, "/logs")
	})
	l.report.Add("  streams of output or figures that it has opened", listed(streams), "0", len(streams) == 0)
	return nil
}

// measureReports measures what is answered from memory.
func (l *lab) measureReports(ctx context.Context, d *daemon, p *proxy) error {
	if err := settle(ctx, p); err != nil {
		return err
	}
	mark, began := p.mark(), time.Now()
	var report struct {
		InSync int `json:"in_sync"`
	}
	if err := d.must(ctx, http.MethodGet, "/drift", nil, &report); err != nil {
		return err
	}
	took := time.Since(began)
	if report.InSync != l.size.known {
		return fmt.Errorf("measure drift: %d of %d containers are in sync", report.InSync, l.size.known)
	}
	id := l.crowd()[0]
	change := map[string]any{"env": map[string]string{"A": "b"}}
	for _, one := range []struct {
		method, path string
		body         any
	}{
		{http.MethodGet, "/containers/" + id + "/drift", nil}, {http.MethodGet, "/containers/" + id + "/plan", nil},
		{http.MethodPatch, "/containers/" + id + "?dry_run=true", change},
	} {
		if err := d.must(ctx, one.method, one.path, one.body, nil); err != nil {
			return err
		}
	}
	if err := settle(ctx, p); err != nil {
		return err
	}
	calls, _ := p.since(mark)
	l.report.Note(fmt.Sprintf("report of drift of %d containers", l.size.known), ms(took), times("lightd", []time.Duration{took}))
	l.report.Add("  Docker calls of it, of a plan and of a dry run", listed(calls), "0", len(calls) == 0)
	return nil
}

// measureTold measures how long a change takes to all l.size.watchers, and what each of them costs.
func (l *lab) measureTold(ctx context.Context, d *daemon) error {
	before, err := d.resident()
	if err != nil {
		return err
	}
	began := time.Now()
	crowd, err := d.gather(ctx, l.size.watchers)
	if err != nil {
		return err
	}
	defer crowd.leave()
	l.report.Note(fmt.Sprintf("%d watchers at once, until each has the list of %d containers", l.size.watchers, l.size.known), ms(time.Since(began)))
	var took []time.Duration
	for n := range l.size.changes {
		mark := fmt.Sprintf("told-%d-", n)
		began := time.Now()
		patch := map[string]any{"labels": map[string]string{"mark": mark}}
		if err := d.must(ctx, http.MethodPatch, "/containers/"+l.crowd()[n], patch, nil); err != nil {
			return err
		}
		last, err := crowd.await(ctx, mark)
		if err != nil {
			return err
		}
		took = append(took, last.Sub(began))
	}
	l.report.Add(fmt.Sprintf("one change, from the request until all of %d watchers have it (%d changes)", l.size.watchers, l.size.changes), spread(took),
		"median < 15 ms", median(took) < toldTarget, times("lightd", took))
	if err := sleep(ctx, l.size.idle); err != nil {
		return err
	}
	after, err := d.resident()
	if err != nil {
		return err
	}
	each := (after - before) / int64(l.size.watchers)
	l.report.Add("  resident memory of the daemon for each of them", fmt.Sprintf("%d KB", each>>10), "< 12 KB", each < watcherTarget, bytesOf("lightd", each))
	return nil
}

// audience is many watchers.
type audience []*listener

// listener is one watcher, who looks for marks in what it reads, and no further.
type listener struct {
	conn net.Conn
	// rest is what was read last and may begin a mark.
	rest, buffer []byte
}

// gather opens n watches, and returns when each has the whole list.
func (d *daemon) gather(ctx context.Context, n int) (audience, error) {
	all := make(audience, n)
	group, ctx := errgroup.WithContext(ctx)
	for i := range all {
		group.Go(func() error {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", strings.TrimPrefix(d.base, "http://"))
			if err != nil {
				return fmt.Errorf("open a watch: %w", err)
			}
			all[i] = &listener{conn: conn, buffer: make([]byte, 16<<10)}
			_, err = fmt.Fprintf(conn, "GET /containers?watch=true HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", conn.RemoteAddr(), bearer)
			if err == nil {
				_, err = all[i].find(`"BOOKMARK"`)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		all.leave()
		return nil, err
	}
	return all, nil
}

func (a audience) leave() {
	for _, one := range a {
		if one != nil {
			one.conn.Close()
		}
	}
}

// await returns when the last of all has read a mark.
func (a audience) await(ctx context.Context, mark string) (last time.Time, err error) {
	at := make([]time.Time, len(a))
	group, _ := errgroup.WithContext(ctx)
	for i, one := range a {
		group.Go(func() (err error) {
			at[i], err = one.find(mark)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return last, err
	}
	for _, t := range at {
		if t.After(last) {
			last = t
		}
	}
	return last, nil
}

// find reads until a mark, and returns when it came.
func (l *listener) find(mark string) (time.Time, error) {
	_ = l.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		n, err := l.conn.Read(l.buffer)
		at := time.Now()
		l.rest = append(l.rest, l.buffer[:n]...)
		if bytes.Contains(l.rest, []byte(mark)) {
			l.rest = l.rest[:0]
			return at, nil
		}
		if err != nil {
			return at, fmt.Errorf("watch: wait for %s: %w", mark, err)
		}
		if more := len(l.rest) - len(mark); more > 0 {
			l.rest = append(l.rest[:0], l.rest[more:]...)
		}
	}
}
