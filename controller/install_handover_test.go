package controller

import "testing"

// TestUserOfAServer is found as the engine finds it, in whatever the image has for lists.
func TestUserOfAServer(t *testing.T) {
	const users = "root:x:0:0:root:/root:/bin/sh\nbroken\nsteam:x:4321:4322::/:/bin/sh\r\nodd:x:one:2\nshort:x:5\n"
	const groups = "root:x:0:\ngames:x:60:steam\n"
	for user, want := range map[string][2]int{
		"steam": {4321, 4322}, "steam:games": {4321, 60}, "steam:7": {4321, 7}, "4321": {4321, 4322}, "9": {9, 0}, "9:games": {9, 60},
		"nobody": {-1, -1}, "steam:none": {-1, -1}, "odd": {-1, -1}, "short": {-1, -1}, "-1": {-1, -1},
	} {
		uid, gid, err := lookUpUser(user, users, groups)
		if failed := want[0] < 0; failed != (err != nil) || !failed && (uid != want[0] || gid != want[1]) {
			t.Errorf("%s is %d:%d, %v", user, uid, gid, err)
		}
	}
}
