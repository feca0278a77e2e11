package manifest

import (
	"encoding/json"
	"testing"
)

// FuzzUnits: a size and a number of cores are a number of JSON, or have a reason.
func FuzzUnits(f *testing.F) {
	for _, s := range []string{"512Mi", "1.5Gi", "2g", "500m", "0.1", "1e9", "M", "-1", "99999999999999999999Ti", "1.", ".5", "00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, parse := range []func(string) (json.Number, string){parseBytes, parseCores} {
			if n, wrong := parse(text); wrong == "" && !json.Valid([]byte(n)) {
				t.Errorf("%q is %q", text, n)
			}
		}
	})
}
