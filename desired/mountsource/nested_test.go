package mountsource

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"lightd/desired"
)

// TestNestedSourcesOfOneSpec: sources inside one another are refused with the field, before the
// host is inspected where the paths alone show it, and after where only links do.
func TestNestedSourcesOfOneSpec(t *testing.T) {
	root := t.TempDir()
	at := func(elements ...string) string { return filepath.Join(append([]string{root}, elements...)...) }
	for _, dir := range []string{"a/sub", "ab", "c"} {
		if err := os.MkdirAll(at(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"to-sub": at("a/sub"), "by-a": at("a/to-c"), "a/to-c": "../c", "round": at("round")} {
		if err := os.Symlink(target, at(link)); err != nil {
			t.Fatal(err)
		}
	}
	const none = ""
	for name, test := range map[string]struct {
		one, two string
		// field is what is refused by the paths alone, and resolved what is with links resolved.
		field, resolved string
	}{
		"equal":                              {at("a"), at("a"), none, none},
		"apart":                              {at("a"), at("c"), none, none},
		"named alike":                        {at("a"), at("ab"), none, none},
		"below":                              {at("a"), at("a/sub"), "mount./two", "mount./two"},
		"above":                              {at("a/sub"), at("a"), "mount./two", "mount./two"},
		"a link to what is below":            {at("a"), at("to-sub"), none, "mount./two"},
		"a link through what the other owns": {at("a"), at("by-a"), none, "mount./two"},
		"a link in what the other owns":      {at("a"), at("a/to-c"), "mount./two", "mount./two"},
		"a link to itself":                   {at("a"), at("round"), none, "mount./two"},
	} {
		t.Run(name, func(t *testing.T) {
			s := desired.DefaultSpec()
			s.InternalID, s.VolumeID = "a", "d6764075-c5f1-4045-9fb3-85315b85cb0f"
			s.Image, s.StartupCommand, s.Limits.Memory, s.Limits.CPU = "busybox", "sh", 64<<20, 1
			s.Mount = map[string]desired.Mount{"/one": {Source: test.one}, "/two": {Source: test.two}}
			expect := func(err error, field string) {
				t.Helper()
				var invalid *desired.ValidationError
				if got := errors.As(err, &invalid); got != (field != none) || got && invalid.Fields[0].Field != field {
					t.Errorf("got %v, want a refusal of %q", err, field)
				}
			}
			expect(s.Normalize().Validate(desired.Rules{AllowedMounts: []string{root}}), test.field)
			expect(Check(s, Rules{Allowed: []string{root}}), test.resolved)
			s.Mount["/one"] = desired.Mount{Source: test.one, ReadOnly: true}
			expect(Check(s, Rules{Allowed: []string{root}}), test.resolved)
			s.Mount["/two"] = desired.Mount{Source: test.two, ReadOnly: true}
			if name != "a link to itself" { // nobody can put a link where nobody can write
				expect(s.Normalize().Validate(desired.Rules{AllowedMounts: []string{root}}), none)
				expect(Check(s, Rules{Allowed: []string{root}}), none)
			}
		})
	}
}

func TestLinksThroughForbiddenPlaces(t *testing.T) {
	root := t.TempDir()
	at := func(elements ...string) string { return filepath.Join(append([]string{root}, elements...)...) }
	for _, dir := range []string{"allowed/real", "data"} {
		if err := os.MkdirAll(at(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink(at("data/link"), at("allowed/link")), os.Symlink(at("allowed/real"), at("data/link"))); err != nil {
		t.Fatal(err)
	}
	err := Check(desired.Spec{Mount: map[string]desired.Mount{"/x": {Source: at("allowed/link")}}}, Rules{Allowed: []string{at("allowed")}, Forbidden: []string{at("data")}})
	if err == nil {
		t.Error("a link that a container can replace in its volume was followed")
	}
}
