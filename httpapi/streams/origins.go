package streams

import (
	"net/http"
	"net/url"
	"strings"
)

// origins are the foreign origins that browsers may connect from.
type origins struct {
	any     bool
	allowed map[string]bool
}

func parseOrigins(list []string) (origins, error) {
	o := origins{allowed: map[string]bool{}}
	for _, text := range list {
		if text == "*" {
			o.any = true
			continue
		}
		name, err := originName(text)
		if err != nil {
			return origins{}, err
		}
		o.allowed[name] = true
	}
	return o, nil
}

// CheckOrigins returns what is wrong with a list of origins that browsers may call from.
func CheckOrigins(list []string) error {
	_, err := parseOrigins(list)
	return err
}

// permits reports whether r comes from no browser, from a page of this very host, or
// from an origin that is allowed.
func (o origins) permits(r *http.Request) bool {
	values := r.Header.Values("Origin")
	if len(values) == 0 || o.any {
		return true
	}
	name, err := originName(values[0])
	if err != nil || len(values) > 1 || !strings.EqualFold(name, values[0]) {
		return false // browsers send no user, path or query
	}
	_, host, _ := strings.Cut(name, "://")
	return strings.EqualFold(host, r.Host) || o.allowed[name]
}

// listed returns the origin that r comes from if it is an allowed one, as the client has written it; else nothing.
func (o origins) listed(r *http.Request) string {
	values := r.Header.Values("Origin")
	if len(values) != 1 {
		return ""
	}
	if name, err := originName(values[0]); o.any || err == nil && o.allowed[name] && strings.EqualFold(name, values[0]) {
		return values[0]
	}
	return ""
}

// ListedOrigin returns the foreign origin that a request comes from, if it is listed; else nothing.
func (h *Handlers) ListedOrigin(r *http.Request) string { return h.origins.Load().listed(r) }

func originName(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Host == "" || strings.Contains(u.Host, "*") {
		return "", &originError{text}
	}
	return strings.ToLower(u.Scheme + "://" + u.Host), nil
}

// originError is a text that is no origin.
type originError struct{ text string }

func (e *originError) Error() string {
	return "read origin " + e.text + `: it must be as in "https://panel.example.com", without a wildcard, or "*" alone for every page`
}
