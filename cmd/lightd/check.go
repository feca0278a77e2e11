package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"lightd/cmd/lightd/check"
	"lightd/cmd/lightd/command"
	"lightd/cmd/lightd/render"
	"lightd/cmd/lightd/terminal"
	"lightd/controller"
	"lightd/controller/firewall"
	"lightd/desired"
	"lightd/desired/kv"
	"lightd/desired/projectquota"
	"lightd/desired/token"
	"lightd/httpapi/client"
	"lightd/httpapi/listen"
	"lightd/observed/engine"
)

const checkHelp = `Inspects this machine for what makes a node unsafe or keeps it from its work, with the settings of the daemon: give it the flags and the environment of "lightd serve". It changes nothing. The daemon may run or not.

Each item has a verdict (ok, warning, fault, or unknown where it cannot be inspected), a sentence, and what puts it right. Without root some are unknown. Exit codes: 0 without a fault, 1 with one, 2 for a mistake in the settings.`

// checkTimeout bounds what each of the engine and the daemon may take to answer.
const checkTimeout = 5 * time.Second

// errFaults ends a check that has found faults.
var errFaults = errors.New("there are faults")

func checkCommand(getenv func(string) string, streams terminal.Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "check",
		Short:   "Inspect this machine for what an operator should put right",
		Long:    checkHelp,
		Args:    command.NoArgs,
		Example: "  sudo lightd check --config /etc/lightd/lightd.yaml\n  sudo lightd check -o json",
	}
	s := newSettings(cmd.Flags(), getenv)
	output := cmd.Flags().StringP("output", "o", "", "`form`: json, a list of items")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *output != "" && *output != "json" {
			return usageError{Text: fmt.Sprintf("check: --output %q is not json", *output)}
		}
		cfg, err := s.load()
		if err != nil {
			return err
		}
		node, err := cfg.checkedNode(s.configFile())
		if err != nil {
			return err
		}
		for i := range node.Listeners {
			node.ListenPlaces = append(node.ListenPlaces, s.placeOf(fmt.Sprintf("listen.%d", i)))
		}
		items := check.Run(cmd.Context(), node, cfg.machine(s.locate))
		if err := writeItems(streams.Out, *output, terminal.Columns(streams.Out, getenv), items); err != nil {
			return err
		}
		if check.Worst(items) == check.Fault {
			return errFaults
		}
		return nil
	}
	return cmd
}

func writeItems(out io.Writer, form string, columns int, items []check.Item) error {
	if form == "json" {
		return render.JSON(out, items)
	}
	table := render.NewTable(out, "ITEM", "VERDICT", "WHAT", "REMEDY").Fit(columns)
	for _, i := range items {
		table.Row(i.Name, string(i.Verdict), i.Text, i.Remedy)
	}
	return table.Flush()
}

// checkedNode is what is configured, as the checks need it.
func (c *config) checkedNode(file string) (check.Node, error) {
	listeners, err := c.listeners()
	if err != nil {
		return check.Node{}, err
	}
	n := check.Node{Built: builtAt(), DataDir: c.DataDir, ConfigFile: file, Listeners: listeners, PlainHTTP: c.InsecurePlainHTTP}
	if c.Token == "" {
		n.TokenFile, n.FormerMaster = c.TokenFile, token.FormerUntil(c.TokenFile)
	}
	if text, err := os.ReadFile(file); err == nil {
		n.SecretInConfig = slices.ContainsFunc(c.secrets(), func(one string) bool { return bytes.Contains(text, []byte(one)) })
	}
	n.SecretFiles, n.Credentials = c.Webhooks.secretFiles(), c.Images.Credentials
	n.Loose = c.loose()
	if c.TLS.enabled() {
		n.Certificate, n.SelfSigned, n.Hosts = c.certificateFile(), c.TLS.SelfSigned, c.Hosts
	}
	n.MountsAllowed, n.ClosedPlaces, n.FirewallOff = c.Mounts.Allowed, c.ownPlaces(), c.Network.Firewall == firewallOff
	if n.HostPorts, err = firewall.ParsePorts(c.Network.AllowHostPorts); err != nil {
		return check.Node{}, err
	}
	bounds, err := c.Containers.limitRange()
	n.Rules = desired.Rules{AllowedMounts: c.Mounts.Allowed, AllowedImages: c.Images.Allowed, AllowedNetworks: c.Network.Allowed, Limits: bounds}
	return n, err
}

