package check

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"lightd/controller/firewall"
	"lightd/desired"
	"lightd/desired/kv"
	"lightd/desired/projectquota"
	"lightd/httpapi/api"
	"lightd/httpapi/certs"
	"lightd/httpapi/client"
	"lightd/httpapi/listen"
	"lightd/observed"
	"lightd/observed/engine"
	"lightd/observed/journal"
)

// files is a file system of modes alone.
type files map[string]fs.FileMode

func (f files) stat(path string) (fs.FileInfo, error) {
	mode, found := f[path]
	if !found {
		return nil, &fs.PathError{Op: "stat", Path: path, Err: fs.ErrNotExist}
	}
	return fs.Stat(fstest.MapFS{"x": {Mode: mode}}, "x")
}

const gib = 1 << 30

// The ports of the pool: one is free, one is a container's.
var (
	free  = desired.Endpoint{IP: "0.0.0.0", Port: 25565, Protocol: "tcp"}
	taken = desired.Endpoint{IP: "0.0.0.0", Port: 25566, Protocol: "tcp"}
)

// good is a machine on which all is well.
func good() (Node, files, Machine) {
	modes := files{"/data": fs.ModeDir | 0o700, "/data/token": 0o600, "/etc/l.yaml": 0o600}
	return Node{DataDir: "/data", TokenFile: "/data/token", ConfigFile: "/etc/l.yaml", SecretInConfig: true, Listeners: []listen.Address{{Network: "tcp", At: "127.0.0.1:8070"}}}, modes, Machine{
		ClockSynchronised: func() (bool, error) { return true, nil }, PortHolder: func(desired.Endpoint) string { return "" }, Root: true,
		PoolPorts: func(context.Context) ([]desired.PoolPort, error) {
			return []desired.PoolPort{{Endpoint: free}, {Endpoint: taken, InUse: true}}, nil
		},
		Events:         func(context.Context) ([]journal.Event, error) { return nil, nil },
		CompareRunning: func() (_, _ []string, _ error) { return nil, nil, nil },
		Webhooks:       func(context.Context) ([]api.Webhook, error) { return nil, nil }, Volumes: func(context.Context) (int, error) { return 3, nil },
		Describe:       func(context.Context) (api.Node, error) { return api.Node{}, nil },
		DatabaseFormat: func() (int, error) { return kv.Format, nil },
		Running:        func() (bool, error) { return true, nil }, Listen: func(listen.Address) error { return nil }, LoadCertificate: func() error { return nil },
		Stat: modes.stat, ReadFile: func(string) ([]byte, error) { return nil, errors.New("no such file") }, Now: time.Now,
		Quotas: func(string) (string, error) { return "", &projectquota.Unavailable{Reason: "neither"} },
		FileSystem: func(string) (FileSystem, error) {
			return FileSystem{NoDev: true, NoSUID: true, Free: gib, Size: gib, FreeInodes: 1e6, Inodes: 1e6}, nil
		},
		Engine: func(context.Context) (engine.Isolation, error) {
			return engine.Isolation{Version: "20.10.24", API: "1.41", Cgroup: "2", Storage: "overlay2", Kernel: "6.1", Root: "/srv/docker", Options: []string{"name=seccomp,profile=default", "name=apparmor", "name=userns"}}, nil
		},
		Ready:             func(context.Context) (Readiness, error) { return Readiness{}, nil },
		Networks:          func(context.Context, []string) ([]observed.Network, error) { return nil, nil },
		Specs:             func(context.Context) ([]desired.Spec, error) { return nil, nil },
		EngineDirectories: func(context.Context) ([]string, error) { return []string{"/srv/docker"}, nil },
	}
}

func holderOf(port desired.Endpoint) func(desired.Endpoint) string {
	return func(e desired.Endpoint) string {
		if e == port {
			return "nc (pid 7)"
		}
		return ""
	}
}

