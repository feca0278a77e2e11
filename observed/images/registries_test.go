package images_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"lightd/desired/registry"
	"lightd/observed/engine"
	"lightd/observed/images"
)

// TestRegistriesThatResolveToPrivateAddresses are refused before anything is requested, however many
// public addresses they have too.
func TestRegistriesThatResolveToPrivateAddresses(t *testing.T) {
	names := map[string]string{
		"public.example": "8.8.8.8 2606:4700:4700::1111", "loopback.example": "127.0.0.1", "metadata.example": "169.254.169.254", "lan.example": "10.1.2.3",
		"shared.example": "100.64.1.1", "ula.example": "fd00::1", "link.example": "fe80::1", "mapped.example": "::ffff:127.0.0.1", "none.example": "0.0.0.0",
		"group.example": "224.0.0.1", "rebinding.example": "8.8.8.8 192.168.0.1", "mine.example": "9.9.9.9",
	}
	check := images.Registries{
		Unlisted: func(ref string) string {
			host, _, _ := strings.Cut(ref, "/")
			return strings.TrimPrefix(host, "listed.")
		},
		Lookup: func(_ context.Context, name string) (found []netip.Addr, err error) {
			if names[name] == "" {
				return nil, errors.New("no such host")
			}
			for _, text := range strings.Fields(names[name]) {
				found = append(found, netip.MustParseAddr(text))
			}
			return found, nil
		},
		Own: func() ([]netip.Addr, error) { return []netip.Addr{netip.MustParseAddr("9.9.9.9")}, nil },
	}.Check
	for name := range names {
		err := check(t.Context(), name+"/x")
		var refused *registry.AddressError
		if name == "public.example" {
			if err != nil {
				t.Error(err)
			}
		} else if !errors.As(err, &refused) || strings.Contains(err.Error(), names[name]) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for host, passes := range map[string]bool{"unresolved.example": true, "8.8.8.8": true, "127.1": false, "10.0.0.1": false, "9.9.9.9": false,
		"public.example:5000": true, "lan.example:5000": false, "mine.example:5000": false, "9.9.9.9:5000": false, "10.0.0.1:5000": false} {
		if err := check(t.Context(), host+"/x"); (err == nil) != passes || err != nil && !strings.Contains(err.Error(), strconv.Quote(host)) {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// TestPullFromWhereNoneMayBe requests nothing, and says who can allow it.
func TestPullFromWhereNoneMayBe(t *testing.T) {
	f := &fake{pull: func(context.Context, string, func(engine.Progress)) error { return nil }}
	scene(t, f, func(t *testing.T, i *images.Images, _ func() int) {
		i.Pull("forbidden.example/x")
		synctest.Wait()
		if image := i.Known("forbidden.example/x"); !image.PullForbidden || !strings.Contains(image.PullError, "images.allowed") || f.pulls != 0 {
			t.Errorf("%d pulls, %+v", f.pulls, image)
		}
		i.Pull("allowed.example/x")
		synctest.Wait()
		if image := i.Known("allowed.example/x"); image.PullError != "" || image.PullForbidden || f.pulls != 1 {
			t.Errorf("%d pulls, %+v", f.pulls, image)
		}
	})
}

// TestAnswersOfRegistriesAreLoggedAlone: of what a registry answers nothing is in what conditions show,
// and the log has it once, on one line and bounded.
func TestAnswersOfRegistriesAreLoggedAlone(t *testing.T) {
	const marker = "hunter2"
	answer := "received unexpected HTTP status: 500 <html>" + marker + "\n\x1b]0;owned\a\u009b2J" + strings.Repeat("x", 1<<20)
	var text bytes.Buffer
	f := &fake{pull: func(context.Context, string, func(engine.Progress)) error { return errors.New(answer) }}
	sceneWithLog(t, f, slog.New(slog.NewJSONHandler(&text, nil)), func(t *testing.T, i *images.Images, _ func() int) {
		for range 3 {
			i.Pull("a")
			synctest.Wait()
		}
		if image := i.Known("a"); image.PullError != "pull image a: the registry has an error of its own" || image.PullFailures != 3 {
			t.Errorf("got %+v", image)
		}
	})
	if logged := text.String(); strings.Count(logged, marker) != 1 || strings.Count(logged, "\n") != 1 || len(logged) > 16<<10 || strings.ContainsAny(logged, "\x1b\u009b\a") {
		t.Errorf("logged %d bytes: %.300q", len(logged), logged)
	}
}
