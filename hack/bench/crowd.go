package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"
)

const (
	crowdSize   = 100
	stuck       = 10
	crowdMemory = 64 << 20
)

// measureCrowd has many clients follow the flood, of which some do not read.
func (l *lab) measureCrowd(ctx context.Context) error {
	return l.onStage(ctx, true, func(s *stage) error { return s.measureCrowd(ctx) })
}

func (s *stage) measureCrowd(ctx context.Context) error {
	say("print %d lines to %d clients, %d of them stuck", floodLines, crowdSize, stuck)
	var clients []*receiver
	defer func() {
		for _, c := range clients {
			c.close()
		}
	}()
	for range crowdSize {
		c, err := s.d.receive(ctx, s.plain())
		if err != nil {
			return err
		}
		clients = append(clients, c)
	}
	tallies, took := make([]tally, crowdSize-stuck), time.Duration(0)
	grown, err := s.grows(ctx, func() error {
		began := time.Now()
		if err := s.order(ctx, s.plain(), "flood"); err != nil {
			return err
		}
		errs := make([]error, len(tallies))
		var all sync.WaitGroup
		for i := range tallies {
			clients[i].within(floodTime)
			all.Go(func() { errs[i] = clients[i].flood(&tallies[i]) })
		}
		all.Wait()
		took = time.Since(began)
		return errors.Join(errs...)
	})
	complete := 0
	var lost []string
	for i := range tallies {
		if tallies[i].complete() {
			complete++
		} else {
			lost = append(lost, tallies[i].lost)
		}
	}
	if err != nil {
		say("  %v", err)
	}
	slices.Sort(lost)
	for _, text := range slices.Compact(lost) {
		say("  %s", text)
	}
	s.report.Add(fmt.Sprintf("clients that get all of them, of %d beside %d stuck ones", len(tallies), stuck),
		fmt.Sprintf("%d in %s, %.0f MB/s together", complete, ms(took), float64(len(tallies))*s.rate(took)), strconv.Itoa(len(tallies)), complete == len(tallies),
		times("all of them", []time.Duration{took}))
	s.report.Add("  growth of the daemon's memory meanwhile", mb(grown), "< 64 MB", grown < crowdMemory)
	return nil
}
