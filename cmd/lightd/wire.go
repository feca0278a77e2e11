package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"lightd/cmd/lightd/cliconfig"
	"lightd/httpapi/admission"
	"lightd/httpapi/certs"
	"lightd/httpapi/listen"
	"lightd/httpapi/peer"
)

// addresses are those to listen on, separated by commas. In the file they may be a list.
type addresses string

// UnmarshalYAML reads one address, or a list of them.
func (a *addresses) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind != yaml.SequenceNode {
		return node.Decode((*string)(a))
	}
	var list []string
	if err := node.Decode(&list); err != nil {
		return err
	}
	*a = addresses(strings.Join(list, ","))
	return nil
}

// tlsFiles are where the daemon's certificate comes from.
type tlsFiles struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
	// ClientCA has the authorities of client certificates; with it a connection needs one.
	ClientCA string `yaml:"client_ca"`
	// SelfSigned makes a certificate in the data directory on the first start.
	SelfSigned bool `yaml:"self_signed"`
}

// enabled reports whether there is a certificate.
func (t tlsFiles) enabled() bool { return t.Cert != "" || t.SelfSigned }

// locate makes an error of the files one of the setting that names the file.
func (t tlsFiles) locate(err error) error {
	key := ""
	var missing *fs.PathError
	if errors.As(err, &missing) && !t.SelfSigned {
		key = map[string]string{t.Cert: "tls.cert", t.Key: "tls.key"}[missing.Path]
	}
	if key == "" && t.ClientCA != "" && certs.CheckAuthorities(t.ClientCA) != nil {
		key = "tls.client_ca"
	}
	key = cmp.Or(key, "tls")
	return &settingError{key: key, text: fmt.Sprintf("%s: %v", key, err), cause: err}
}

// unixSocket is who may connect to unix sockets.
type unixSocket struct {
	// Mode is in octal digits. Whoever may connect needs a token all the same.
	Mode string `yaml:"mode"`
	// Group owns the socket; empty for the daemon's own.
	Group string `yaml:"group"`
}

// limits bound what clients take together.
type limits struct {
	// Connections bounds all of them (0: room for all consoles, watches and 2,048 more, and at most half of
	// the files that the process may open), ConnectionsPerAddress those of one address (0: half of that).
	Connections           int `yaml:"connections"`
	ConnectionsPerAddress int `yaml:"connections_per_address"`
	// RequestsPerToken bounds the requests of one token that are under way.
	RequestsPerToken int `yaml:"requests_per_token"`
	// Memory is what the bodies under way may hold, and the answers: "64m".
	Memory string `yaml:"memory"`
}

// minMemory is what the largest body needs.
const minMemory = 32 << 20

// memory is Memory in bytes.
func (l limits) memory() (int64, error) {
	n, err := parseBytes(l.Memory)
	if err != nil || n < minMemory {
		return 0, badSetting("limits.memory", "limits.memory: %q is not a size of at least 32m, as in 64Mi", l.Memory)
	}
	return n, nil
}

// What is neither a console nor a watch has this many connections beside them.
const (
	watches          = 2048
	otherConnections = 2048
)

// connections are the limits of connections.
func (c *config) connections() (total, perAddress int) {
	total = cmp.Or(c.Limits.Connections, c.Consoles.Total+watches+otherConnections)
	total = min(total, listen.MaxConnections())
	return total, min(total, cmp.Or(c.Limits.ConnectionsPerAddress, max(1, total/2)))
}

// proxies finds clients behind the proxies that are trusted.
func (c *config) proxies() (peer.Resolver, error) {
	var r peer.Resolver
	for _, text := range c.TrustedProxies {
		prefix, err := netip.ParsePrefix(text)
		if addr, bad := netip.ParseAddr(text); bad == nil {
			prefix, err = addr.Prefix(addr.BitLen())
		}
		if err != nil || prefix.Addr().Is4In6() {
			return r, badSetting("trusted_proxies", "trusted_proxies: %q is neither an address nor a network as in 10.0.0.0/8", text)
		}
		if prefix.Bits() == 0 {
			return r, badSetting("trusted_proxies", "trusted_proxies: %q trusts everybody, who could then name any address", text)
		}
		r.Trusted = append(r.Trusted, prefix)
	}
	return r, nil
}

// admission are the limits of requests that come over w.
func (w *wire) admission(cfg config) (admission.Config, error) {
	a := admission.Config{PerToken: cfg.Limits.RequestsPerToken}
	var err, bad error
	a.Proxies, err = cfg.proxies()
	a.Memory, bad = cfg.Limits.memory()
	if err = errors.Join(err, bad); err != nil {
		return a, err
	}
	covers := func(string) bool { return false }
	if w.certs != nil {
		covers = w.certs.Covers
	}
	names := cfg.Hosts
	for _, host := range w.hosts() {
		if host != "localhost" { // which is for loopback only
			names = append(slices.Clone(names), host)
		}
	}
	a.Hosts, err = admission.NewHosts(names, covers)
	return a, err
}

