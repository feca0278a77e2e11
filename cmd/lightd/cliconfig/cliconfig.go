package cliconfig

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"lightd/desired/token"
)

// Flags are the daemon's flags on the command line; empty where one is not given.
type Flags struct {
	Server, Token, TokenFile, Context string
	// Here is true where a flag gives the settings of this machine's daemon: no context is taken then.
	Here bool
}

// Local is the daemon of this machine.
type Local struct {
	Server, TokenFile string
	// Token is the master token where the configuration has it itself.
	Token string
	// Pin is the fingerprint of its certificate; empty without TLS.
	Pin string
	// Root is true where these are the settings of root, whose daemon is elsewhere than that of a user.
	Root bool
}

// Env is where everything else is found.
type Env struct {
	Getenv func(string) string
	// Stdin is read for a token file of the name "-".
	Stdin io.Reader
	// Warn is called with problems that do not stop the command; nil drops them.
	Warn func(string)
	// Local returns the settings of the daemon of this machine.
	Local func() (Local, error)
}

// Target is the daemon that a command talks to.
type Target struct {
	URL   string
	Token string
	// From is where the token was found, for the message when it is not accepted.
	From string
	// Pin is the fingerprint of the one certificate that is accepted; empty for those of the system's
	// authorities. ClientCert and ClientKey are the files of the certificate to present.
	Pin, ClientCert, ClientKey string
}

// ErrNoToken answers settings that name a daemon and no token for it.
var ErrNoToken = errors.New("no token is given: use --token-file FILE (\"-\" for the standard input), LIGHTD_TOKEN, LIGHTD_TOKEN_FILE or a context")

// source is where a token may be.
type source struct {
	text, file, name string
	local, root      bool // of this machine's daemon, which is root's
	named            bool // the daemon was named, and not found by the settings of this machine
}

// Resolve returns the daemon that flags and the rest of the settings mean.
func Resolve(flags Flags, place Env) (Target, error) {
	if flags.Server != "" && flags.Context != "" {
		return Target{}, errors.New("--server and --context both say which daemon is meant")
	}
	if flags.Here && flags.Context != "" {
		return Target{}, errors.New("--context and the settings of this machine's daemon (--data-dir, --config) both say which daemon is meant")
	}
	if flags.Token != "" && flags.TokenFile != "" {
		return Target{}, errors.New("--token and --token-file both give a token")
	}
	address, from, stored, err := findServer(flags, place)
	if err != nil {
		return Target{}, err
	}
	var local Local
	if address == "" || stored == nil && loopback(address) {
		local, err = place.Local()
		switch {
		case err != nil && address == "":
			return Target{}, fmt.Errorf("%w; name the daemon with --server or LIGHTD_URL, and its token with --token-file", err)
		case err != nil && place.Warn != nil:
			place.Warn(err.Error())
		}
	}
	named := address != ""
	if !named {
		address, from = local.Server, "the settings of this machine's daemon"
	}
	if err := CheckServer(address); err != nil {
		return Target{}, fmt.Errorf("%s: %w", from, err)
	}
	t := Target{URL: strings.TrimRight(address, "/")}
	switch {
	case stored != nil:
		t.Pin, t.ClientCert, t.ClientKey = stored.Pin, stored.ClientCert, stored.ClientKey
	case t.URL == strings.TrimRight(local.Server, "/"):
		t.Pin = local.Pin
	}
	given := findToken(flags, place, stored, local)
	given.named = named
	return t.with(given, place)
}

// findServer returns the address of the daemon, empty for that of this machine, where it was
// configured, and the context that gave it, if one did.
func findServer(flags Flags, place Env) (address, from string, stored *Context, err error) {
	if flags.Server != "" {
		return flags.Server, "--server", nil, nil
	}
	if v := place.Getenv("LIGHTD_URL"); v != "" && flags.Context == "" {
		return v, "LIGHTD_URL", nil, nil
	}
	if flags.Here {
		return "", "", nil, nil
	}
	name := flags.Context
	if name == "" {
		name = place.Getenv("LIGHTD_CONTEXT")
	}
	contexts, err := Load(Path(place.Getenv))
	if err != nil {
		return "", "", nil, err
	}
	if name == "" {
		name = contexts.Current
	}
	if name == "" {
		return "", "", nil, nil
	}
	found, err := contexts.Get(name)
	if err != nil {
		return "", "", nil, err
	}
	return found.Server, "the context " + name, &found, nil
}

// Elsewhere names the daemon of another machine that commands talk to without a flag, and what says so; it is
// empty where that is this machine's, or the contexts cannot be read.
func Elsewhere(getenv func(string) string) string {
	address, from, _, err := findServer(Flags{}, Env{Getenv: getenv})
	if err != nil || address == "" || loopback(address) {
		return ""
	}
	return fmt.Sprintf("%s (%s)", address, from)
}

