package kv

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestPowerCut cuts the power in the middle of a commit: of what it changed, any sector has
// reached the disk or has not. All that was acknowledged before is there, and of the commit
// itself all or nothing. Large values are flushed before the log that names them is begun.
func TestPowerCut(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	s := open(t, t.TempDir(), Options{tune: small})
	count, torn, whole := 0, 0, 0
	for range 5 {
		fill(t, s, count, count+20)
		before := read(t, s.dir)
		fill(t, s, count+20, count+40)
		after := read(t, s.dir)
		for _, log := range []string{".vlog", ".mem"} {
			for range 2 {
				image := maps.Clone(before)
				for name, data := range after {
					switch {
					case strings.HasSuffix(name, log):
						image[name] = tear(r, before[name], data)
					case log == ".mem" && strings.HasSuffix(name, ".vlog"):
						image[name] = data
					}
				}
				again := open(t, image.write(t), Options{tune: small})
				err := holds(again, count+20)
				if err != nil {
					err = holds(again, count+40)
					whole++
				} else {
					torn++
				}
				if err := errors.Join(err, again.Close()); err != nil {
					t.Fatalf("%s torn after %d records (seed %d): %v", log, count+20, seed, err)
				}
			}
		}
		count += 40
	}
	if torn == 0 {
		t.Error("no commit was torn")
	}
	t.Logf("the commit was lost %d times, and kept %d times", torn, whole)
}

// tear returns before with some of the sectors of after, or with all but a few.
func tear(r *rand.Rand, before, after []byte) []byte {
	const sector = 512
	image := bytes.Clone(after)
	share := []float64{0.1, 0.5, 0.9, 1}[r.IntN(4)]
	for at := 0; at < len(image); at += sector {
		end := min(at+sector, len(image))
		if at < len(before) && r.Float64() > share {
			copy(image[at:end], before[at:min(end, len(before))])
		}
	}
	return image
}