// machine is how the checks read this machine. locate says where in the settings an error is.
func (c *config) machine(locate func(error) error) check.Machine {
	return check.Machine{
		Root: os.Geteuid() == 0, Running: func() (bool, error) { return kv.Locked(c.database()) },
		DatabaseFormat: func() (int, error) { return kv.FormatOf(c.database()) },
		Listen: func(a listen.Address) error {
			options, err := c.listenOptions()
			if err != nil {
				return err
			}
			options.InsecurePlainHTTP = true // which has an item of its own
			return listen.Try(a, options)
		},
		CompareRunning: c.compareRunning, Webhooks: c.webhooksNow, Volumes: c.volumesNow, Describe: c.nodeNow,
		LoadCertificate: func() error {
			err := c.checkCertificate()
			if errors.Is(err, fs.ErrPermission) {
				return err
			}
			return locate(err)
		},
		ClockSynchronised: clockSynchronised, PortHolder: controller.PortHolder, PoolPorts: c.poolNow, Events: c.eventsNow,
		Stat: os.Stat, ReadFile: os.ReadFile, FileSystem: statFileSystem, Quotas: projectQuotas, Now: time.Now,
		Engine: c.inspectEngine, EngineDirectories: c.engineDirectories, Ready: c.askReadiness, Networks: c.engineNetworks, Specs: c.storedSpecs,
	}
}

// warnHostPorts logs what containers may reach of this machine and should not.
func (c *config) warnHostPorts(ctx context.Context, log *slog.Logger) {
	node, err := c.checkedNode(c.file)
	if err != nil {
		return // check has found it
	}
	for _, i := range check.HostPorts(ctx, node, check.Machine{}) {
		if i.Verdict != check.OK {
			log.Warn(i.Text, "remedy", i.Remedy)
		}
	}
}

// projectQuotas returns the kind of the file system of a directory, if it enforces project quotas.
func projectQuotas(path string) (kind string, err error) {
	fs, err := projectquota.Open(path)
	if err != nil {
		return "", err
	}
	return fs.Name(), fs.Close()
}

// The flags of statfs(2).
const (
	statReadOnly = 0x1
	statNoSUID   = 0x2
	statNoDev    = 0x4
	statNoExec   = 0x8
)

// fileSystemKinds are the kinds that check has something to say of, by their magic numbers.
var fileSystemKinds = map[int64]string{
	unix.TMPFS_MAGIC: "tmpfs", unix.RAMFS_MAGIC: "tmpfs", unix.OVERLAYFS_SUPER_MAGIC: "overlay", unix.NFS_SUPER_MAGIC: "nfs",
	unix.CIFS_SUPER_MAGIC: "cifs", unix.SMB2_SUPER_MAGIC: "cifs", unix.V9FS_MAGIC: "9p", unix.FUSE_SUPER_MAGIC: "fuse",
}

func statFileSystem(path string) (check.FileSystem, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return check.FileSystem{}, &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	block := uint64(st.Bsize)
	return check.FileSystem{
		Kind: fileSystemKinds[int64(st.Type)], NoExec: st.Flags&statNoExec != 0,
		NoDev: st.Flags&statNoDev != 0, NoSUID: st.Flags&statNoSUID != 0, ReadOnly: st.Flags&statReadOnly != 0,
		Free: st.Bavail * block, Size: st.Blocks * block, FreeInodes: st.Ffree, Inodes: st.Files,
	}, nil
}

func (c *config) inspectEngine(ctx context.Context) (found engine.Isolation, err error) {
	err = c.withEngine(ctx, func(ctx context.Context, e *engine.Engine) error {
		found, err = e.Isolation(ctx)
		return err
	})
	return found, err
}

func (c *config) engineDirectories(ctx context.Context) (found []string, err error) {
	err = c.withEngine(ctx, func(ctx context.Context, e *engine.Engine) error {
		found, err = e.Directories(ctx)
		return err
	})
	return found, err
}

// withEngine calls fn with a client of the engine.
func (c *config) withEngine(ctx context.Context, fn func(context.Context, *engine.Engine) error) error {
	e, err := engine.New(engine.Config{Host: c.DockerHost, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	return errors.Join(fn(ctx, e), e.Close())
}

// askReadiness asks the running daemon, which needs no token.
func (c *config) askReadiness(ctx context.Context) (check.Readiness, error) {
	daemon, err := c.localClient("")
	if err != nil {
		return check.Readiness{}, err
	}
	defer daemon.Close()
	ready, err := daemon.Readiness(ctx)
	var refused *client.Error
	if errors.As(err, &refused) && errors.Is(err, client.ErrUnavailable) && len(refused.Details) > 0 {
		return check.Readiness{Missing: refused.Details}, nil
	}
	return check.Readiness{Warnings: ready.Warnings}, err
}
