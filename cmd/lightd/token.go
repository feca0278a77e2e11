package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"time"

	"lightd/desired/token"
)

func tokenCommand(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return usageError{"token: one of show, reset, create is needed"}
	}
	switch args[0] {
	case "show", "reset":
		return masterTokenCommand(args[0], args[1:], getenv, stdout, stderr)
	case "create":
		return tokenCreateCommand(ctx, args[1:], getenv, stdout, stderr)
	}
	return usageError{fmt.Sprintf("token: unknown command %q; there are show, reset, create", args[0])}
}

// masterTokenCommand works on the file: it needs no running daemon, and one that runs
// takes a reset into account at once.
func masterTokenCommand(verb string, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	cfg, rest, err := loadConfig("lightd token "+verb, args, getenv, stderr, nil)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usageError{fmt.Sprintf("token %s takes no argument, got %q", verb, rest[0])}
	}
	if cfg.Token != "" && verb == "reset" {
		return usageError{"the master token is given by LIGHTD_TOKEN or --token, so it cannot be reset in a file"}
	}
	secret, err := cfg.Token, error(nil)
	switch {
	case verb == "reset":
		secret, err = token.Reset(cfg.TokenFile)
	case secret == "":
		secret, err = token.Read(cfg.TokenFile)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no token yet: the first start of \"lightd serve\" makes one (%w)", err)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, secret)
	return err
}

// tokenCreateCommand asks the running daemon, which alone may write its database.
func tokenCreateCommand(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	var ttl, server string
	var once bool
	cfg, rest, err := loadConfig("lightd token create", args, getenv, stderr, func(f *flag.FlagSet) {
		f.StringVar(&ttl, "ttl", "", "how long it lives: a number and s, m, h or d; at most 30d (required)")
		f.BoolVar(&once, "single-use", false, "it works exactly once")
		f.StringVar(&server, "server", getenv("LIGHTD_URL"), "`URL` of the daemon (LIGHTD_URL; default: the listen address)")
	})
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usageError{fmt.Sprintf("token create takes no argument, got %q", rest[0])}
	}
	if _, err := token.ParseTTL(ttl); err != nil {
		return usageError{fmt.Sprintf("token create: --ttl %q: %v", ttl, err)}
	}
	master := cfg.Token
	if master == "" {
		if master, err = token.Read(cfg.TokenFile); err != nil {
			return err
		}
	}
	if server == "" {
		server = "http://" + dialable(cfg.Listen)
	}
	secret, err := createToken(ctx, server, master, ttl, once)
	if err != nil {
		return fmt.Errorf("create token at %s: %w", server, err)
	}
	_, err = fmt.Fprintln(stdout, secret)
	return err
}

func createToken(ctx context.Context, server, master, ttl string, once bool) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	body, err := json.Marshal(map[string]any{"ttl": ttl, "remove_on_use": once})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server+"/auth/tokens", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+master)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var answer struct{ Token, Error string }
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer); err != nil {
		return "", fmt.Errorf("read the answer: %w", err)
	}
	if resp.StatusCode != http.StatusCreated {
		return "", fmt.Errorf("%s: %s", resp.Status, answer.Error)
	}
	return answer.Token, nil
}

// dialable turns an address to listen on into one to connect to.
func dialable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
