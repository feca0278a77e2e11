package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"

	"lightd/desired"
)

// firstPort is where the ports of the pool begin: an engine of its own has a network of its own, and a
// shared one is expected to have these free.
const firstPort = 21800

// play sets the node up, loads it, and inspects it when it has come to rest.
func (r *run) play(ctx context.Context, instance string) error {
	before, err := r.engine.resources(ctx)
	if err != nil {
		return err
	}
	if err := r.client.AddPorts(ctx, "127.0.0.1", firstPort, firstPort+2*r.options.slots-1, desired.TCP); err != nil {
		return err
	}
	for i := range r.options.slots {
		r.slots = append(r.slots, &slot{
			run: r, number: i, random: rand.New(rand.NewPCG(r.options.seed, uint64(i))), ports: [2]int{firstPort + 2*i, firstPort + 2*i + 1},
		})
	}
	rest, err := r.read(ctx)
	if err != nil {
		return err
	}
	// Both see everything, from the first write until nothing is left.
	followed, unfollow := context.WithCancel(ctx)
	defer unfollow()
	var followers sync.WaitGroup
	mirror, feed := new(mirror), new(feed)
	followers.Go(func() { r.watch(followed, mirror) })
	followers.Go(func() { r.journal(followed, feed) })

	r.load(ctx)
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted: %w", context.Cause(ctx))
	}
	if err := r.ready(ctx); err != nil {
		r.fail("%v", err)
	}
	r.inspect(ctx)
	r.compareJournal(ctx, unfollow, &followers, mirror, feed)
	r.discard(ctx)
	r.inspectEmpty(ctx, instance, before, rest)
	return nil
}

// load plays for the duration.
func (r *run) load(ctx context.Context) {
	r.samples = newSamples()
	ctx, cancel := context.WithTimeout(ctx, r.options.duration)
	defer cancel()
	var all sync.WaitGroup
	for _, s := range r.slots {
		all.Go(func() { s.live(ctx) })
	}
	for i := range readers {
		all.Go(func() { r.readAll(ctx, i, readings) })
	}
	for i := range followers {
		all.Go(func() { r.readAll(ctx, readers+i, following) })
	}
	all.Go(func() { r.sample(ctx) })
	all.Go(func() { r.disturb(ctx) })
	all.Wait()
}