// selfSignedDir is where in the data directory the self-signed certificate is.
func (c *config) selfSignedDir() string { return filepath.Join(c.DataDir, "tls") }

// certificateFile is where the certificate is that is served.
func (c *config) certificateFile() string {
	if c.TLS.SelfSigned {
		return filepath.Join(c.selfSignedDir(), "cert.pem")
	}
	return c.TLS.Cert
}

// listeners are the addresses to listen on.
func (c *config) listeners() ([]listen.Address, error) {
	return listen.Parse(string(c.Listen), c.TLS.enabled())
}

// unixMode is the mode of unix sockets.
func (c *config) unixMode() (fs.FileMode, error) {
	mode, err := strconv.ParseUint(c.UnixSocket.Mode, 8, 32)
	if err != nil || mode > 0o777 {
		return 0, badSetting("unix_socket.mode", "unix_socket.mode: %q is no mode as in \"0660\"", c.UnixSocket.Mode)
	}
	return fs.FileMode(mode), nil
}

// checkWire checks the settings of how clients reach the daemon.
func (c *config) checkWire() error {
	t := c.TLS
	switch {
	case (t.Cert == "") != (t.Key == ""):
		return badSetting("tls", "tls: cert and key go together")
	case t.Cert != "" && t.SelfSigned:
		return badSetting("tls.self_signed", "tls: self_signed makes a certificate of its own: leave out cert and key")
	case t.ClientCA != "" && !t.enabled():
		return badSetting("tls.client_ca", "tls: client_ca needs cert and key, or self_signed")
	}
	if _, err := admission.NewHosts(c.Hosts, nil); err != nil {
		return badSetting("hosts", "hosts: %v", err)
	}
	if _, err := c.proxies(); err != nil {
		return err
	}
	if _, err := c.Limits.memory(); err != nil {
		return err
	}
	if c.Limits.Connections < 0 || c.Limits.ConnectionsPerAddress < 0 || c.Limits.RequestsPerToken < 1 {
		return badSetting("limits", "limits: connections and connections_per_address must not be below zero, requests_per_token not below one")
	}
	if _, err := c.unixMode(); err != nil {
		return err
	}
	if err := listen.CheckGroup(c.UnixSocket.Group); err != nil {
		return badSetting("unix_socket.group", "unix_socket.group: %v", err)
	}
	if _, err := c.listeners(); err != nil {
		return badSetting("listen", "listen: %v", err)
	}
	return nil
}

// wire is how clients reach the daemon.
type wire struct {
	listeners []*listen.Listener
	certs     *certs.Source // nil without TLS
	// connections counts those of all listeners.
	connections *listen.Limiter
	// fingerprint is that of a self-signed certificate, for whoever makes a context.
	fingerprint string
}

// openWire opens the listeners, and the certificate that they show.
func openWire(cfg config, log *slog.Logger) (_ *wire, err error) {
	all, err := cfg.listeners()
	if err != nil {
		return nil, err
	}
	options, err := cfg.listenOptions()
	if err != nil {
		return nil, err
	}
	proxies, err := cfg.proxies()
	if err != nil {
		return nil, err
	}
	total, perAddress := cfg.connections()
	w := &wire{connections: listen.NewLimiter(listen.Limits{Total: total, PerPeer: perAddress, Exempt: proxies.Trusts, Log: log})}
	for i := range all {
		opened, err := listen.OpenAll(all[i:i+1], options)
		if err != nil {
			return nil, errors.Join(badListener(i, err), w.close())
		}
		w.listeners = append(w.listeners, opened...)
	}
	if err := w.openCertificate(cfg, log); err != nil {
		return nil, errors.Join(err, w.close())
	}
	for _, l := range w.listeners {
		if cfg.InsecurePlainHTTP && l.Network == "tcp" && !l.TLS {
			log.Warn("plain HTTP is allowed on every address (insecure_plain_http): tokens cross the network in the clear", "address", l.At)
		}
	}
	return w, nil
}

// listenOptions are what all listeners have in common.
func (c *config) listenOptions() (listen.Options, error) {
	mode, err := c.unixMode()
	return listen.Options{InsecurePlainHTTP: c.InsecurePlainHTTP, UnixMode: mode, UnixGroup: c.UnixSocket.Group}, err
}

