package desired

import (
	"strings"
	"testing"
)

// FuzzImageReference: what passes names no snapshot of another container, and no registry at an
// address that is not public.
func FuzzImageReference(f *testing.F) {
	const instance = "11111111-2222-3333-4444-555555555555"
	for _, s := range []string{
		"alpine", "ghcr.io/a/b:1@sha256:" + strings.Repeat("a", 64), SnapshotRef(instance, "victim", 1), "docker.io/" + SnapshotRef(instance, "victim", 1),
		"index.docker.io/lightd/x", "127.0.0.1/x", "localhost:1/x", "2f7", "sha256:2f7", "-v", "http://x/y", "A/b", "[::1]:5000/x",
	} {
		f.Add(s)
	}
	rules := Rules{Instance: instance}
	f.Fuzz(func(t *testing.T, ref string) {
		if rules.CheckImage(ref, "attacker") != nil {
			return
		}
		if of, id, _, ok := ParseSnapshotRef(ref); ok && (of != instance || id != "attacker") {
			t.Errorf("%q passes", ref)
		}
		if rules.checkRegistry(ref) == nil && strings.HasPrefix(ref, "127.") && strings.Contains(ref, "/") && !strings.ContainsAny(strings.SplitN(ref, "/", 2)[0], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-") {
			t.Errorf("%q passes", ref)
		}
	})
}

// FuzzTmpfsSize: what passes is within the bounds.
func FuzzTmpfsSize(f *testing.F) {
	for _, s := range []string{"64m", "1g", "0", "999999999999999g", "64M", "1.5g", "", "m"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if n, ok := parseTmpfsSize(text); ok && (n <= 0 || n > maxMemory) {
			t.Errorf("%q is %d", text, n)
		}
	})
}
