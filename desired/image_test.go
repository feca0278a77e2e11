package desired

import (
	"strings"
	"testing"
)

// TestAllowedImages compares whole parts of a name, whatever form the reference has.
func TestAllowedImages(t *testing.T) {
	rules := Rules{AllowedImages: []string{"docker.io/library", "ghcr.io/team/game", "localhost:5000"}}
	for _, ref := range []string{"alpine", "docker.io/alpine:3", "index.docker.io/library/alpine", "ghcr.io/team/game", "ghcr.io/team/game/server:1", "localhost:5000/x"} {
		if err := rules.CheckImage(ref, "a"); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
	}
	for _, ref := range []string{
		"someone/alpine", "ghcr.io/team/game-evil", "ghcr.io/team", "ghcr.io/team/gamer/x", "ghcr.io.evil.example/team/game", "localhost/x",
		"localhost:5001/x", "169.254.169.254/latest/meta-data", "10.0.0.1:2375/x", "docker.io/libraryx/a", "127.0.0.1:5000/x", "ghcr.io:443/team/game",
	} {
		if err := rules.CheckImage(ref, "a"); err == nil || !strings.Contains(err.Error(), "images.allowed") {
			t.Errorf("%s: %v", ref, err)
		}
	}
	for _, entry := range []string{"", "/", "library", "docker.io/", "https://ghcr.io", "ghcr.io/a:tag", "**", "*/x", "*.io", "[::1", "[::1]x", "ghcr.io/../x", "GHCR.io",
		"registry..bad", "registry-.bad", "registry.bad-", "registry.bad.", "registry.bad:0", "registry.bad:65536", "registry.bad:5000/", "index.docker.io", "index.docker.io/library", "docker.io/library/..", "ghcr.io/team//x"} {
		if CheckAllowedImage(entry) == nil {
			t.Errorf("%q can be listed", entry)
		}
	}
}

// TestRegistriesAtPrivateAddresses are refused at a write unless the operator has listed them.
func TestRegistriesAtPrivateAddresses(t *testing.T) {
	check := func(allowed []string, ref string) error {
		s := validSpec()
		s.Image = ref
		return s.Validate(Rules{AllowedMounts: testRules.AllowedMounts, AllowedImages: allowed})
	}
	private := []string{"127.0.0.1:5000/x", "127.1:22/x", "[::1]:5000/x", "localhost/x", "169.254.169.254/latest/x", "10.0.0.1:2375/team/x"}
	for _, ref := range private {
		named, _, _ := strings.Cut(ref, "/")
		for _, allowed := range [][]string{nil, {"*"}, {"*", "127.0.0.1:5001", "10.0.0.1:2375/other", "docker.io"}} {
			if err := check(allowed, ref); err == nil || !strings.HasPrefix(err.Error(), "image: cannot be pulled: the registry ") || !strings.Contains(err.Error(), "address") || !strings.Contains(err.Error(), `"`+named+`"`) {
				t.Errorf("%s with %v: %v", ref, allowed, err)
			}
		}
		for _, allowed := range [][]string{{named}, {"*", named}} {
			if err := check(allowed, ref); err != nil {
				t.Errorf("%s with %v: %v", ref, allowed, err)
			}
			if err := CheckAllowedImage(named); err != nil {
				t.Error(err)
			}
		}
	}
	for _, ref := range []string{"alpine", "ghcr.io/x/y", "8.8.8.8:5000/x"} {
		if err := check([]string{"*", "127.0.0.1:5000"}, ref); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
	}
	if host := (Rules{}).UnlistedRegistry("index.docker.io/library/alpine"); host != "" {
		t.Errorf("Docker Hub is resolved as %s", host)
	}
}

// TestImagesOfOtherContainers: the snapshot of another container is named by none of the forms that
// an engine resolves to it.
func TestImagesOfOtherContainers(t *testing.T) {
	const instance = "11111111-2222-3333-4444-555555555555"
	id, snapshot := strings.Repeat("2f7", 21)+"a", SnapshotRef(instance, "victim", 1)
	for _, ref := range []string{
		snapshot, "docker.io/" + snapshot, "index.docker.io/" + snapshot,
		snapshot + "@sha256:" + id, SnapshotRepository(instance) + "@sha256:" + id, SnapshotRepository(instance),
		SnapshotRepository("22222222-2222-3333-4444-555555555555") + ":attacker.1",
		snapshotNamespace + "x/y:attacker.1", SnapshotRef(instance, "attacker.1", 1),
		id, "sha256:" + id, "sha256:2f7", "sha256@sha256:" + id, "2f7", "2", "cafe",
	} {
		s := validSpec()
		s.InternalID, s.Image = "attacker", ref
		if err := s.Validate(Rules{AllowedMounts: testRules.AllowedMounts, Instance: instance}); err == nil || !strings.HasPrefix(err.Error(), "image: ") {
			t.Errorf("image %q: %v", ref, err)
		}
	}
	for _, ref := range []string{
		SnapshotRef(instance, "attacker", 3), "cafe:latest", "docker.io/library/cafe", "a/2f7", "localhost/2f7",
		"ghcr.io/lightd/thing:1", "lightdx/thing", "2f7@sha256:" + id,
	} {
		if err := (Rules{Instance: instance}).CheckImage(ref, "attacker"); err != nil {
			t.Errorf("image %q: %v", ref, err)
		}
	}
}
