package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// mediaBytes is the media type of files.
const mediaBytes = "application/octet-stream"

// syncWithin is how long a daemon may take to bring a file to its disk once it has all of it.
const syncWithin = 10 * time.Minute

// upload makes a request with a body that is read while it is sent, and reads the answer's JSON into out. The
// daemon has Config.Timeout for each part of the body. size is 0 where it is not known.
func (c *Client) upload(ctx context.Context, r request, from io.Reader, size int64, out any) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(c.timeout, func() { cancel(errTooSlow) })
	defer late.Stop()
	var sent atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})
	body := &timedBody{from: from, late: late, timeout: c.timeout}
	req, err := http.NewRequestWithContext(traced, r.method, c.address(r), io.NopCloser(body))
	if err != nil {
		return c.transportError(ctx, r, false, err)
	}
	if req.ContentLength = size; size == 0 {
		req.ContentLength = -1
	}
	c.prepare(req.Header, r)
	req.Header.Set("Content-Type", mediaBytes)
	req.Header.Set("Expect", "100-continue") // a refusal comes before the body is sent
	response, err := c.http.Do(req)
	if err != nil {
		return c.transportError(ctx, r, sent.Load(), err)
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		return refusalOf(r, response)
	}
	if err := foreign(r, response); err != nil {
		return err
	}
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return c.transportError(ctx, r, true, err)
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("%s %s: read the answer: %w", r.method, r.path, err)
	}
	return nil
}

// timedBody is a body whose parts the daemon has to take in time. Where it comes from may take longer.
type timedBody struct {
	from    io.Reader
	late    *time.Timer
	timeout time.Duration
}

func (b *timedBody) Read(p []byte) (int, error) {
	b.late.Stop()
	n, err := b.from.Read(p)
	if err != nil {
		b.late.Reset(b.timeout + syncWithin)
	} else {
		b.late.Reset(b.timeout)
	}
	return n, err
}
