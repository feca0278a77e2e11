package desired

import (
	"strconv"
	"strings"
)

// NumericUser returns the ids of a user of a spec; ok is false where it is none, or has a name. A group that
// has none, or a name, is -1.
func NumericUser(user string) (uid, gid int, ok bool) {
	name, group, _ := strings.Cut(user, ":")
	uid, err := strconv.Atoi(name)
	if err != nil {
		return 0, 0, false
	}
	if gid, err = strconv.Atoi(group); err != nil {
		gid = -1
	}
	return uid, gid, true
}
