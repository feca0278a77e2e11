package observed

// Security is what separates a container from the host, as the engine was asked for it.
type Security struct {
	// Capabilities are those of the kernel that root has in it: sorted, in the form NET_RAW, or
	// AllCapabilities alone.
	Capabilities []string
	// NoNewPrivileges keeps set-uid files and file capabilities from raising what a process may do.
	NoNewPrivileges bool
	// IPC and Cgroupns are the modes of these two namespaces.
	IPC, Cgroupns string
	// Privileges are what it was given besides, as "privileged", "pid=host" or "device=/dev/sda";
	// sorted, and empty for every container that Lightd makes.
	Privileges []string
}

// AllCapabilities stands for every capability of the kernel.
const AllCapabilities = "ALL"

// EngineCapabilities are those that Docker gives a container where nothing is asked for, which
// earlier versions left as it is.
func EngineCapabilities() []string {
	return []string{
		"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE",
		"NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
	}
}