// findToken returns the strongest of the places in which a token was given. A context that
// was named by a flag stands before the environment.
func findToken(flags Flags, place Env, stored *Context, local Local) source {
	ofContext, ofLocal := source{}, source{file: local.TokenFile, name: "the token file of this machine's daemon, " + local.TokenFile, local: true, root: local.Root}
	if local.Token != "" {
		ofLocal = source{text: local.Token, name: "the settings of this machine's daemon", local: true}
	}
	if stored != nil && stored.TokenFile != "" {
		ofContext = source{file: stored.TokenFile, name: "the context's token file " + stored.TokenFile}
	}
	candidates := []source{
		{text: flags.Token, file: flags.TokenFile, name: "--token-file " + flags.TokenFile},
		{},
		{text: place.Getenv("LIGHTD_TOKEN"), name: "LIGHTD_TOKEN"},
		{file: place.Getenv("LIGHTD_TOKEN_FILE"), name: "LIGHTD_TOKEN_FILE"},
		ofContext,
		ofLocal,
	}
	if flags.Token != "" {
		candidates[0].name = "--token"
	}
	if flags.Context != "" {
		candidates[1] = ofContext
	}
	for _, s := range candidates {
		if s.text != "" || s.file != "" {
			return s
		}
	}
	return source{}
}

// with reads the token.
func (t Target) with(s source, place Env) (Target, error) {
	t.From = s.name
	switch {
	case s.text != "":
		t.Token = s.text
	case s.file == "-":
		data, err := io.ReadAll(io.LimitReader(place.Stdin, 4096))
		if err != nil {
			return t, fmt.Errorf("read the token from the standard input: %w", err)
		}
		t.Token, t.From = strings.TrimSpace(string(data)), "the standard input"
	case s.file != "":
		text, err := token.Read(s.file)
		switch {
		case errors.Is(err, fs.ErrNotExist) && s.local && s.named:
			return t, fmt.Errorf("no token is given for %s, and there is none of this machine's daemon in %s: give one by --token-file, LIGHTD_TOKEN or a context", t.URL, s.file)
		case errors.Is(err, fs.ErrNotExist) && s.local:
			if !s.root {
				return t, fmt.Errorf("no daemon of yours has run on this machine, as there is no %s: run this as root for root's daemon, or name one with --server, LIGHTD_URL or a context", s.file)
			}
			return t, fmt.Errorf("no daemon has run on this machine, as there is no %s: name one with --server, LIGHTD_URL or a context", s.file)
		case errors.Is(err, fs.ErrNotExist):
			return t, fmt.Errorf("there is no token in %s: %w", s.name, fs.ErrNotExist)
		case errors.Is(err, fs.ErrPermission):
			return t, fmt.Errorf("read %s: you may not; run this as root, or give a token by --token-file, LIGHTD_TOKEN or a context (%w)", s.name, fs.ErrPermission)
		case err != nil:
			return t, err
		}
		t.Token = text
	default:
		return t, ErrNoToken
	}
	if !token.WellFormed(t.Token) {
		return t, fmt.Errorf("read the token from %s: %w", t.From, token.ErrMalformed)
	}
	return t, nil
}

// PlainHTTP says that tokens cross a network in the clear on the way to the daemon at an address; it is empty
// where they do not.
func PlainHTTP(address string) string {
	if !strings.HasPrefix(address, "http://") || loopback(address) {
		return ""
	}
	return "tokens cross the network in the clear on the way to " + address + ": use https://, or a tunnel to a loopback address"
}

// loopback reports whether an address is of this machine.
func loopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "unix" || u.Hostname() == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// CheckServer reports what is wrong with the URL of a daemon. It does not repeat the URL,
// which may hold a secret by mistake.
func CheckServer(text string) error {
	u, err := url.Parse(text)
	if err == nil && u.Scheme == "unix" && u.Host == "" && strings.HasPrefix(u.Path, "/") && u.RawQuery == "" && u.Fragment == "" {
		return nil
	}
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New(`the URL of a daemon is as in "http://127.0.0.1:8070", "https://node-1:8070" or "unix:///run/lightd.sock"`)
	}
	return nil
}

// CheckTokenFile makes the path of a token file absolute and checks that it holds one.
func CheckTokenFile(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find the token file: %w", err)
	}
	info, err := os.Stat(abs)
	if err != nil {
		return "", fmt.Errorf("read the token file: %w", err)
	}
	if info.Mode().Perm()&0o004 != 0 {
		return "", fmt.Errorf("read the token file: anybody may read %s: chmod 600 it", abs)
	}
	if _, err := token.Read(abs); err != nil {
		return "", err
	}
	return abs, nil
}
