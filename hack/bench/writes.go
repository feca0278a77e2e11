package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/dgraph-io/badger/v4"

	"lightd/desired"
	"lightd/hack/simengine"
)

const (
	// manyClients is how many write or read at once.
	manyClients = 64
	// floorRate is the part of the floor's rate that is wanted.
	floorRate = 0.7
)

// measureWrites measures POST /containers, on disk when answered, and Badger alone in turn: as many
// synced transactions of one record of the same size, on the same disk. The daemon goes on to make the
// containers meanwhile, on an engine that is simulated. etcd is left out: it is another program with
// a network between, and says nothing about what this one could reach.
func (l *lab) measureWrites(ctx context.Context) error {
	return l.simulated(func(_ *simengine.Sim, p *proxy) error {
		return l.with(ctx, p.host(), func(d *daemon) (err error) {
			db, err := badger.Open(badger.DefaultOptions(filepath.Join(l.dir, "badger")).WithSyncWrites(true).WithLogger(nil).WithMemTableSize(32 << 20))
			if err != nil {
				return fmt.Errorf("open Badger: %w", err)
			}
			defer func() { err = errors.Join(err, db.Close()) }()
			volumes, err := d.furnish(ctx, 1)
			if err != nil {
				return err
			}
			return errors.Join(l.comparePosts(ctx, d, db, volumes[0], 1, l.size.requests), l.comparePosts(ctx, d, db, volumes[0], manyClients, 4*l.size.requests))
		})
	})
}

func (l *lab) comparePosts(ctx context.Context, d *daemon, db *badger.DB, volume string, clients, n int) error {
	record, err := l.record(volume)
	if err != nil {
		return err
	}
	c := &comparison{
		what:   "POST /containers, " + counted(clients, "client"),
		beside: fmt.Sprintf("Badger alone, %d bytes", len(record)), unit: "/s", target: atLeast(floorRate),
	}
	return l.inTurn(ctx, func(round int) error {
		ids, bodies := make([]string, n), make([][]byte, n)
		for i := range ids {
			ids[i] = fmt.Sprintf("post-%d-%d-%d", clients, round, i)
			if bodies[i], err = json.Marshal(l.spec(ids[i], volume, "stopped", 0)); err != nil {
				return err
			}
		}
		floor, err := ratePer(ctx, clients, n, func(_, i int) error {
			return db.Update(func(tx *badger.Txn) error { return tx.Set([]byte(ids[i]), record) })
		})
		if err != nil {
			return fmt.Errorf("write to Badger: %w", err)
		}
		mark := d.events.mark()
		ours, err := rateOf(ctx, strings.TrimPrefix(d.base, "http://"), clients, n, func(c *loadClient, i int) error {
			return c.do(http.MethodPost, "/containers", bodies[i])
		})
		if err != nil {
			return err
		}
		c.add(floor, ours)
		if _, err := d.await(ctx, mark, "Ready", ids); err != nil {
			return err
		}
		return d.delete(ctx, ids)
	}, c)
}

// record is what the daemon stores of such a container.
func (l *lab) record(volume string) ([]byte, error) {
	body, err := json.Marshal(l.spec("post-0-0", volume, "stopped", 0))
	if err != nil {
		return nil, err
	}
	spec := desired.DefaultSpec()
	if err := json.Unmarshal(body, &spec); err != nil {
		return nil, fmt.Errorf("read a spec: %w", err)
	}
	return json.Marshal(desired.Container{Spec: spec.Normalize(), Generation: 1})
}
