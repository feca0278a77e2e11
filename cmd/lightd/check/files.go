package check

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"lightd/desired/kv"
	"lightd/desired/projectquota"
)

// What is low on a disk: the daemon warns of the first, and takes no more writes at the second.
const (
	lowSpace  = 256 << 20
	fullSpace = 64 << 20
	lowInodes = 1000
)

// renewalLate is how long before its end a certificate should have been renewed.
const renewalLate = 14 * 24 * time.Hour

// privateBits are those that the data directory may not have: others' of any kind, and the group's
// but the one to pass through, which the root of containers needs where the engine maps users.
const privateBits = 0o067

func dataDir(_ context.Context, n Node, m Machine) []Item {
	const name = "data-directory"
	info, err := m.Stat(n.DataDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return one(name, Warning, fmt.Sprintf("%s does not exist: no daemon has run here", n.DataDir), "start the daemon, or name its directory with --data-dir")
	case err != nil:
		return unreadable(name, err, m)
	case !info.IsDir():
		return one(name, Fault, n.DataDir+" is no directory", "move it away")
	case info.Mode().Perm()&privateBits != 0:
		return one(name, Fault, fmt.Sprintf("%s is open to other accounts (mode %04o): set-uid files in volumes would be of use to them", n.DataDir, info.Mode().Perm()), "chmod 700 "+n.DataDir)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && owner.Uid != 0 {
		return one(name, Warning, fmt.Sprintf("%s belongs to user %d, who has what the daemon has", n.DataDir, owner.Uid), "run the daemon as root, and chown the directory to root, unless the engine is a rootless one of that user")
	}
	return one(name, OK, fmt.Sprintf("%s is closed to other accounts (mode %04o)", n.DataDir, info.Mode().Perm()), "")
}

// database inspects whether this version can open the database.
func database(_ context.Context, _ Node, m Machine) []Item {
	const name = "database"
	format, err := m.DatabaseFormat()
	var newer *kv.FormatError
	switch {
	case errors.As(err, &newer):
		return one(name, Fault, fmt.Sprintf("the daemon does not start: %s has format %d, and this version of lightd reads formats up to %d", newer.What, newer.Format, newer.Supported),
			"use the version that wrote it or a newer one, or restore a backup from before the upgrade")
	case err != nil && (m.Root || !errors.Is(err, fs.ErrPermission)):
		return one(name, Fault, fmt.Sprintf("the daemon does not start: %v", err), `see "lightd docs damage"`)
	case err != nil:
		return unreadable(name, err, m)
	case format == 0:
		return nil
	}
	return one(name, OK, fmt.Sprintf("the database has format %d, which this version reads", format), "")
}

func fileSystem(_ context.Context, n Node, m Machine) []Item {
	disk, err := m.FileSystem(n.DataDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return unreadable("disk", err, m)
	}
	// The volumes may be on a file system of their own.
	at, volumes := filepath.Join(n.DataDir, "volumes"), disk
	if found, err := m.FileSystem(at); err == nil {
		volumes = found
	}
	flags := Item{"mount-flags", OK, "the file system of the volumes is mounted nodev,nosuid", ""}
	if !volumes.NoDev || !volumes.NoSUID {
		flags = Item{"mount-flags", Warning, "the file system of the volumes is not mounted nodev,nosuid: only the mode of the data directory keeps what is set-uid in a volume from other accounts",
			"mount a file system for " + n.DataDir + ", or for " + at + ", with nodev,nosuid"}
	}
	if volumes.NoExec {
		flags = Item{"mount-flags", Warning, "the file system of the volumes is mounted noexec: no program in a volume can be run", "mount it with exec, unless all programs are in images"}
	}
	return []Item{fileSystemKind(n, disk), flags, room("disk", disk, n.DataDir, diskRemedy(n))}
}

// diskRemedy is what makes room for the data directory.
func diskRemedy(n Node) string {
	return "make room on the disk of " + n.DataDir + ` (below 64 MiB few writes are taken): "lightd volume list --measure" shows the largest volumes`
}

// room says how much is left on the disk of something, with a remedy where that is little.
func room(name string, disk FileSystem, whose, remedy string) Item {
	space := Item{name, OK, fmt.Sprintf("%d MiB and %d inodes are free for %s", disk.Free>>20, disk.FreeInodes, whose), ""}
	switch {
	case disk.ReadOnly:
		space.Verdict, space.Text, space.Remedy = Fault, "the file system of "+whose+" is read-only", "find out why in the kernel's log, and mount it for writing"
	case disk.Free < fullSpace, disk.Inodes > 0 && disk.FreeInodes == 0:
		space.Verdict, space.Remedy = Fault, remedy
	case disk.Free < lowSpace, disk.Inodes > 0 && disk.FreeInodes < lowInodes:
		space.Verdict, space.Remedy = Warning, remedy
	}
	return space
}

// quotas says how the quotas of volumes are kept here.
func quotas(_ context.Context, n Node, m Machine) []Item {
	const name = "volume-quotas"
	at := filepath.Join(n.DataDir, "volumes")
	kind, err := m.Quotas(at)
	if errors.Is(err, fs.ErrNotExist) {
		kind, err = m.Quotas(n.DataDir)
	}
	var unavailable *projectquota.Unavailable
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.As(err, &unavailable):
		return one(name, OK, "the volumes are measured: one over its quota is reported, or its containers are stopped; the kernel enforces none: "+unavailable.Reason,
			"where programs must not exceed a quota at all: \"lightd docs quotas\"")
	case err != nil:
		return unreadable(name, err, m)
	}
	return one(name, OK, "the kernel enforces the quotas of volumes ("+kind+")", "")
}

