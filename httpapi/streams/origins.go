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

// CheckOrigins returns what is wrong with a list of origins that may open a WebSocket.
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
	if err != nil || len(values) > 1 {
		return false
	}
	_, host, _ := strings.Cut(name, "://")
	return strings.EqualFold(host, r.Host) || o.allowed[name]
}

func originName(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return "", &originError{text}
	}
	return strings.ToLower(u.Scheme + "://" + u.Host), nil
}

// originError is a text that is no origin.
type originError struct{ text string }

func (e *originError) Error() string {
	return "read origin " + e.text + `: it must be as in "https://panel.example.com"`
}
