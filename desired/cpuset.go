package desired

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Bounds of a set of CPUs: the bytes of its text, and the most CPUs that Linux has.
const (
	maxCPUSet = 1 << 10
	maxCPUID  = 8191
)

// cpuRange is CPUs by their numbers, both ends included.
type cpuRange struct{ first, last int }

// parseCPUSet reads CPUs as Linux and Docker write them (cpuset(7)), as in "0-3,5". It returns disjoint ranges,
// sorted and without gaps between neighbours that are none.
func parseCPUSet(text string) (set []cpuRange, ok bool) {
	if len(text) > maxCPUSet {
		return nil, false
	}
	for part := range strings.SplitSeq(text, ",") {
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		from, one := parseCPU(first)
		to, other := parseCPU(last)
		if !one || !other || from > to {
			return nil, false
		}
		set = append(set, cpuRange{from, to})
	}
	slices.SortFunc(set, func(a, b cpuRange) int { return cmp.Compare(a.first, b.first) })
	merged := set[:1]
	for _, next := range set[1:] {
		if end := &merged[len(merged)-1]; next.first <= end.last+1 {
			end.last = max(end.last, next.last)
		} else {
			merged = append(merged, next)
		}
	}
	return merged, true
}

func parseCPU(text string) (id int, ok bool) {
	if strings.Trim(text, "0123456789") != "" || len(text) > 4 {
		return 0, false
	}
	id, err := strconv.Atoi(text)
	return id, err == nil && id <= maxCPUID
}

// missingCPU returns the first CPU of a set that another set does not have; ok is false where it has all.
func missingCPU(set, of []cpuRange) (id int, ok bool) {
	for _, want := range set {
		at := slices.IndexFunc(of, func(have cpuRange) bool { return have.first <= want.first && want.first <= have.last })
		switch {
		case at < 0:
			return want.first, true
		case of[at].last < want.last:
			return of[at].last + 1, true
		}
	}
	return 0, false
}

// checkCPUSet checks which CPUs a container may run on. The host need not have those that old has.
func (f *faults) checkCPUSet(set, old, host string) {
	if set == "" {
		return
	}
	wanted, ok := parseCPUSet(set)
	if !ok {
		f.add("limits.cpuset", fmt.Sprintf("%s must be numbers of CPUs and ranges of them, as in 0-3,5", Quote(set)))
		return
	}
	has, known := parseCPUSet(host)
	if !known || set == old {
		return
	}
	if id, missing := missingCPU(wanted, has); missing {
		f.add("limits.cpuset", fmt.Sprintf("the host has no CPU %d: it has %s", id, host))
	}
}
