package webhook

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"lightd/httpapi/selector"
	"lightd/httpapi/suggest"
	"lightd/observed/journal"
)

// Config is one webhook.
type Config struct {
	// Name is unique among the webhooks of a node. How far a webhook is, is recorded by its name.
	Name, URL string
	// Secret is the key of the signatures.
	Secret string
	// Types are the types of events that are sent; none are all.
	Types []journal.Type
	// Selector selects containers by their labels; empty is all, and the events of the node.
	Selector string
	// PlainHTTP allows http:// to hosts other than loopback.
	PlainHTTP bool
}

const (
	// minSecret is the length of a secret at least, in bytes.
	minSecret = 16
	// maxWebhooks bounds the webhooks of a node.
	maxWebhooks = 100
)

var validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// CheckAll reports what is wrong with the webhooks of a node, naming the webhook, and at which of the list.
func CheckAll(list []Config) (at int, err error) {
	if len(list) > maxWebhooks {
		return maxWebhooks, fmt.Errorf("there are %d webhooks, and at most %d are possible", len(list), maxWebhooks)
	}
	names := map[string]bool{}
	for i, c := range list {
		if !validName.MatchString(c.Name) {
			return i, fmt.Errorf("webhook %d: the name %q is not 1 to 64 letters, digits, dots, dashes and underscores", i+1, c.Name)
		}
		if names[c.Name] {
			return i, fmt.Errorf("the name %q is used by two webhooks", c.Name)
		}
		names[c.Name] = true
		if err := c.check(); err != nil {
			return i, fmt.Errorf("webhook %s: %w", c.Name, err)
		}
	}
	return 0, nil
}

func (c Config) check() error {
	if err := c.checkURL(); err != nil {
		return err
	}
	if c.Secret == "" {
		return errors.New("the secret is missing: set secret_file, or secret")
	}
	if len(c.Secret) < minSecret {
		return fmt.Errorf("the secret has %d characters, and %d at least are needed", len(c.Secret), minSecret)
	}
	for _, t := range c.Types {
		if !slices.Contains(journal.Types, t) {
			return fmt.Errorf("%q is no type of event%s", t, nearest(t))
		}
	}
	if _, err := selector.Parse(c.Selector); err != nil {
		return fmt.Errorf("selector: %w", err)
	}
	return nil
}

func nearest(t journal.Type) string {
	names := make([]string, len(journal.Types))
	for i, known := range journal.Types {
		names[i] = string(known)
	}
	if near := suggest.Nearest(string(t), names, 3); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return ", see \"lightd docs states\""
}

// checkURL quotes nothing of the URL, which may have a secret.
func (c Config) checkURL() error {
	u, err := url.Parse(c.URL)
	switch {
	case c.URL == "":
		return errors.New("the url is missing")
	case err != nil || u.Host == "" || u.Hostname() == "":
		return errors.New("the url is not one as in https://panel.example.com/lightd")
	case u.User != nil:
		return errors.New("the url must have no user name and password: the signature says who sends")
	case u.Fragment != "":
		return errors.New("the url must have no fragment (#)")
	case u.Scheme == "https":
	case u.Scheme != "http":
		return fmt.Errorf("the scheme %q of the url is neither https nor http", u.Scheme)
	case !c.PlainHTTP && !loopback(u.Hostname()):
		return errors.New("the url is http:// to a host that is not loopback: use https://, or set insecure_plain_http: true where the network is trusted")
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil {
		return checkAddr(addr)
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// public returns a URL without what may be secret in it: some receivers take the path for one.
func public(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