func tokenFile(_ context.Context, n Node, m Machine) []Item {
	return secretFile("token-file", "the master token", n.TokenFile, m)
}

// formerMaster says that two master tokens hold.
func formerMaster(_ context.Context, n Node, _ Machine) []Item {
	if n.FormerMaster.IsZero() {
		return nil
	}
	return one("former-master", Warning, fmt.Sprintf("the former master token, and what was made with it, holds until %s", n.FormerMaster.Local().Format(time.DateTime)),
		"have all clients use the new one by then; \"lightd token reset\" ends both at once")
}

func configFile(_ context.Context, n Node, m Machine) []Item {
	if !n.SecretInConfig {
		return nil
	}
	return secretFile("configuration", "the configuration, which has a token or a secret,", n.ConfigFile, m)
}

// inForce says which settings are inspected.
func inForce(_ context.Context, n Node, _ Machine) []Item {
	if n.ConfigFile == "" {
		return one("settings", OK, "no configuration file is read: the defaults are inspected, with what flags and environment say; --config names a file", "")
	}
	return one("settings", OK, "those of "+n.ConfigFile+" are inspected", "")
}

func secretFiles(_ context.Context, n Node, m Machine) (items []Item) {
	for _, file := range n.SecretFiles {
		items = append(items, secretFile("webhook-secret", "the secret of a webhook", file, m)...)
	}
	if _, err := m.Stat(n.Credentials); n.Credentials != "" && errors.Is(err, fs.ErrNotExist) {
		return append(items, Item{credentialsItem, Warning, "there is no " + n.Credentials + ": images are pulled without credentials until it is there", `make it with "docker login": "lightd docs registries"`})
	}
	return append(items, secretFile(credentialsItem, "the file of images.credentials", n.Credentials, m)...)
}

// credentialsItem is the setting whose file is inspected.
const credentialsItem = "images.credentials"

// looseSettings warns of each setting that gives up a defence.
func looseSettings(_ context.Context, n Node, _ Machine) (items []Item) {
	for _, l := range n.Loose {
		items = append(items, Item{l.Setting, Warning, l.Text, "take it out of the configuration, unless it is meant"})
	}
	return items
}

// secretFile inspects a file that the daemon alone may read.
func secretFile(name, what, path string, m Machine) []Item {
	if path == "" {
		return nil
	}
	info, err := m.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return one(name, Warning, fmt.Sprintf("there is no %s: %s is made at the first start", path, what), "")
	case err != nil:
		return unreadable(name, err, m)
	case info.Mode().Perm()&0o007 != 0:
		return one(name, Fault, fmt.Sprintf("%s is open to every account of this machine: %s has mode %04o", what, path, info.Mode().Perm()), "chmod 600 "+path+", and then make a new one: what others have read stays known")
	case info.Mode().Perm()&0o070 != 0:
		return one(name, Warning, fmt.Sprintf("%s is open to a group: %s has mode %04o", what, path, info.Mode().Perm()), "chmod 600 "+path)
	}
	return one(name, OK, fmt.Sprintf("%s is its owner's alone: %s has mode %04o", what, path, info.Mode().Perm()), "")
}

// uncovered returns the first name that a certificate is not for; "" for none.
func uncovered(leaf *x509.Certificate, hosts []string) string {
	for _, host := range hosts {
		if host != "*" && !slices.Contains(leaf.DNSNames, host) && leaf.VerifyHostname(host) != nil {
			return host
		}
	}
	return ""
}

func certificate(_ context.Context, n Node, m Machine) []Item {
	const name = "certificate"
	if n.Certificate == "" {
		return nil
	}
	if err := m.LoadCertificate(); errors.Is(err, fs.ErrPermission) && !m.Root {
		return unreadable(name, err, m)
	} else if err != nil {
		return one(name, Fault, fmt.Sprintf("the daemon does not start: %v", err), "put the file there, in PEM, or correct tls in the configuration")
	}
	data, err := m.ReadFile(n.Certificate)
	if n.SelfSigned && errors.Is(err, fs.ErrNotExist) {
		return one(name, OK, "the first start makes a self-signed certificate", "")
	} else if err != nil {
		return unreadable(name, err, m)
	}
	block, _ := pem.Decode(bytes.TrimSpace(data))
	if block == nil {
		return one(name, Fault, n.Certificate+" holds no certificate", "put a certificate there, in PEM")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return one(name, Fault, fmt.Sprintf("%s cannot be read: %v", n.Certificate, err), "put a certificate there, in PEM")
	}
	const renew = "renew it; the daemon serves the new one within seconds"
	switch left := leaf.NotAfter.Sub(m.Now()); {
	case left <= 0:
		return one(name, Fault, "the certificate ended on "+leaf.NotAfter.Format(time.DateOnly), renew)
	case leaf.NotBefore.After(m.Now()):
		return one(name, Fault, "the certificate is not valid before "+leaf.NotBefore.Format(time.DateOnly), "set the clock, or use another certificate")
	case left < renewalLate:
		return one(name, Warning, "the certificate ends on "+leaf.NotAfter.Format(time.DateOnly), renew)
	case n.SelfSigned && uncovered(leaf, n.Hosts) != "":
		return one(name, Warning, fmt.Sprintf("the self-signed certificate is not for %s, which hosts lists: clients that check names refuse it", uncovered(leaf, n.Hosts)),
			"remove "+filepath.Dir(n.Certificate)+" and restart the daemon, which makes another one; clients that pin it need the new fingerprint")
	default:
		return one(name, OK, "the certificate is valid until "+leaf.NotAfter.Format(time.DateOnly), "")
	}
}
