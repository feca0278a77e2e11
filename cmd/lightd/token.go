package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"lightd/cmd/lightd/command"
	"lightd/cmd/lightd/terminal"
	"lightd/desired"
	"lightd/desired/token"
	"lightd/httpapi/client"
)

func tokenCommand(getenv func(string) string, streams terminal.Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Print or replace the master token, make a temporary one",
	}
	cmd.AddCommand(
		masterTokenCommand("show", "Print the master token", getenv, streams),
		masterTokenCommand("reset", "Replace the master token; a running daemon uses it at once", getenv, streams),
		tokenCreateCommand(getenv, streams),
	)
	return command.Branch(cmd)
}

// tokenSettings are those that lead to the master token.
var tokenSettings = []string{"data-dir", "token", "token-file"}

// masterTokenCommand works on the file: it needs no running daemon, and one that runs
// takes a reset into account at once.
func masterTokenCommand(verb, short string, getenv func(string) string, streams terminal.Streams) *cobra.Command {
	cmd := &cobra.Command{Use: verb, Short: short, Args: command.NoArgs}
	s := newSettings(cmd.Flags(), getenv, tokenSettings...)
	cmd.RunE = func(*cobra.Command, []string) error {
		cfg, err := s.loadForClient()
		if err != nil {
			return err
		}
		secret, err := masterToken(cfg, verb == "reset")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(streams.Out, secret)
		return err
	}
	return cmd
}

func masterToken(cfg config, reset bool) (secret string, err error) {
	switch {
	case cfg.Token != "" && reset:
		return "", usageError{Text: "the master token is given by LIGHTD_TOKEN or --token, so it cannot be reset in a file"}
	case reset:
		secret, err = token.Reset(cfg.TokenFile)
	case cfg.Token != "":
		return cfg.Token, nil
	default:
		secret, err = token.Read(cfg.TokenFile)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("there is no token yet: the first start of \"lightd serve\" makes one (%w)", err)
	}
	return secret, err
}

// tokenCreateCommand asks the running daemon, which alone may write its database.
func tokenCreateCommand(getenv func(string) string, streams terminal.Streams) *cobra.Command {
	cmd := &cobra.Command{Use: "create --ttl 1h", Short: "Ask the running daemon for a temporary token", Args: command.NoArgs}
	s := newSettings(cmd.Flags(), getenv, tokenSettings...)
	ttl := cmd.Flags().String("ttl", "", "`duration` that it lives: a number and s, m, h or d; at most 30d (required)")
	once := cmd.Flags().Bool("single-use", false, "it works exactly once")
	server := cmd.Flags().String("server", "", "`URL` of the daemon (LIGHTD_URL; default: the listen address)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := s.loadForClient()
		if err != nil {
			return err
		}
		if *ttl == "" {
			return usageError{Text: "token create: --ttl is needed, as in --ttl 1h"}
		}
		life, err := token.ParseTTL(*ttl)
		var invalid *desired.ValidationError
		if errors.As(err, &invalid) {
			return usageError{Text: fmt.Sprintf("token create: --ttl %q %s", *ttl, invalid.Fields[0].Message)}
		}
		if err != nil {
			return err
		}
		master := cfg.Token
		if master == "" {
			if master, err = token.Read(cfg.TokenFile); err != nil {
				return err
			}
		}
		if !cmd.Flags().Changed("server") {
			*server = getenv("LIGHTD_URL")
		}
		if *server == "" {
			*server = "http://" + dialable(cfg.Listen)
		}
		secret, err := createToken(cmd.Context(), *server, master, life, *once)
		if err != nil {
			return command.WithSubject("create token at "+*server, err)
		}
		_, err = fmt.Fprintln(streams.Out, secret)
		return err
	}
	return cmd
}

func createToken(ctx context.Context, server, master string, ttl time.Duration, once bool) (string, error) {
	c, err := client.New(client.Config{URL: server, Token: master, UserAgent: "lightd/" + version, Patience: -1})
	if err != nil {
		return "", err
	}
	defer c.Close()
	t, err := c.CreateToken(ctx, ttl, once)
	return t.Token, err
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
