package plan_test

import (
	"testing"

	"lightd/controller/plan"
)

// BenchmarkDecideNothing decides on a running container that is as it has to be.
func BenchmarkDecideNothing(b *testing.B) {
	w := ready(b, nil)
	b.ReportAllocs()
	for b.Loop() {
		if d := plan.Decide(w.in); d.Step != nil {
			b.Fatalf("step %+v", d.Step)
		}
	}
}
