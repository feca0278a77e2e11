package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"lightd/httpapi/api"
	"lightd/httpapi/client"
)

// readers is how many goroutines read at once: they use what the slots leave of the rate. followers is how many
// follow something instead, which takes long and few requests.
const readers, followers = 6, 4

// followTime is how long one follows a console or a log.
const followTime = 20 * time.Second

// reading is something that changes nothing.
type reading struct {
	name string
	do   func(*run, context.Context, *rand.Rand, string) error
}

// readings are chosen evenly.
var readings = []reading{
	{"get", func(r *run, ctx context.Context, _ *rand.Rand, id string) error {
		_, err := r.client.Get(ctx, id)
		return err
	}},
	{"list", func(r *run, ctx context.Context, random *rand.Rand, _ string) error {
		_, err := r.client.List(ctx, fmt.Sprintf("slot=%d", random.IntN(len(r.slots))))
		return err
	}},
	{"list of all", func(r *run, ctx context.Context, _ *rand.Rand, _ string) error {
		_, err := r.client.ListFull(ctx, "")
		return err
	}},
	{"drift", func(r *run, ctx context.Context, _ *rand.Rand, _ string) error {
		_, err := r.client.NodeDrift(ctx, "")
		return err
	}},
	{"plan", func(r *run, ctx context.Context, _ *rand.Rand, id string) error {
		_, err := r.client.Plan(ctx, id)
		return err
	}},
	{"history", func(r *run, ctx context.Context, _ *rand.Rand, id string) error {
		_, err := r.client.History(ctx, id)
		return err
	}},
	{"events", func(r *run, ctx context.Context, _ *rand.Rand, id string) error {
		_, _, err := r.client.EventPage(ctx, id, 0, 100)
		return err
	}},
	{"log", func(r *run, ctx context.Context, _ *rand.Rand, id string) error {
		out, err := r.client.Logs(ctx, id, client.Logs{Tail: 100})
		return drain(out, err)
	}},
	{"install log", func(r *run, ctx context.Context, _ *rand.Rand, id string) error {
		out, err := r.client.InstallLog(ctx, id)
		return drain(out, err)
	}},
	{"figures", func(r *run, ctx context.Context, _ *rand.Rand, id string) error {
		_, err := r.client.Stats(ctx, id)
		return err
	}},
	{"dry run", func(r *run, ctx context.Context, _ *rand.Rand, id string) error {
		_, err := r.client.Patch(ctx, id, map[string]any{"limits": map[string]any{"memory": 256 << 20}}, client.Write{DryRun: true})
		return err
	}},
	{"token", func(r *run, ctx context.Context, _ *rand.Rand, _ string) error { return r.token(ctx) }},
	{"ports", func(r *run, ctx context.Context, _ *rand.Rand, _ string) error {
		_, err := r.client.Ports(ctx)
		return err
	}},
	{"metrics", func(r *run, ctx context.Context, _ *rand.Rand, _ string) error {
		text, err := r.client.Metrics(ctx)
		return drain(text, err)
	}},
}

// drain reads all of what was opened, unless that failed.
func drain(text io.ReadCloser, err error) error {
	if err != nil {
		return err
	}
	defer text.Close()
	_, err = io.Copy(io.Discard, text)
	return err
}

// following is the reading that takes long.
var following = []reading{{"follow", (*run).follow}}

// readAll reads at random, of some readings, until ctx ends.
func (r *run) readAll(ctx context.Context, number int, of []reading) {
	random := rand.New(rand.NewPCG(r.options.seed, 1<<33+uint64(number)))
	for ctx.Err() == nil {
		reading := of[random.IntN(len(of))]
		id := fmt.Sprintf("soak-%d-%d", random.IntN(len(r.slots)), 1+random.IntN(2))
		if known := r.known.Load(); known != nil && random.IntN(20) != 0 {
			id = (*known)[random.IntN(len(*known))]
		}
		r.perform(ctx, reading.name+" of "+id, reading.name, func() error { return reading.do(r, ctx, random, id) })
	}
}

// token makes a token, uses and revokes it.
func (r *run) token(ctx context.Context) error {
	made, err := r.client.CreateToken(ctx, api.TokenSpec{TTL: "1m"})
	if err != nil {
		return err
	}
	return r.client.RevokeToken(ctx, made.ID)
}

// follow follows the console, or all events, for a while.
func (r *run) follow(ctx context.Context, random *rand.Rand, id string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(random.Int64N(int64(followTime))))
	defer cancel()
	from := client.From{After: client.Now, Tail: 10}
	if random.IntN(2) == 0 {
		id, from.Tail = "", 0
	}
	for _, err := range r.client.Follow(ctx, id, from) {
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// mirror follows the watch of all containers until ctx ends, and keeps what it told.
type mirror struct {
	containers map[string]api.Container
	err        error
}

func (r *run) watch(ctx context.Context, m *mirror) {
	m.containers = map[string]api.Container{}
	for e, err := range r.quiet.Watch(ctx, client.Watch{}) {
		if err != nil {
			if ctx.Err() == nil {
				m.err = err
			}
			return
		}
		switch {
		case e.Container == nil:
			continue
		case e.Type == api.ChangeDeleted:
			delete(m.containers, e.Container.InternalID)
		default:
			m.containers[e.Container.InternalID] = *e.Container
		}
		ids := make([]string, 0, len(m.containers))
		for id := range m.containers {
			ids = append(ids, id)
		}
		if slices.Sort(ids); len(ids) > 0 {
			r.known.Store(&ids)
		}
	}
}

// feed is the journal as it was followed.
type feed struct {
	seqs map[string][]uint64 // by container
	last uint64
	err  error
}

// journal follows the events of all containers until ctx ends, and holds that none is missing.
func (r *run) journal(ctx context.Context, f *feed) {
	f.seqs = map[string][]uint64{}
	for e, err := range r.quiet.FollowEvents(ctx, "", 0) {
		if err != nil {
			if ctx.Err() == nil {
				f.err = err
			}
			return
		}
		if e.Seq != f.last+1 {
			r.fail("the journal goes on with event %d after %d", e.Seq, f.last)
		}
		f.last = e.Seq
		f.seqs[e.InternalID] = append(f.seqs[e.InternalID], e.Seq)
	}
}
