package controller

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"lightd/desired"
)

// The states of a socket that holds its port, as in include/net/tcp_states.h: LISTEN, and what a UDP socket
// without a peer has.
const (
	tcpListen = "0A"
	udpBound  = "07"
)

// PortHolder names the process of this host that holds a port; empty where none is found.
func PortHolder(e desired.Endpoint) string { return portHolder(os.DirFS("/proc"), e) }

// portHolder names the process of this host that holds a port, as in "nginx (pid 123)"; empty where none is
// found, as of another network namespace or without the right to look. proc is /proc.
func portHolder(proc fs.FS, e desired.Endpoint) string {
	var sockets []string
	for _, suffix := range []string{"", "6"} {
		sockets = append(sockets, socketsOf(proc, "net/"+string(e.Protocol)+suffix, e)...)
	}
	if len(sockets) == 0 {
		return ""
	}
	processes, _ := fs.Glob(proc, "[0-9]*/comm")
	for _, comm := range processes {
		if dir := path.Dir(comm); hasAny(proc, dir+"/fd", sockets) {
			name, _ := fs.ReadFile(proc, comm)
			return fmt.Sprintf("%s (pid %s)", strings.TrimSpace(string(name)), dir)
		}
	}
	return ""
}

// socketsOf returns the sockets of a table that hold the port, as the links of descriptors name them.
func socketsOf(proc fs.FS, table string, e desired.Endpoint) (found []string) {
	eachSocket(proc, table, e.Protocol, func(held desired.Endpoint, inode string) {
		if held.Overlaps(e) {
			found = append(found, "socket:["+inode+"]")
		}
	})
	return found
}

// LocalEndpoints returns the endpoints of this host that a socket holds.
func LocalEndpoints() []desired.Endpoint { return endpointsOf(os.DirFS("/proc")) }

// endpointsOf returns the endpoints that a socket holds. proc is /proc.
func endpointsOf(proc fs.FS) (all []desired.Endpoint) {
	for _, protocol := range []desired.Protocol{desired.TCP, desired.UDP} {
		for _, suffix := range []string{"", "6"} {
			eachSocket(proc, "net/"+string(protocol)+suffix, protocol, func(held desired.Endpoint, _ string) {
				all = append(all, held)
			})
		}
	}
	return all
}

// eachSocket calls fn with each socket of a table that holds its port.
func eachSocket(proc fs.FS, table string, protocol desired.Protocol, fn func(held desired.Endpoint, inode string)) {
	file, err := proc.Open(table)
	if err != nil {
		return
	}
	defer func() { _ = file.Close() }() // it was only read
	state := tcpListen
	if protocol == desired.UDP {
		state = udpBound
	}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		// sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[3] != state {
			continue
		}
		if local, err := socketAddress(fields[1]); err == nil {
			fn(desired.Endpoint{IP: local.Addr().String(), Port: int(local.Port()), Protocol: protocol}, fields[9])
		}
	}
}

// socketAddress reads an address of such a table: hexadecimal words in the byte order of the host, and the port.
func socketAddress(text string) (netip.AddrPort, error) {
	host, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	for i := 0; i+4 <= len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	addr, ok := netip.AddrFromSlice(raw)
	n, err := strconv.ParseUint(port, 16, 16)
	if err != nil || !ok {
		return netip.AddrPort{}, fmt.Errorf("%q is no address of a socket", text)
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), nil
}

// hasAny reports whether a directory of descriptors has one that leads to a socket.
func hasAny(proc fs.FS, dir string, sockets []string) bool {
	descriptors, _ := fs.ReadDir(proc, dir)
	for _, d := range descriptors {
		if link, err := fs.ReadLink(proc, path.Join(dir, d.Name())); err == nil && slices.Contains(sockets, link) {
			return true
		}
	}
	return false
}