// badListener is the error of the i-th listener. Only plain HTTP is a mistake in the settings whatever
// the machine is like.
func badListener(i int, err error) error {
	return &settingError{key: fmt.Sprintf("listen.%d", i), text: "listen: " + err.Error(), machine: !errors.Is(err, listen.ErrPlainHTTP)}
}

// checkCertificate reports why the certificate cannot be served. It makes none: what the first start makes is
// in order.
func (c *config) checkCertificate() error {
	files := certs.Files{Cert: c.TLS.Cert, Key: c.TLS.Key, ClientCA: c.TLS.ClientCA}
	if c.TLS.SelfSigned {
		found, err := certs.FindSelfSigned(c.selfSignedDir())
		if errors.Is(err, certs.ErrNone) {
			if err = nil; files.ClientCA != "" {
				err = certs.CheckAuthorities(files.ClientCA)
			}
			if err == nil {
				return nil
			}
		}
		if err != nil {
			return c.TLS.locate(err)
		}
		files.Cert, files.Key = found.Cert, found.Key
	}
	if _, err := certs.Open(files, slog.New(slog.DiscardHandler)); err != nil {
		return c.TLS.locate(err)
	}
	return nil
}

func (w *wire) openCertificate(cfg config, log *slog.Logger) (err error) {
	if !cfg.TLS.enabled() {
		return nil
	}
	files := certs.Files{Cert: cfg.TLS.Cert, Key: cfg.TLS.Key}
	if cfg.TLS.SelfSigned {
		if err := makeDataDir(cfg); err != nil {
			return err
		}
		if files, err = certs.SelfSigned(cfg.selfSignedDir(), w.certified(cfg.Hosts)); err != nil {
			return err
		}
	}
	files.ClientCA = cfg.TLS.ClientCA
	if w.certs, err = certs.Open(files, log); err != nil {
		return cfg.TLS.locate(err)
	}
	warnReadable(log, "the key of the certificate", files.Key)
	if cfg.TLS.SelfSigned {
		w.fingerprint = w.certs.Fingerprint()
	}
	return nil
}

// warnReadable warns of a secret that every user of the machine can read.
func warnReadable(log *slog.Logger, what, path string) {
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o007 != 0 {
		log.Warn(what+" is readable by every user of this machine: chmod 600 it", "file", path, "mode", fmt.Sprintf("%04o", info.Mode().Perm()))
	}
}

// hosts are the names and addresses of this machine that the listeners have.
func (w *wire) hosts() []string {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if name, err := os.Hostname(); err == nil {
		hosts = append(hosts, name)
	}
	for _, l := range w.listeners {
		hosts = append(hosts, l.Hosts()...)
	}
	return hosts
}

// certified are the names and addresses that a certificate of our own is for: those of this machine, and those
// that the operator says clients use.
func (w *wire) certified(configured []string) []string {
	names := w.hosts()
	for _, host := range configured {
		if host != "*" && !slices.Contains(names, host) {
			names = append(names, host)
		}
	}
	return names
}

// urls are where clients connect to.
func (w *wire) urls() []string {
	urls := make([]string, len(w.listeners))
	for i, l := range w.listeners {
		urls[i] = l.URL()
	}
	return urls
}

// serve answers requests of all listeners until server is shut down.
func (w *wire) serve(ctx context.Context, server *http.Server, part func(fn func() error)) {
	server.ConnContext, server.ConnState = peer.ConnContext, w.connections.ConnState
	if w.certs != nil {
		server.TLSConfig = w.certs.Config()
		part(func() error { w.certs.Watch(ctx); return nil })
	}
	for _, l := range w.listeners {
		part(func() error {
			counted := w.connections.Wrap(l)
			run := func() error { return server.Serve(counted) }
			if l.TLS {
				run = func() error { return server.ServeTLS(counted, "", "") }
			}
			if err := run(); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("accept requests on %s: %w", l.URL(), err)
			}
			return nil
		})
	}
}

func (w *wire) close() error { return listen.CloseAll(w.listeners) }

// localServer is the daemon that cfg describes, for clients on this machine. A loopback address and a unix
// socket come before others.
func (c *config) localServer() (cliconfig.Local, error) {
	all, err := c.listeners()
	if err != nil {
		return cliconfig.Local{}, err
	}
	best := all[0].Local()
	for _, a := range all {
		if near := a.Local(); near.Network == "unix" || near.Loopback() {
			best = near
			break
		}
	}
	local := cliconfig.Local{Server: best.URL(), TokenFile: c.TokenFile, Token: c.Token, Root: os.Geteuid() == 0}
	if best.TLS {
		if local.Pin, err = certs.FingerprintOf(c.certificateFile()); err != nil {
			return local, err
		}
	}
	return local, nil
}
