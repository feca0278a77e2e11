package socket

import (
	"context"

	"lightd/observed"
	"lightd/observed/console"
	"lightd/observed/containerio"
	"lightd/observed/stdin"
)

// Console carries what passes between clients and processes.
type Console interface {
	Subscribe(id string, from console.From) Output
	SubscribeStats(id string) Stats
	// OpenInput returns the way of one client to the standard input.
	OpenInput(id string) Input
	// History hands what lies behind From to fn, and ends where that ends.
	History(ctx context.Context, id string, from console.From, fn func(console.Chunk) error) error
}

// Output is one follower of what a container prints.
type Output interface {
	C() <-chan console.Chunk
	Close()
}

// Input is where one client writes. Its lines and those of others are kept apart.
type Input interface {
	Write(ctx context.Context, data []byte) error
	Resize(ctx context.Context, s stdin.Size) error
	Close()
}

// Stats is one follower of what a container uses.
type Stats interface {
	C() <-chan observed.Stats
	Close()
}

// Live returns c as a Console.
func Live(c *containerio.IO) Console { return live{c} }

type live struct{ *containerio.IO }

func (l live) Subscribe(id string, from console.From) Output {
	return l.IO.Subscribe(id, from)
}
func (l live) SubscribeStats(id string) Stats { return l.IO.SubscribeStats(id) }
func (l live) OpenInput(id string) Input      { return l.IO.OpenInput(id) }
