package main

import (
	"context"
	"errors"
	"os"
	"testing"

	"lightd/desired"
	"lightd/observed/files"
)

// TestFileOwner: whose the files of a volume are, by the containers on it and the engine's mapping of users.
func TestFileOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("skipped: only root can give files away")
	}
	on := func(users ...string) (list []desired.Container) {
		for _, user := range append(users, "-") {
			c := desired.Container{}
			if c.VolumeID, c.User, c.Image = "v", user, "image"; user == "-" {
				c.VolumeID, c.User = "other", "9:9"
			}
			list = append(list, c)
		}
		return list
	}
	for name, c := range map[string]struct {
		containers []desired.Container
		image      string
		root       int
		away       bool
		want       files.Owner
	}{
		"none":                       {containers: on(), want: files.Unknown},
		"a user and a group":         {containers: on("1000:1001"), want: files.Owner{UID: 1000, GID: 1001}},
		"a user":                     {containers: on("1000"), want: files.Owner{UID: 1000, GID: -1}},
		"a name":                     {containers: on("game"), want: files.Unknown},
		"that of the image":          {containers: on(""), image: "1000:1000", want: files.Owner{UID: 1000, GID: 1000}},
		"the spec before the image":  {containers: on("5"), image: "1000", want: files.Owner{UID: 5, GID: -1}},
		"two alike":                  {containers: on("7:7", "7:7"), want: files.Owner{UID: 7, GID: 7}},
		"two that differ":            {containers: on("7:7", "8:8"), want: files.Unknown},
		"mapped":                     {containers: on("1000:1001"), root: 100000, want: files.Owner{UID: 101000, GID: 101001}},
		"mapped, root":               {containers: on(""), root: 100000, want: files.Owner{UID: 100000, GID: 100000}},
		"mapped, two that differ":    {containers: on("7:7", "8:8"), root: 100000, want: files.Owner{UID: 100000, GID: 100000}},
		"while the engine is silent": {containers: on("1000:1001"), root: 100000, away: true, want: files.Unknown},
	} {
		o := &fileOwner{
			containers: func() []desired.Container { return c.containers }, userOf: func(string) string { return c.image },
			rootIDs: func(context.Context) (int, int, error) {
				if c.away {
					return 0, 0, errors.New("away")
				}
				return c.root, c.root, nil
			},
		}
		for range 2 {
			if got := o.of(t.Context(), "v"); got != c.want {
				t.Errorf("%s: %v, want %v", name, got, c.want)
			}
		}
	}
}
