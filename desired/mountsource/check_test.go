package mountsource

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lightd/desired"
)

func TestCheck(t *testing.T) {
	root := t.TempDir()
	at := func(elements ...string) string { return filepath.Join(append([]string{root}, elements...)...) }
	for _, dir := range []string{"srv/game", "srv/lightd/db", "srv-evil", "outside"} {
		if err := os.MkdirAll(at(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	links := map[string]string{"srv/out": at("outside"), "srv/evil": at("srv-evil"), "srv/in": at("srv/game"), "alias": at("srv"), "srv/data": at("srv/lightd")}
	for link, target := range links {
		if err := os.Symlink(target, at(link)); err != nil {
			t.Fatal(err)
		}
	}
	listener, err := net.Listen("unix", at("srv", "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	rules := Rules{Allowed: []string{at("alias")}, Forbidden: []string{at("srv/lightd")}}
	tests := map[string]struct {
		source string
		ok     bool
	}{
		"inside":                          {at("srv/game"), true},
		"inside by way of the link":       {at("alias/game"), true},
		"a link that stays inside":        {at("srv/in"), true},
		"a link that leaves":              {at("srv/out"), false},
		"a link to a place named alike":   {at("srv/evil"), false},
		"what is not there":               {at("srv/none"), false},
		"the data directory":              {at("srv/lightd"), false},
		"below the data directory":        {at("srv/lightd/db"), false},
		"a link to the data directory":    {at("srv/data"), false},
		"what holds the data directory":   {at("srv"), false},
		"a socket":                        {at("srv/s"), false},
		"what is allowed by nobody":       {at("outside"), false},
		"a kernel file system, if listed": {"/proc", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := Check(desired.Spec{Mount: map[string]desired.Mount{"/x": {Source: test.source}}}, rules)
			var invalid *desired.ValidationError
			if (err == nil) != test.ok || err != nil && !errors.As(err, &invalid) {
				t.Errorf("%s: %v", test.source, err)
			}
		})
	}
	err = Check(desired.Spec{Mount: map[string]desired.Mount{"/x": {Source: at("srv/out")}}}, rules)
	if want := fmt.Sprintf("%q leads to %q", at("srv/out"), at("outside")); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	everything := Rules{Allowed: []string{"/"}}
	for _, source := range []string{"/", "/proc", "/dev/null"} {
		if err := Check(desired.Spec{Mount: map[string]desired.Mount{"/x": {Source: source}}}, everything); err == nil {
			t.Errorf("%s is let through where all is allowed", source)
		}
	}
}
