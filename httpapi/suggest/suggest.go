// Package suggest finds the name that somebody meant who wrote one that does not exist.
package suggest

// longest bounds the names that are compared, in bytes: what comes from a request may be long, and
// no name of ours is longer.
const longest = 64

// Nearest returns the one of known that the fewest edits make of given, at most limit edits. It is
// empty where no name is that near, and where two are equally near: a wrong suggestion is worse
// than none.
func Nearest(given string, known []string, limit int) string {
	if len(given) > longest {
		return ""
	}
	nearest, least, ambiguous := "", limit+1, false
	for _, name := range known {
		switch d := distance(given, name); {
		case d < least:
			nearest, least, ambiguous = name, d, false
		case d == least && name != nearest:
			ambiguous = true
		}
	}
	if ambiguous {
		return ""
	}
	return nearest
}

// distance is how many letters must be changed, inserted, deleted or swapped with the next one to
// make b of a (Damerau and Levenshtein, each place once).
func distance(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
