package listen

import (
	"container/list"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"lightd/httpapi/peer"
)

// Options are what all listeners have in common.
type Options struct {
	// InsecurePlainHTTP allows plain HTTP on every address.
	InsecurePlainHTTP bool
	// UnixMode is the mode of unix sockets, UnixGroup the group that they belong to; empty for the daemon's.
	UnixMode  fs.FileMode
	UnixGroup string
}

// Listener accepts connections that know their peer.
type Listener struct {
	net.Listener
	Address
	release func() error
}

// OpenAll opens a listener for each address. On an error none stays open.
func OpenAll(all []Address, o Options) (opened []*Listener, err error) {
	for _, a := range all {
		l, err := open(a, o)
		if err != nil {
			return nil, errors.Join(err, CloseAll(opened))
		}
		opened = append(opened, l)
	}
	return opened, nil
}

// Try reports what keeps a listener from being opened. It serves nobody, and leaves a unix socket as it is.
func Try(a Address, o Options) error {
	if a.Network == "unix" {
		l, beside, err := bindUnix(a, o)
		if err != nil {
			return openFailed(a, err)
		}
		return errors.Join(os.Remove(beside), l.Close())
	}
	l, err := open(a, o)
	if err != nil {
		return err
	}
	return l.Close()
}

// ErrInUse is an address at which another program listens.
var ErrInUse = errors.New("another program listens there")

// openFailed says what keeps an address from being listened on.
func openFailed(a Address, err error) error {
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		err = ErrInUse
	case errors.Is(err, unix.EADDRNOTAVAIL):
		err = errors.New("this machine does not have that address")
	case errors.Is(err, unix.ENOENT):
		err = fmt.Errorf("the directory %s does not exist", filepath.Dir(a.At))
	}
	return fmt.Errorf("cannot accept requests on %s: %w", a.At, err)
}

// CloseAll closes listeners.
func CloseAll(all []*Listener) error {
	var errs []error
	for _, l := range all {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func open(a Address, o Options) (*Listener, error) {
	if a.Network == "unix" {
		return openUnix(a, o)
	}
	l, err := net.Listen(a.family(), a.At)
	if err != nil {
		return nil, openFailed(a, err)
	}
	if err := a.checkPlain(l.Addr()); err != nil && !o.InsecurePlainHTTP {
		return nil, errors.Join(err, l.Close())
	}
	a.At = l.Addr().String() // with the port that was chosen
	return &Listener{Listener: l, Address: a, release: func() error { return nil }}, nil
}

// openUnix binds a name beside the path, sets its mode and renames it: at no moment can anybody connect
// whom the mode excludes. A socket that a daemon left is replaced, one that is in use is not.
func openUnix(a Address, o Options) (*Listener, error) {
	l, beside, err := bindUnix(a, o)
	if err != nil {
		return nil, openFailed(a, err)
	}
	if err := os.Rename(beside, a.At); err != nil {
		return nil, openFailed(a, errors.Join(err, os.Remove(beside), l.Close()))
	}
	bound, err := os.Lstat(a.At)
	if err != nil {
		return nil, openFailed(a, errors.Join(err, l.Close()))
	}
	release := func() error {
		if now, err := os.Lstat(a.At); err == nil && os.SameFile(now, bound) {
			return os.Remove(a.At)
		}
		return nil // it is another daemon's by now
	}
	return &Listener{Listener: l, Address: a, release: release}, nil
}

// bindUnix listens on a socket beside the path of a, with its owner and mode. The path is free, or has a
// socket that nobody listens on.
func bindUnix(a Address, o Options) (_ *net.UnixListener, beside string, err error) {
	info, err := os.Lstat(a.At)
	switch {
	case err == nil && info.Mode().Type() != fs.ModeSocket:
		return nil, "", errors.New("there is something that is no socket")
	case err == nil:
		if conn, err := net.Dial("unix", a.At); err == nil {
			return nil, "", errors.Join(ErrInUse, conn.Close())
		}
	}
	gid, err := groupID(o.UnixGroup)
	if err != nil {
		return nil, "", err
	}
	beside = filepath.Join(filepath.Dir(a.At), "."+filepath.Base(a.At)+"."+strconv.Itoa(os.Getpid()))
	_ = os.Remove(beside) // of an earlier process of this number
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: beside, Net: "unix"})
	if err != nil {
		return nil, "", err
	}
	l.SetUnlinkOnClose(false)
	err = os.Chmod(beside, 0) // nobody until the owner is right
	if err == nil && gid >= 0 {
		err = os.Chown(beside, -1, gid)
	}
	if err == nil {
		err = os.Chmod(beside, o.UnixMode)
	}
	if err != nil {
		return nil, "", errors.Join(err, os.Remove(beside), l.Close())
	}
	return l, beside, nil
}

// CheckGroup reports a group that this machine does not have; "" is none.
func CheckGroup(name string) error {
	_, err := groupID(name)
	return err
}

// groupID returns the number of a group; -1 for none.
func groupID(name string) (int, error) {
	if name == "" {
		return -1, nil
	}
	if id, err := strconv.Atoi(name); err == nil && id >= 0 {
		return id, nil
	}
	group, err := user.LookupGroup(name)
	if err != nil {
		return 0, fmt.Errorf("there is no group %q on this machine (%w)", name, err)
	}
	return strconv.Atoi(group.Gid)
}

// Close stops the listener, and removes its unix socket.
func (l *Listener) Close() error {
	err := l.Listener.Close()
	if errors.Is(err, net.ErrClosed) {
		return err
	}
	return errors.Join(err, l.release())
}

// Accept returns the next connection, which is a peer.Connection.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		who, err := peerOf(accepted)
		if err == nil {
			return &conn{Conn: accepted, peer: who}, nil
		}
		_ = accepted.Close() // it has gone
	}
}

// conn is an accepted connection.
type conn struct {
	net.Conn
	peer peer.Peer

	limiter *Limiter // nil where nothing is counted
	// What follows is guarded by limiter.mu: group is nil once the connection is not counted, the others are
	// its places among those without a request, nil while it has one.
	group          *group
	inAll, inGroup *list.Element
}

// Close closes the connection, and ends its count.
func (c *conn) Close() error {
	if c.limiter != nil {
		c.limiter.leave(c)
	}
	return c.Conn.Close()
}

// Peer returns who is at the other end.
func (c *conn) Peer() peer.Peer { return c.peer }

// CloseWrite ends the sending side: net/http closes so, for a peer that still writes to read the answer.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

func peerOf(accepted net.Conn) (peer.Peer, error) {
	socket, ok := accepted.(*net.UnixConn)
	if !ok {
		return peer.OfAddr(accepted.RemoteAddr().String()), nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return peer.Peer{}, err
	}
	var credentials *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		credentials, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err = errors.Join(err, failed); err != nil {
		return peer.Peer{}, err
	}
	return peer.Peer{Unix: true, UID: credentials.Uid, PID: credentials.Pid}, nil
}
