package hack_test

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

// tierOf returns the tier of the tests in a file.
func tierOf(file string) string {
	switch {
	case strings.HasSuffix(file, "_sim_test.go"):
		return "sim"
	case strings.HasSuffix(file, "_e2e_test.go"):
		return "e2e"
	}
	return "unit"
}

// TestEachTestHasOneTier: hack/test chooses the tests of a tier by their names, so that a name that
// two packages share must be of one tier.
func TestEachTestHasOneTier(t *testing.T) {
	tested := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)\w*)\(`)
	tiers, counts := map[string]string{}, map[string]int{}
	err := fs.WalkDir(os.DirFS(".."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(os.DirFS(".."), name)
		for _, match := range tested.FindAllSubmatch(text, -1) {
			test, tier := string(match[1]), tierOf(name)
			if other, ok := tiers[test]; ok && other != tier && test != "TestMain" {
				t.Errorf("%s: %s is also in the tier %s", name, test, other)
			}
			tiers[test] = tier
			counts[tier]++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if counts["unit"] < 500 || counts["sim"] < 10 || counts["e2e"] < 50 {
		t.Errorf("this test looks in the wrong place: %v", counts)
	}
}
