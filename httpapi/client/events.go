package client

import (
	"context"
	"iter"
	"net/url"
	"strconv"

	"lightd/observed/journal"
)

// Now stands, where events are asked for, for the last one that there is.
const Now uint64 = 1 << 63

// pageSize is how many events are asked for at a time; the most that the daemon gives.
const pageSize = 1000

// EventPage reads at most limit (1 to 1,000; 0 for 100) events after one of number after,
// oldest first, of one container or, for the id "", of all; and the number to go on after.
func (c *Client) EventPage(ctx context.Context, id string, after uint64, limit int) (events []journal.Event, last uint64, err error) {
	r := get("events")
	if id != "" {
		r = get("containers", id, "events")
	}
	r.query = url.Values{"after": {strconv.FormatUint(after, 10)}}
	if limit != 0 {
		r.query.Set("limit", strconv.Itoa(limit))
	}
	var page struct {
		Events  []journal.Event `json:"events"`
		LastSeq uint64          `json:"last_seq"`
	}
	_, err = c.call(ctx, r, &page)
	return page.Events, page.LastSeq, err
}

// Events tells the events after one of number after, of one container or, for the id "", of
// all, until there are no more. An error ends it.
func (c *Client) Events(ctx context.Context, id string, after uint64) iter.Seq2[journal.Event, error] {
	return func(yield func(journal.Event, error) bool) {
		for {
			events, last, err := c.EventPage(ctx, id, after, pageSize)
			if err != nil {
				yield(journal.Event{}, err)
				return
			}
			for _, e := range events {
				if !yield(e, nil) {
					return
				}
			}
			if len(events) < pageSize || last <= after {
				return
			}
			after = last
		}
	}
}

// FollowEvents is Events that goes on with what happens, each event once and in order,
// until ctx ends, the loop is left or, without an error, the container is deleted. Begin
// with Now for what is to come.
func (c *Client) FollowEvents(ctx context.Context, id string, after uint64) iter.Seq2[journal.Event, error] {
	return func(yield func(journal.Event, error) bool) {
		for m, err := range c.Follow(ctx, id, From{After: after}) {
			if err != nil {
				yield(journal.Event{}, err)
				return
			}
			if m.Lifecycle != nil && !yield(*m.Lifecycle, nil) {
				return
			}
		}
	}
}