func TestChecks(t *testing.T) {
	disk := func(change func(*FileSystem)) func(*Node, files, *Machine) {
		return func(_ *Node, _ files, m *Machine) {
			f, _ := m.FileSystem("")
			change(&f)
			m.FileSystem = func(string) (FileSystem, error) { return f, nil }
		}
	}
	options := func(all ...string) func(*Node, files, *Machine) {
		return func(_ *Node, _ files, m *Machine) {
			m.Engine = func(context.Context) (engine.Isolation, error) { return engine.Isolation{Options: all}, nil }
		}
	}
	mode := func(path string, mode fs.FileMode) func(*Node, files, *Machine) {
		return func(_ *Node, f files, _ *Machine) { f[path] = mode }
	}
	listener := func(at string, plain bool) func(*Node, files, *Machine) {
		return func(n *Node, _ files, _ *Machine) {
			n.Listeners, n.PlainHTTP = append(n.Listeners, listen.Address{Network: "tcp", At: at}), plain
		}
	}
	mounts := func(dirs ...string) func(*Node, files, *Machine) {
		return func(n *Node, f files, _ *Machine) {
			n.MountsAllowed, n.ClosedPlaces = dirs, []string{"/data"}
			f["/srv/a"], f["/srv"] = fs.ModeDir|0o755, fs.ModeDir|0o755
		}
	}
	ports := func(first, last uint16) func(*Node, files, *Machine) {
		return func(n *Node, _ files, _ *Machine) {
			n.HostPorts = []firewall.PortRange{{First: first, Last: last, Protocol: "tcp"}}
		}
	}
	networks := func(found ...observed.Network) func(*Node, files, *Machine) {
		return func(n *Node, _ files, m *Machine) {
			n.Rules.AllowedNetworks = []string{"games"}
			m.Networks = func(context.Context, []string) ([]observed.Network, error) { return found, nil }
		}
	}
	specs := func(memory int64) func(*Node, files, *Machine) {
		return func(n *Node, _ files, m *Machine) {
			n.Rules.Limits.MaxMemory = 1 << 30
			m.Specs = func(context.Context) ([]desired.Spec, error) {
				all := make([]desired.Spec, 30)
				for i := range all {
					all[i] = desired.Spec{InternalID: fmt.Sprintf("c%02d", i), Image: "alpine:3", Limits: desired.Limits{Memory: memory}}
				}
				return all, nil
			}
		}
	}
	ready := func(r Readiness, err error) func(*Node, files, *Machine) {
		return func(_ *Node, _ files, m *Machine) {
			m.Ready = func(context.Context) (Readiness, error) { return r, err }
		}
	}
	differing := func(restart, reload []string, err error) func(*Node, files, *Machine) {
		return func(_ *Node, _ files, m *Machine) {
			m.CompareRunning = func() (_, _ []string, _ error) { return restart, reload, err }
		}
	}
	unheard := func(running bool, err error) func(*Node, files, *Machine) {
		return func(n *Node, _ files, m *Machine) {
			n.Listeners = []listen.Address{{Network: "unix", At: "/x"}}
			m.Running, m.Listen = func() (bool, error) { return running, nil }, func(listen.Address) error { return err }
		}
	}
	events := func(age time.Duration, message string) func(*Node, files, *Machine) {
		return func(_ *Node, _ files, m *Machine) {
			m.Events = func(context.Context) ([]journal.Event, error) {
				return []journal.Event{{InternalID: "web", Time: time.Now().Add(-age), Message: message}}, nil
			}
		}
	}
	isolation := func(change func(*engine.Isolation)) func(*Node, files, *Machine) {
		return func(_ *Node, _ files, m *Machine) {
			found, _ := m.Engine(context.Background())
			change(&found)
			m.Engine = func(context.Context) (engine.Isolation, error) { return found, nil }
		}
	}
	format := func(found int, err error) func(*Node, files, *Machine) {
		return func(_ *Node, _ files, m *Machine) {
			m.Root, m.DatabaseFormat = false, func() (int, error) { return found, err }
		}
	}
	late := "stop container 1: " + engine.ErrTimeout.Error() + " (30s)"
	refused := errors.New("refused")
	for name, c := range map[string]struct {
		change func(*Node, files, *Machine)
		item   string
		want   Verdict
	}{
		"all well":                       {func(*Node, files, *Machine) {}, "", OK},
		"mapped users":                   {mode("/data", fs.ModeDir|0o710), "data-directory", OK},
		"a directory for all":            {mode("/data", fs.ModeDir|0o711), "data-directory", Fault},
		"no directory":                   {func(_ *Node, f files, _ *Machine) { delete(f, "/data") }, "data-directory", Warning},
		"a file for a directory":         {mode("/data", 0o600), "data-directory", Fault},
		"a database":                     {format(1, nil), "database", OK},
		"a database of a newer version":  {format(2, kv.CheckFormat("database /data/db", 2)), "database", Fault},
		"a database without a format":    {format(0, errors.New("is no format")), "database", Fault},
		"a database that nobody may see": {format(0, fs.ErrPermission), "database", Unknown},
		"no nosuid":                      {disk(func(f *FileSystem) { f.NoSUID = false }), "mount-flags", Warning},
		"no nodev":                       {disk(func(f *FileSystem) { f.NoDev = false }), "mount-flags", Warning},
		"little room":                    {disk(func(f *FileSystem) { f.Free = 200 << 20 }), "disk", Warning},
		"no room":                        {disk(func(f *FileSystem) { f.Free = 1 << 20 }), "disk", Fault},
		"few inodes":                     {disk(func(f *FileSystem) { f.FreeInodes = 10 }), "disk", Warning},
		"no inodes":                      {disk(func(f *FileSystem) { f.FreeInodes = 0 }), "disk", Fault},
		"inodes that nobody counts":      {disk(func(f *FileSystem) { f.FreeInodes, f.Inodes = 0, 0 }), "disk", OK},
		"a read-only disk":               {disk(func(f *FileSystem) { f.ReadOnly = true }), "disk", Fault},
		"a token for all":                {mode("/data/token", 0o644), "token-file", Fault},
		"a token for a group":            {mode("/data/token", 0o640), "token-file", Warning},
		"a former master token":          {func(n *Node, _ files, _ *Machine) { n.FormerMaster = time.Now().Add(time.Hour) }, "former-master", Warning},
		"a configuration for all":        {mode("/etc/l.yaml", 0o644), "configuration", Fault},
		"a secret for all":               {func(n *Node, f files, _ *Machine) { n.SecretFiles, f["/etc/s"] = []string{"/etc/s"}, 0o644 }, "webhook-secret", Fault},
		"credentials for all":            {func(n *Node, f files, _ *Machine) { n.Credentials, f["/etc/c"] = "/etc/c", 0o644 }, "images.credentials", Fault},
		"credentials of the owner alone": {func(n *Node, f files, _ *Machine) { n.Credentials, f["/etc/c"] = "/etc/c", 0o600 }, "images.credentials", OK},
		"no file of credentials":         {func(n *Node, _ files, _ *Machine) { n.Credentials = "/etc/c" }, "images.credentials", Warning},
		"no file":                        {func(n *Node, _ files, _ *Machine) { n.ConfigFile, n.SecretInConfig = "", false }, "settings", OK},
		"a loose setting":                {func(n *Node, _ files, _ *Machine) { n.Loose = []Loose{{"origins", "all may call"}} }, "origins", Warning},
		"plain HTTP":                     {listener("0.0.0.0:80", false), "listeners", Fault},
		"plain HTTP, allowed":            {listener("0.0.0.0:80", true), "listeners", Warning},
		"an address of another machine":  {unheard(true, errors.New("this machine does not have that address")), "listeners", Fault},
		"an address of the daemon":       {unheard(true, listen.ErrInUse), "", OK},
		"an address of another program":  {unheard(false, listen.ErrInUse), "daemon", Warning},
		"a certificate that is missing": {func(n *Node, _ files, m *Machine) {
			n.Certificate, m.LoadCertificate = "/x", func() error { return errors.New("tls.cert: none") }
		}, "certificate", Fault},
		"a certificate that the first start makes": {func(n *Node, _ files, m *Machine) {
			n.Certificate, n.SelfSigned, m.ReadFile = "/x", true, func(string) ([]byte, error) { return nil, fs.ErrNotExist }
		}, "certificate", OK},
		"other settings, after a restart": {differing([]string{"hosts"}, nil, nil), "running-settings", Warning},
		"other settings, after a reload":  {differing(nil, []string{"origins"}, nil), "running-settings", Warning},
		"the same settings":               {differing(nil, nil, nil), "running-settings", OK},
		"a daemon of before":              {differing(nil, nil, fs.ErrNotExist), "", OK},
		"a node that is cordoned": {func(_ *Node, _ files, m *Machine) {
			m.Describe = func(context.Context) (api.Node, error) {
				return api.Node{Cordon: &api.Cordon{Cordon: desired.Cordon{Reason: "kernel update"}, Held: 3}}, nil
			}
		}, "cordon", Warning},
		"a webhook that fails": {func(_ *Node, _ files, m *Machine) {
			m.Webhooks = func(context.Context) ([]api.Webhook, error) {
				return []api.Webhook{{Name: "a", State: api.WebhookFailing, LastError: "404"}, {Name: "b", State: api.WebhookIdle}}, nil
			}
		}, "webhook", Warning},
		"too many volumes":    {func(n *Node, _ files, _ *Machine) { n.Rules.Limits.MaxVolumes = 2 }, "bounds", Warning},
		"as many volumes":     {func(n *Node, _ files, _ *Machine) { n.Rules.Limits.MaxVolumes = 3 }, "bounds", OK},
		"too many containers": {func(n *Node, f files, m *Machine) { specs(1<<20)(n, f, m); n.Rules.Limits.MaxContainers = 29 }, "bounds", Warning},
		"quotas that the kernel enforces": {func(_ *Node, _ files, m *Machine) {
			m.Quotas = func(string) (string, error) { return "xfs", nil }
		}, "volume-quotas", OK},
		"quotas that cannot be inspected": {func(_ *Node, _ files, m *Machine) {
			m.Quotas = func(string) (string, error) { return "", fs.ErrPermission }
		}, "volume-quotas", Unknown},
		"no engine": {func(_ *Node, _ files, m *Machine) {
			m.Engine = func(context.Context) (engine.Isolation, error) { return engine.Isolation{}, errors.New("refused") }
		}, "engine", Fault},
		"a Podman": {func(_ *Node, _ files, m *Machine) {
			m.Engine = func(context.Context) (engine.Isolation, error) { return engine.Isolation{Podman: true}, nil }
		}, "engine", Warning},
		"a rootless engine without controllers": {func(_ *Node, _ files, m *Machine) {
			m.Engine = func(context.Context) (engine.Isolation, error) {
				return engine.Isolation{Options: []string{"name=rootless"}, Unlimited: []string{"memory"}}, nil
			}
		}, "limits", Warning},
		"a rootless engine beside root": {func(_ *Node, _ files, m *Machine) {
			m.Stat = func(string) (fs.FileInfo, error) {
				return fs.Stat(fstest.MapFS{"x": {Mode: fs.ModeDir | 0o700, Sys: &syscall.Stat_t{}}}, "x")
			}
			m.Engine = func(context.Context) (engine.Isolation, error) {
				return engine.Isolation{Options: []string{"name=rootless"}}, nil
			}
		}, "rootless", Fault},
		"no engine to say": {func(_ *Node, _ files, m *Machine) {
			m.Engine = func(context.Context) (engine.Isolation, error) { return engine.Isolation{}, errors.New("refused") }
		}, "kernel", Unknown},
		"no seccomp":         {options("name=apparmor", "name=userns"), "seccomp", Fault},
		"unconfined seccomp": {options("name=seccomp,profile=unconfined", "name=apparmor"), "seccomp", Fault},
		"no apparmor":        {options("name=seccomp,profile=default"), "lsm", Warning},
		"selinux":            {options("name=seccomp,profile=builtin", "name=selinux"), "lsm", OK},
		"no daemon":          {ready(Readiness{}, errors.New("refused")), "daemon", Warning},
		"a daemon that ran before": {func(_ *Node, f files, m *Machine) {
			f["/data/db"], m.Running = fs.ModeDir|0o700, func() (bool, error) { return false, nil }
		}, "daemon", Fault},
		"not ready":                    {ready(Readiness{Missing: []api.Detail{{Field: "disk", Message: "full"}}}, nil), "daemon/disk", Fault},
		"a warning of it":              {ready(Readiness{Warnings: []api.Detail{{Field: "disk", Message: "low"}}}, nil), "daemon/disk", Warning},
		"a missing firewall":           {ready(Readiness{Warnings: []api.Detail{{Field: "firewall", Message: "missing: no nftables"}}}, nil), "firewall", Warning},
		"no firewall":                  {func(n *Node, _ files, _ *Machine) { n.FirewallOff = true }, "firewall", Warning},
		"the settings to mount":        {mounts("/etc"), "mounts.allowed", Fault},
		"one program to mount":         {mounts("/usr/local/games"), "mounts.allowed", Warning},
		"all of the host to mount":     {mounts("/"), "mounts.allowed", Warning},
		"all homes to mount":           {mounts("/srv/a", "/home"), "mounts.allowed", Warning},
		"the engine to mount":          {mounts("/srv"), "mounts.allowed", Warning},
		"the data to mount":            {mounts("/data"), "mounts.allowed", Warning},
		"nothing there to mount":       {mounts("/srv/none"), "mounts.allowed", Warning},
		"a directory to mount":         {mounts("/srv/a"), "mounts.allowed", OK},
		"a name server":                {ports(53, 53), "allow-host-ports", OK},
		"all ports":                    {ports(1, 65535), "allow-host-ports", Warning},
		"the port of the API":          {ports(8000, 8100), "allow-host-ports", Warning},
		"a network":                    {networks(observed.Network{Name: "games", Driver: "bridge", Scope: "local"}), "network.allowed", OK},
		"no network of that name":      {networks(), "network.allowed", Warning},
		"two networks of that name":    {networks(observed.Network{Name: "games", Driver: "bridge", Scope: "local", Ambiguous: true}), "network.allowed", Warning},
		"a network of another machine": {networks(observed.Network{Name: "games", Driver: "overlay", Scope: "swarm"}), "network.allowed", Warning},
		"no engine for the networks": {func(n *Node, _ files, m *Machine) {
			n.Rules.AllowedNetworks = []string{"games"}
			m.Networks = func(context.Context, []string) ([]observed.Network, error) { return nil, errors.New("refused") }
		}, "network.allowed", Unknown},
		"containers within the bounds": {specs(1 << 30), "bounds", OK},
		"containers beyond the bounds": {specs(2 << 30), "bounds", Warning},
		"containers without any limit": {specs(0), "bounds", Warning},
		"containers that nobody counts": {func(_ *Node, _ files, m *Machine) {
			m.Specs = func(context.Context) ([]desired.Spec, error) { return nil, errors.New("refused") }
		}, "bounds", Unknown},
		"a clock that nothing synchronises": {func(_ *Node, _ files, m *Machine) { m.ClockSynchronised = func() (bool, error) { return false, nil } }, "clock", Warning},
		"a clock that nobody can inspect": {func(_ *Node, _ files, m *Machine) {
			m.ClockSynchronised = func() (bool, error) { return false, refused }
		}, "clock", Unknown},
		"a clock before the program":       {func(n *Node, _ files, m *Machine) { n.Built = m.Now().Add(time.Hour) }, "clock", Fault},
		"a clock before the journal":       {events(-time.Hour, ""), "clock", Fault},
		"a clock that was set by a second": {events(-time.Second, ""), "clock", OK},
		"a call that timed out":            {events(time.Minute, late), "engine-timeouts", Warning},
		"a call that timed out long ago":   {events(2*time.Hour, late), "engine-timeouts", OK},
		"a call that failed otherwise":     {events(time.Minute, "no such image"), "engine-timeouts", OK},
		"no events": {func(_ *Node, _ files, m *Machine) {
			m.Events = func(context.Context) ([]journal.Event, error) { return nil, refused }
		}, "engine-timeouts", Unknown},
		"a free port that is held":    {func(_ *Node, _ files, m *Machine) { m.PortHolder = holderOf(free) }, "pool-ports", Warning},
		"a port of a container":       {func(_ *Node, _ files, m *Machine) { m.PortHolder = holderOf(taken) }, "pool-ports", OK},
		"holders that nobody may see": {func(_ *Node, _ files, m *Machine) { m.Root = false }, "pool-ports", Unknown},
		"a pool that nobody can see": {func(_ *Node, _ files, m *Machine) {
			m.PoolPorts = func(context.Context) ([]desired.PoolPort, error) { return nil, refused }
		}, "pool-ports", Unknown},
		"a kernel without swap limits": {isolation(func(i *engine.Isolation) { i.SwapUnlimited = true }), "kernel", Warning},
		"images that are copied":       {isolation(func(i *engine.Isolation) { i.Storage = "vfs" }), "storage-driver", Warning},
		"a store that nobody names":    {isolation(func(i *engine.Isolation) { i.Storage = "" }), "storage-driver", Unknown},
		"an engine on a full disk": {func(_ *Node, _ files, m *Machine) {
			of := m.FileSystem
			m.FileSystem = func(path string) (FileSystem, error) {
				found, err := of(path)
				if path == "/srv/docker" {
					found.Free = 1 << 20
				}
				return found, err
			}
		}, "engine-disk", Fault},
		"an engine elsewhere": {func(_ *Node, _ files, m *Machine) {
			of := m.FileSystem
			m.FileSystem = func(path string) (FileSystem, error) {
				if path == "/srv/docker" {
					return FileSystem{}, fs.ErrNotExist
				}
				return of(path)
			}
		}, "engine-disk", Unknown},
		"data in memory":                      {disk(func(f *FileSystem) { f.Kind = "tmpfs" }), "file-system", Warning},
		"data on a server":                    {disk(func(f *FileSystem) { f.Kind = "nfs" }), "file-system", Warning},
		"programs in volumes that cannot run": {disk(func(f *FileSystem) { f.NoExec = true }), "mount-flags", Warning},
		"volumes on another disk": {func(n *Node, f files, m *Machine) {
			of := m.FileSystem
			m.FileSystem = func(path string) (FileSystem, error) {
				found, err := of(path)
				found.NoSUID = path != "/data/volumes"
				return found, err
			}
		}, "mount-flags", Warning},
	} {
		t.Run(name, func(t *testing.T) {
			n, f, m := good()
			c.change(&n, f, &m)
			items := Run(t.Context(), n, m)
			if worst := Worst(items); c.want == Fault && worst != Fault || c.want == Warning && worst == OK || c.item == "" && worst != OK {
				t.Errorf("the worst is %s of %+v", worst, items)
			}
			found := c.item == ""
			for _, i := range items {
				if i.Name == c.item {
					found = true
					if i.Verdict != c.want {
						t.Errorf("got %+v", i)
					}
				}
				if i.Text == "" || i.Verdict != OK && i.Remedy == "" && !strings.HasPrefix(i.Text, "there is no ") {
					t.Errorf("an item without a text or a remedy: %+v", i)
				}
			}
			if !found {
				t.Errorf("no item %s in %+v", c.item, items)
			}
		})
	}
}

