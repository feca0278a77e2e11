package client

import (
	"context"
	"net/url"
	"strconv"

	"lightd/httpapi/api"
)

// Logs says which part of a container's output is wanted.
type Logs struct {
	// Since is where to begin: what Output.Position returned, or a time as in RFC 3339.
	Since string
	// Tail is how many of the last lines, at most 5,000, where Since says nothing; 0 is
	// what the daemon takes for enough, below 0 is none.
	Tail int
	// Follow goes on with what is printed next.
	Follow bool
	// Timestamps has each line begin with the time that Docker's log has for it; not with Follow.
	Timestamps bool
}

// Logs opens what a container printed, as text; Close it. It is read once: a text that
// breaks off ends with an error, and Console has what begins again by itself. What of the
// output is missing is told in lines of their own, as "[lightd: ...]".
func (c *Client) Logs(ctx context.Context, id string, l Logs) (*Output, error) {
	r := get("containers", id, "logs")
	r.accept = "text/plain"
	r.query = url.Values{}
	switch {
	case l.Since != "":
		r.query.Set("since", l.Since)
	case l.Tail != 0:
		r.query.Set("tail", strconv.Itoa(max(0, l.Tail)))
	}
	if l.Follow {
		r.query.Set("follow", "true")
	}
	if l.Timestamps {
		r.query.Set("timestamps", "true")
	}
	b, err := c.open(ctx, r)
	if err != nil {
		return nil, err
	}
	return &Output{b}, nil
}

// Output is text that a container printed.
type Output struct{ body *body }

// Read reads text. It returns io.EOF where the daemon has ended it.
func (o *Output) Read(p []byte) (int, error) { return o.body.Read(p) }

// Close ends the request.
func (o *Output) Close() error { return o.body.Close() }

// Position is behind the text, for another Logs.Since. It is known after io.EOF, and empty
// when nothing was printed.
func (o *Output) Position() string { return o.body.response.Trailer.Get(api.TrailerPosition) }

// End says why a text that was followed has ended. It is known after io.EOF.
func (o *Output) End() string { return o.body.response.Trailer.Get(api.TrailerEnd) }
