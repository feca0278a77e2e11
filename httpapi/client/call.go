package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

const (
	mediaJSON  = "application/json"
	mediaMerge = "application/merge-patch+json"
)

// request is one call to be made.
type request struct {
	method string
	// path is escaped.
	path   string
	query  url.Values
	header http.Header
	// body is encoded as JSON; nil for none.
	body any
	// media is the type of body (default JSON), accept that of the answer (default JSON).
	media, accept string
	// repeats is true when the request may be sent again though it is not known whether it
	// was dealt with. Of a read that goes without saying.
	repeats bool
	// once is true when the first answer counts, whatever it is.
	once bool
	// waits is how long the daemon may wait by itself before it answers.
	waits time.Duration
}

// dry reports whether the request asks what would be.
func (r request) dry() bool { return r.query.Get("dry_run") == "true" }

// writes reports whether the request changes something.
func (r request) writes() bool { return r.method != http.MethodGet && !r.dry() }

// pathOf joins segments to a path, each escaped.
func pathOf(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(s))
	}
	return b.String()
}

// answer is a success.
type answer struct {
	status int
	header http.Header
	// repeated is true when an earlier attempt may have done it.
	repeated bool
}

// call makes a request, repeats it where that is safe, and reads the answer's JSON into
// out, if that is wanted.
func (c *Client) call(ctx context.Context, r request, out any) (answer, error) {
	var a answer
	err := c.repeat(ctx, r, func() error {
		ctx, cancel := context.WithTimeoutCause(ctx, c.timeout+r.waits, errTooSlow)
		defer cancel()
		response, err := c.send(ctx, r)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		data, err := io.ReadAll(response.Body)
		if err != nil {
			return c.transportError(ctx, r, true, err)
		}
		a.status, a.header = response.StatusCode, response.Header
		if out == nil {
			return nil
		}
		if err := json.Unmarshal(data, out); err != nil {
			return fmt.Errorf("%s %s: read the answer: %w", r.method, r.path, err)
		}
		return nil
	}, func(err error) { a.repeated = a.repeated || ambiguous(err) })
	return a, err
}

// open makes a request whose answer is read while it comes. Closing the body ends it, and
// so does the end of ctx.
func (c *Client) open(ctx context.Context, r request) (*body, error) {
	var b *body
	err := c.repeat(ctx, r, func() (err error) {
		b, err = c.begin(ctx, r)
		return err
	}, func(error) {})
	return b, err
}

// begin is one attempt of open.
func (c *Client) begin(ctx context.Context, r request) (*body, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(c.timeout+r.waits, func() { cancel(errTooSlow) })
	response, err := c.send(ctx, r)
	if !late.Stop() && err == nil {
		err = errors.Join(c.transportError(ctx, r, true, errTooSlow), response.Body.Close())
	}
	if err != nil {
		cancel(nil)
		return nil, err
	}
	return &body{response.Body, response, cancel}, nil
}

// body is what an open request is answered with.
type body struct {
	io.ReadCloser
	response *http.Response
	cancel   context.CancelCauseFunc
}

// Close ends the request.
func (b *body) Close() error {
	b.cancel(nil)
	return b.ReadCloser.Close()
}

// errTooSlow is a daemon that took longer than Config.Timeout.
var errTooSlow = errors.New("the daemon does not answer in time")

// send makes one attempt. Every answer but a success is an error.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	var payload io.Reader
	if r.body != nil {
		data, err := json.Marshal(r.body)
		if err != nil {
			return nil, fmt.Errorf("%s %s: encode the body: %w", r.method, r.path, err)
		}
		payload = bytes.NewReader(data)
	}
	var sent atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})
	req, err := http.NewRequestWithContext(traced, r.method, c.address(r), payload)
	if err != nil {
		return nil, c.transportError(ctx, r, false, err)
	}
	c.prepare(req.Header, r)
	response, err := c.http.Do(req)
	if err != nil {
		return nil, c.transportError(ctx, r, sent.Load(), err)
	}
	if response.StatusCode/100 != 2 {
		defer response.Body.Close()
		return nil, refusalOf(r, response)
	}
	if err := foreign(r, response); err != nil {
		return nil, errors.Join(err, response.Body.Close())
	}
	return response, nil
}

func (c *Client) address(r request) string {
	address := c.base.String() + r.path
	if len(r.query) > 0 {
		address += "?" + r.query.Encode()
	}
	return address
}

func (c *Client) prepare(h http.Header, r request) {
	if token := *c.token.Load(); token != "" {
		h.Set("Authorization", "Bearer "+token)
	}
	h.Set("User-Agent", c.agent)
	h.Set("Accept", orElse(r.accept, mediaJSON))
	if r.body != nil {
		h.Set("Content-Type", orElse(r.media, mediaJSON))
	}
	for name, values := range r.header {
		h[name] = values
	}
}

func orElse(s, absent string) string {
	if s == "" {
		return absent
	}
	return s
}

// transportError tells why there is none: the end of the context first, then err without the
// address around it.
func (c *Client) transportError(ctx context.Context, r request, sent bool, err error) *TransportError {
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return &TransportError{Method: r.method, Path: r.path, Sent: sent, Err: err, write: r.writes()}
}