// TestRemedies: root is asked for only where the account is what is in the way.
func TestRemedies(t *testing.T) {
	for _, c := range []struct {
		err    error
		root   bool
		remedy string
	}{
		{fs.ErrPermission, false, "run the command as root"},
		{fs.ErrPermission, true, "see why in the error"},
		{fs.ErrNotExist, false, "make it"},
	} {
		if got := unreadable("x", c.err, Machine{Root: c.root})[0].Remedy; !strings.Contains(got, c.remedy) {
			t.Errorf("%v as root %v: %s", c.err, c.root, got)
		}
	}
	n, _, m := good()
	m.Root = false
	for err, remedy := range map[error]string{fs.ErrPermission: "as root", client.ErrUnauthorized: "master token", client.ErrUnreachable: "see whether the daemon answers"} {
		m.Specs = func(context.Context) ([]desired.Spec, error) { return nil, err }
		if got := beyondAllowed(t.Context(), n, m)[0].Remedy; !strings.Contains(got, remedy) {
			t.Errorf("%v: %s", err, got)
		}
	}
	m.Running = func() (bool, error) { return false, nil }
	if got := beyondAllowed(t.Context(), n, m)[0].Remedy; !strings.Contains(got, "systemctl start") {
		t.Error(got)
	}
}

func TestCertificateCheck(t *testing.T) {
	made, err := certs.SelfSigned(t.TempDir(), []string{"localhost"})
	if err != nil {
		t.Fatal(err)
	}
	n, _, m := good()
	n.Certificate = made.Cert
	m.ReadFile = os.ReadFile
	at := func(now time.Time) Verdict {
		m.Now = func() time.Time { return now }
		return Worst(certificate(t.Context(), n, m))
	}
	now := time.Now()
	if v := at(now); v != OK {
		t.Errorf("a new certificate: %s", v)
	}
	if v := at(now.AddDate(100, 0, 0)); v != Fault {
		t.Errorf("one that has ended: %s", v)
	}
	if v := at(now.AddDate(-1, 0, 0)); v != Fault {
		t.Errorf("one that has not begun: %s", v)
	}
	n.SelfSigned, n.Hosts = true, []string{"localhost", "*"}
	if v := at(now); v != OK {
		t.Errorf("the names that it is for: %s", v)
	}
	n.Hosts = append(n.Hosts, "node-2.example.com")
	if got := certificate(t.Context(), n, m)[0]; got.Verdict != Warning || !strings.Contains(got.Text, "node-2.example.com") {
		t.Errorf("a name that it is not for: %+v", got)
	}
	n.Certificate, n.SelfSigned = "/nowhere", false
	m.ReadFile = func(string) ([]byte, error) { return []byte("no certificate"), nil }
	if v := at(now); v != Fault {
		t.Errorf("none: %s", v)
	}
}

// TestRemedyOfTheFirewall is one for what is missing: where the engine is elsewhere, neither a right nor a kernel is.
func TestRemedyOfTheFirewall(t *testing.T) {
	for missing, want := range map[string]string{
		"missing: " + firewall.OtherNamespace: "run both in one network namespace",
		"missing: " + firewall.ByTCP:          "name the socket of the engine",
		"missing: the kernel has no nftables": "CAP_NET_ADMIN",
	} {
		item := firewallItem(Node{}, Readiness{Warnings: []api.Detail{{Field: "firewall", Message: missing}}})
		if item.Verdict != Warning || !strings.Contains(item.Text, missing) || !strings.Contains(item.Remedy, want) {
			t.Errorf("%s: %+v", missing, item)
		}
	}
}

// TestReadinessRemedies: what the daemon lacks is put right where it is lacking, and not by reading a log.
func TestReadinessRemedies(t *testing.T) {
	for field, want := range map[string]string{"engine": "systemctl status docker", "disk": "make room on the disk of /data ", "controller": "journalctl -u lightd"} {
		if got := readinessRemedy(Node{DataDir: "/data"}, field); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q in it", field, got, want)
		}
	}
}
