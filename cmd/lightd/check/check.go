package check

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"lightd/controller/firewall"
	"lightd/desired"
	"lightd/httpapi/api"
	"lightd/httpapi/listen"
	"lightd/observed"
	"lightd/observed/engine"
	"lightd/observed/journal"
)

// Verdict is what an item is.
type Verdict string

// The verdicts. Unknown is what cannot be inspected; a Fault keeps the daemon from its work, or opens it to others.
const (
	OK      Verdict = "ok"
	Unknown Verdict = "unknown"
	Warning Verdict = "warning"
	Fault   Verdict = "fault"
)

// Item is what a check has found.
type Item struct {
	Name    string  `json:"item"`
	Verdict Verdict `json:"verdict"`
	// Text is a sentence; Remedy, empty where there is nothing to do, what puts it right.
	Text   string `json:"text"`
	Remedy string `json:"remedy,omitempty"`
}

// Node is what is configured.
type Node struct {
	// Built is when this program was made, at the earliest; zero where that is unknown.
	Built                          time.Time
	DataDir, TokenFile, ConfigFile string
	// FormerMaster is when the former master token ends that a reset has kept; zero where none is.
	FormerMaster time.Time
	// SecretInConfig is true when the configuration file has the master token, or the secret of a webhook.
	SecretInConfig bool
	// SecretFiles are the files of the secrets of webhooks.
	SecretFiles []string
	// Credentials is the file of the credentials of registries; empty for none.
	Credentials string
	// Loose are settings that give up a defence, each with what that means.
	Loose     []Loose
	Listeners []listen.Address
	// ListenPlaces are where in the settings each listener is, as in "FILE:LINE: "; empty outside of a file.
	ListenPlaces []string
	PlainHTTP    bool
	// Certificate is the file of the certificate that is served; empty without TLS. SelfSigned is true for
	// one that the first start makes.
	Certificate string
	SelfSigned  bool
	// Hosts are the names that clients use, as configured.
	Hosts []string
	// Rules are what the operator allows specs.
	Rules desired.Rules
	// MountsAllowed are the directories that specs may mount from, ClosedPlaces what the daemon closes
	// whatever is allowed.
	MountsAllowed, ClosedPlaces []string
	// HostPorts are the ports of the machine that containers may reach.
	HostPorts []firewall.PortRange
	// FirewallOff is true when the operator wants no firewall of containers.
	FirewallOff bool
}

// Loose is a setting that gives up a defence.
type Loose struct {
	// Setting is as in the file; Text what it means.
	Setting, Text string
}

// FileSystem is the one that a path is on.
type FileSystem struct {
	// Kind is its name where that matters, as "tmpfs" or "nfs"; empty for disks of the machine.
	Kind                            string
	NoDev, NoSUID, NoExec, ReadOnly bool
	Free, Size                      uint64
	FreeInodes, Inodes              uint64
}

// Machine is how the machine is read.
type Machine struct {
	// Root is true for an account that may read everything.
	Root bool
	// Running reports whether a daemon runs on the data directory.
	Running func() (bool, error)
	// DatabaseFormat returns the format of the database, 0 where there is none.
	DatabaseFormat func() (int, error)
	// Listen reports why nobody can listen on an address, LoadCertificate why the certificate cannot be served.
	Listen          func(listen.Address) error
	LoadCertificate func() error
	// CompareRunning returns which settings the running daemon has otherwise, by what puts them in force.
	CompareRunning func() (restart, reload []string, err error)
	// ClockSynchronised reports whether something synchronises the kernel's clock.
	ClockSynchronised func() (bool, error)
	// PortHolder names the process of this machine that holds a port; empty where none is found.
	PortHolder func(desired.Endpoint) string
	// PoolPorts and Events ask the running daemon for the pool, and for the newest events, oldest first.
	PoolPorts func(ctx context.Context) ([]desired.PoolPort, error)
	Events    func(ctx context.Context) ([]journal.Event, error)
	// Webhooks and Volumes ask the running daemon.
	Webhooks func(ctx context.Context) ([]api.Webhook, error)
	Volumes  func(ctx context.Context) (int, error)
	// Describe asks the running daemon for its node.
	Describe   func(ctx context.Context) (api.Node, error)
	Stat       func(path string) (fs.FileInfo, error)
	ReadFile   func(path string) ([]byte, error)
	FileSystem func(path string) (FileSystem, error)
	// Quotas returns the kind of file system of a directory that enforces project quotas; else the error says why it
	// does not.
	Quotas func(path string) (kind string, err error)
	// Engine returns how the engine separates containers.
	Engine func(ctx context.Context) (engine.Isolation, error)
	// EngineDirectories returns what the engine keeps to itself.
	EngineDirectories func(ctx context.Context) ([]string, error)
	// Ready returns what the daemon answers of its readiness, with the details of a refusal.
	Ready func(ctx context.Context) (Readiness, error)
	// Networks returns the networks of the engine that have one of the names, Specs those of all containers.
	Networks func(ctx context.Context, names []string) ([]observed.Network, error)
	Specs    func(ctx context.Context) ([]desired.Spec, error)
	Now      func() time.Time
}

// Readiness is the answer of the running daemon.
type Readiness struct {
	Missing, Warnings []api.Detail
}

// Checks are all checks, in the order in which their items are shown.
var Checks = []func(context.Context, Node, Machine) []Item{
	inForce, clock, dataDir, database, fileSystem, quotas, tokenFile, formerMaster, configFile, secretFiles, looseSettings, mountsAllowed, HostPorts, listeners, certificate, dockerEngine, timeouts, allowedNetworks, poolPorts, readiness, cordon, runningSettings, webhooks, beyondAllowed,
}

// Run runs all checks.
func Run(ctx context.Context, n Node, m Machine) []Item {
	var items []Item
	for _, check := range Checks {
		items = append(items, check(ctx, n, m)...)
	}
	return items
}

var severity = map[Verdict]int{OK: 0, Unknown: 1, Warning: 2, Fault: 3}

// Worst returns the worst verdict of items.
func Worst(items []Item) Verdict {
	worst := OK
	for _, i := range items {
		if severity[i.Verdict] > severity[worst] {
			worst = i.Verdict
		}
	}
	return worst
}

// one returns an item alone.
func one(name string, verdict Verdict, text, remedy string) []Item {
	return []Item{{name, verdict, text, remedy}}
}

// unreadable is the item of what could not be inspected.
func unreadable(name string, err error, m Machine) []Item {
	remedy := "see why in the error"
	switch {
	case errors.Is(err, fs.ErrPermission) && !m.Root:
		remedy = "run the command as root"
	case errors.Is(err, fs.ErrNotExist):
		remedy = "make it, or name the one that is meant in the configuration"
	}
	return one(name, Unknown, fmt.Sprintf("it cannot be inspected: %v", err), remedy)
}
