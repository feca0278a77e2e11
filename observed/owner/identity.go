package owner

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Identity distinguishes a directory from its copies.
type Identity struct {
	// Host is the machine's id, empty where it has none.
	Host  string `json:"host,omitempty"`
	Inode uint64 `json:"inode"`
	// Device may change when the machine boots; Born, in nanoseconds, is 0 where the file system
	// does not record when the directory was created.
	Device uint64 `json:"device"`
	Born   int64  `json:"born,omitempty"`
}

// Is reports whether both are of the same directory. A rename keeps all, a boot all but the
// device, a copy none.
func (i Identity) Is(other Identity) bool {
	if i.Host != other.Host || i.Inode != other.Inode {
		return false
	}
	if i.Born != 0 && other.Born != 0 {
		return i.Born == other.Born
	}
	return i.Device == other.Device
}

// Identify returns the identity of a directory.
func Identify(dir string) (Identity, error) {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, dir, 0, unix.STATX_INO|unix.STATX_BTIME, &st); err != nil {
		return Identity{}, fmt.Errorf("identify directory %s: %w", dir, err)
	}
	id := Identity{Host: machineID(), Inode: st.Ino, Device: unix.Mkdev(st.Dev_major, st.Dev_minor)}
	if st.Mask&unix.STATX_BTIME != 0 {
		id.Born = st.Btime.Sec*1e9 + int64(st.Btime.Nsec)
	}
	return id, nil
}

func machineID() string {
	for _, path := range []string{"/etc/machine-id", "/var/lib/dbus/machine-id"} {
		if text, err := os.ReadFile(path); err == nil && len(strings.TrimSpace(string(text))) > 0 {
			return strings.TrimSpace(string(text))
		}
	}
	return ""
}
