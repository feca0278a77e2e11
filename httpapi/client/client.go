package client

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// Config says which daemon a Client talks to, and how.
type Config struct {
	// URL is where the daemon listens, as in "http://127.0.0.1:8070", "https://node-1:8070" or
	// "unix:///run/lightd.sock"; a path behind a host is put before those of all routes.
	URL string
	// Pin is the SHA-256 fingerprint of the daemon's certificate, which then is the only one that is
	// accepted, whoever signed it. Empty leaves it to the authorities that the system trusts.
	Pin string
	// Certificate identifies the client to a daemon that asks for a certificate (tls.client_ca).
	Certificate *tls.Certificate
	// Token goes into the Authorization header of every request. Empty for the public routes
	// alone. One that works only once goes with a negative Patience: a repetition could
	// only fail.
	Token string
	// HTTP makes the requests (default: a client of its own). Its redirects are not followed.
	// A Timeout in it would cut streams.
	HTTP *http.Client
	// UserAgent names the program (default "lightd-client").
	UserAgent string
	// Timeout bounds what an answer may take beyond what its request waits for by itself
	// (default 30 s); of a stream, until it begins.
	Timeout time.Duration
	// Patience is for how long what failed is tried again, from its first failure on
	// (default 15 s); Forever leaves the end to the context, negative is not at all.
	Patience time.Duration
}

// Forever is a Patience without an end.
const Forever time.Duration = 1<<63 - 1

const (
	defaultAgent    = "lightd-client"
	defaultTimeout  = 30 * time.Second
	defaultPatience = 15 * time.Second
)

// Client talks to one daemon. Its methods may be used by any number of goroutines.
type Client struct {
	base     *url.URL
	shown    string // the URL as it was given
	http     *http.Client
	own      bool // http was made here
	agent    string
	timeout  time.Duration
	patience time.Duration
	// token is behind a pointer, so that no print of the Client shows it.
	token *atomic.Pointer[string]
}

// New returns a Client. It makes no connection.
func New(cfg Config) (*Client, error) {
	base, socket, err := parseBase(cfg.URL)
	if err != nil {
		return nil, err
	}
	if cfg.HTTP != nil && (socket != "" || cfg.Pin != "" || cfg.Certificate != nil) {
		return nil, errors.New("a unix socket, a pin and a certificate are for the client's own connections, and Config.HTTP brings others")
	}
	c := &Client{base: base, shown: base.String(), agent: cfg.UserAgent, timeout: cfg.Timeout, patience: cfg.Patience, own: cfg.HTTP == nil, token: new(atomic.Pointer[string])}
	if err := c.SetToken(cfg.Token); err != nil {
		return nil, err
	}
	if c.agent == "" {
		c.agent = defaultAgent
	}
	if c.timeout == 0 {
		c.timeout = defaultTimeout
	}
	if c.patience == 0 {
		c.patience = defaultPatience
	}
	h := http.Client{}
	if c.own {
		if h.Transport, err = newTransport(cfg, socket); err != nil {
			return nil, err
		}
	} else {
		h = *cfg.HTTP
	}
	if socket != "" {
		c.shown = cfg.URL
	}
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.http = &h
	return c, nil
}

// SetToken changes the token of all later requests, those of streams that connect again
// included. Console.Renew tells it to an open WebSocket.
func (c *Client) SetToken(token string) error {
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return errors.New("read the token: it holds a blank or a character that no token has")
	}
	c.token.Store(&token)
	return nil
}

// parseBase never repeats an address that may hold a secret. socket is the path of a unix socket.
func parseBase(text string) (base *url.URL, socket string, err error) {
	base, err = url.Parse(text)
	switch {
	case err != nil:
		return nil, "", errors.New("read the daemon's URL: it is malformed")
	case base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, "", errors.New("read the daemon's URL: it must hold no user, query or fragment")
	case base.Scheme == "unix" && base.Host == "" && strings.HasPrefix(base.Path, "/"):
		return &url.URL{Scheme: "http", Host: "localhost"}, base.Path, nil
	case base.Scheme != "http" && base.Scheme != "https" || base.Hostname() == "":
		return nil, "", fmt.Errorf("read the daemon's URL %q: it must be as in \"http://127.0.0.1:8070\", \"https://node-1:8070\" or \"unix:///run/lightd.sock\"", text)
	}
	base.Path = strings.TrimRight(base.Path, "/")
	base.RawPath = strings.TrimRight(base.RawPath, "/")
	return base, "", nil
}

// URL returns where the daemon listens.
func (c *Client) URL() string { return c.shown }

// Close closes the connections that are kept for later requests. It does nothing to a
// client that Config.HTTP brought, nor to streams.
func (c *Client) Close() {
	if c.own {
		c.http.CloseIdleConnections()
	}
}
