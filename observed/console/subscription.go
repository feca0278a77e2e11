package console

// Chunk is a piece of output.
type Chunk struct {
	// Lost is how many bytes were dropped before Text, because the subscriber was slow.
	Lost int64
	// Text is valid UTF-8. It ends at a line end, unless the program left its line open
	// or the line is very long.
	Text string
}

// Subscription is one follower of the output of an id.
type Subscription struct {
	out chan Chunk
}

// Subscribe follows the output of id, of whichever of its containers runs, now and later.
func (c *Console) Subscribe(id string) *Subscription { return &Subscription{} }

// C returns the channel of output. It is closed after Close, and when the console closes.
func (s *Subscription) C() <-chan Chunk { return s.out }

// Close ends the subscription. It may be called more than once.
func (s *Subscription) Close() {}
