package webhook

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"lightd/observed/journal"
)

func TestCheckAll(t *testing.T) {
	good := Config{Name: "panel", URL: "https://panel.example.com/x?key=hidden", Secret: "0123456789abcdef"}
	with := func(change func(*Config)) []Config {
		c := good
		change(&c)
		return []Config{c}
	}
	tests := []struct {
		list []Config
		want string
	}{
		{nil, ""}, {[]Config{good}, ""},
		{with(func(c *Config) { c.Types, c.Selector = []journal.Type{journal.Running}, "a=b" }), ""},
		{with(func(c *Config) { c.URL = "http://127.0.0.1:8080/" }), ""},
		{with(func(c *Config) { c.URL = "http://[::1]:8080" }), ""},
		{with(func(c *Config) { c.URL = "http://localhost" }), ""},
		{with(func(c *Config) { c.URL, c.PlainHTTP = "http://panel.lan/", true }), ""},
		{with(func(c *Config) { c.URL = "http://panel.lan/" }), "insecure_plain_http"},
		{with(func(c *Config) { c.URL = "http://localhost.example.com/" }), "insecure_plain_http"},
		{[]Config{good, good}, `the name "panel" is used by two webhooks`},
		{make([]Config, 101), "at most 100"},
		{with(func(c *Config) { c.Name = "" }), `webhook 1: the name ""`},
		{with(func(c *Config) { c.Name = "a/b" }), `the name "a/b"`},
		{with(func(c *Config) { c.URL = "" }), "webhook panel: the url is missing"},
		{with(func(c *Config) { c.URL = "panel.example.com" }), "the url is not one"},
		{with(func(c *Config) { c.URL = "https://" }), "the url is not one"},
		{with(func(c *Config) { c.URL = "https://:443/" }), "the url is not one"},
		{with(func(c *Config) { c.URL = "ftp://panel/" }), `"ftp" of the url is neither https nor http`},
		{with(func(c *Config) { c.URL = "https://u:hidden@panel/" }), "no user name"},
		{with(func(c *Config) { c.URL = "https://panel/#hidden" }), "no fragment"},
		{with(func(c *Config) { c.URL = "https://169.254.169.254/latest" }), "169.254.169.254 is refused"},
		{with(func(c *Config) { c.URL = "https://[::ffff:169.254.169.254]/" }), "169.254.169.254 is refused"},
		{with(func(c *Config) { c.Secret = "hidden" }), "the secret has 6 characters, and 16 at least are needed"},
		{with(func(c *Config) { c.Types = []journal.Type{"running"} }), `"running" is no type of event; did you mean Running?`},
		{with(func(c *Config) { c.Types = []journal.Type{"Nothing like it"} }), `is no type of event, see "lightd docs states"`},
		{with(func(c *Config) { c.Selector = "a in (b" }), "selector:"},
	}
	for _, test := range tests {
		at, err := CheckAll(test.list)
		if err != nil && len(test.list) < 100 && at != len(test.list)-1 {
			t.Errorf("%v: at %d", err, at)
		}
		if err == nil {
			err = errors.New("")
		}
		if text := err.Error(); !strings.Contains(text, test.want) || test.want == "" && text != "" || strings.Contains(text, "hidden") {
			t.Errorf("%+v: %q, wanted %q", test.list, text, test.want)
		}
	}
}

func TestCheckAddr(t *testing.T) {
	for addr, allowed := range map[string]bool{
		"127.0.0.1": true, "10.0.0.1": true, "203.0.113.7": true, "::1": true, "2001:db8::1": true, "fd00::1": true,
		"64:ff9b::a00:1": true, "169.253.255.255": true,
		"169.254.0.0": false, "169.254.169.254": false, "169.254.255.255": false, "::ffff:169.254.169.254": false, "fe80::1%eth0": false,
		"fd00:ec2::254": false, "64:ff9b::a9fe:a9fe": false, "2002:a9fe:a9fe::1": false, "0.0.0.0": false, "100.100.100.200": false, "168.63.129.16": false, "fd20:ce::254": false, "::": false, "224.0.0.1": false, "ff02::1": false,
	} {
		if err := checkAddr(netip.MustParseAddr(addr)); (err == nil) != allowed {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

// TestNameOfAForbiddenAddress: a name is checked by what it resolves to, when it is connected to.
func TestNameOfAForbiddenAddress(t *testing.T) {
	s := newSender(Config{URL: "https://metadata.example/", Secret: "0123456789abcdef"}, "")
	defer s.close()
	if err := checkDial("tcp4", "169.254.169.254:443", nil); err == nil {
		t.Error("connects")
	}
	s.url = "http://169.254.169.254/" // as a name would be once it is resolved
	if err := s.send(t.Context(), "id", nil); err == nil || !strings.Contains(err.Error(), "169.254.169.254 is refused") {
		t.Errorf("%v", err)
	}
}
