package terminal

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// FollowSize calls resize with the size of the terminal that a stream is, now and whenever that changes, until the
// function that it returns is called.
func FollowSize(ctx context.Context, stream any, resize func(ctx context.Context, cols, rows int)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, syscall.SIGWINCH)
	var following sync.WaitGroup
	following.Go(func() {
		for {
			if cols, rows := Size(stream); cols > 0 && rows > 0 {
				resize(ctx, cols, rows)
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		signal.Stop(changed)
		cancel()
		following.Wait()
	}
}
