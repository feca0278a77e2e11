package main

import "fmt"

// bendsFirst names the figure whose cost for each container grows most from one size to the next, and
// there. What gets cheaper for each container bends nowhere.
func bendsFirst(all []*grown) string {
	most, text := 1.0, "nothing: no figure costs more for each container of a larger size"
	for _, g := range all {
		for i := 1; i < len(g.sizes); i++ {
			before := medianOf(g.samples[i-1]) / float64(g.sizes[i-1])
			now := medianOf(g.samples[i]) / float64(g.sizes[i])
			if before > 0 && now/before > most {
				most = now / before
				text = fmt.Sprintf("%s, which costs %.1f times as much for each container at %d as at %d", g.name, most, g.sizes[i], g.sizes[i-1])
			}
		}
	}
	return text
}
